#include "calibration/chat_template/call.h"

#include <algorithm>

#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

std::vector<std::string_view> names_of(std::string_view parameters) {
  std::vector<std::string_view> names;
  while (!parameters.empty()) {
    const size_t end = std::min(parameters.find(','), parameters.size());
    names.push_back(parameters.substr(0, end));
    parameters.remove_prefix(std::min(end + 1, parameters.size()));
  }
  return names;
}

}  // namespace

Bound::Bound(std::string_view what, const Arguments& arguments, std::string_view parameters, size_t required)
    : what_(what) {
  const auto names = names_of(parameters);
  if (arguments.positional.size() > names.size()) {
    throw Error(Kind::input, "{}: {} arguments, expected {} at most", what, arguments.positional.size(), names.size());
  }
  values_.assign(arguments.positional.begin(), arguments.positional.end());
  values_.resize(names.size());
  for (const auto& [name, value] : arguments.named) {
    const auto index = static_cast<size_t>(std::ranges::find(names, name) - names.begin());
    if (index == names.size() || values_[index]) {
      throw Error(Kind::unsupported, "{}: the argument '{}' is not known, or given twice", what, name);
    }
    values_[index] = value;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!values_[i]) {
      throw Error(Kind::input, "{}: the argument '{}' is missing", what, names[i]);
    }
  }
}

const std::string& Bound::text(size_t index) const {
  if (get(index).text() == nullptr) {
    throw Error(Kind::input, "{}: found a {}, expected a string", what_, type_name(get(index)));
  }
  return *get(index).text();
}

int64_t Bound::whole(size_t index, int64_t otherwise) const {
  const Value* value = find(index);
  if (value == nullptr || value->is_none()) {
    return otherwise;
  }
  if (value->integer() == nullptr) {
    throw Error(Kind::input, "{}: found a {}, expected a whole number", what_, type_name(*value));
  }
  return *value->integer();
}

bool Bound::flag(size_t index, bool otherwise) const {
  const Value* value = find(index);
  return value == nullptr ? otherwise : is_true(*value);
}

}  // namespace terse::calibration::jinja
