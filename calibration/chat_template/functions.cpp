#include <algorithm>
#include <array>

#include "calibration/chat_template/access.h"
#include "calibration/chat_template/filters.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

constexpr int64_t kMostRange = 100'000;  // as Jinja's sandbox

Value range(const Arguments& arguments) {
  const Bound bound("range", arguments, "start,stop,step", 1);
  const bool has_stop = bound.find(1) != nullptr;
  const int64_t start = has_stop ? bound.whole(0, 0) : 0, stop = bound.whole(has_stop ? 1 : 0, 0);
  const int64_t step = bound.whole(2, 1);
  constexpr int64_t kMostBound = int64_t{1} << 40;
  for (const int64_t number : {start, stop, step}) {
    if (std::abs(number) > kMostBound) {
      throw Error(Kind::input, "range: {} is too much", number);
    }
  }
  if (step == 0) {
    throw Error(Kind::input, "range: a step of 0");
  }
  std::vector<Value> items;
  for (int64_t i = start; step > 0 ? i < stop : i > stop; i += step) {
    if (std::ssize(items) == kMostRange) {
      throw Error(Kind::input, "range: more than {} numbers", kMostRange);
    }
    items.emplace_back(i);
  }
  return Value::sequence(std::move(items), Sequence::Kind::view);
}

Value name_space(const Arguments& arguments) {
  std::map<std::string, Value, std::less<>> items;
  if (!arguments.positional.empty()) {
    throw Error(Kind::unsupported, "terse knows 'namespace' with named arguments only");
  }
  for (const auto& [name, value] : arguments.named) {
    if (!value.is_data()) {
      throw Error(Kind::unsupported, "a {} inside of another value", type_name(value));
    }
    items.insert_or_assign(name, value);
  }
  return Value::name_space(std::move(items));
}

Value dictionary(const Arguments& arguments) {
  if (!arguments.positional.empty()) {
    throw Error(Kind::unsupported, "terse knows 'dict' with named arguments only");
  }
  return Value::mapping(arguments.named);
}

Value raise(const Arguments& arguments) {
  throw Error(Kind::input, "the template refuses: {}", Bound("raise_exception", arguments, "message", 1).text(0));
}

Value refuse_time(const Arguments&) {
  throw Error(Kind::unsupported, "strftime_now: the same file would not give the same text every day");
}

struct FunctionRow {
  std::string_view name;
  Value (*call)(const Arguments& arguments);  ///< null: terse does not have it
};

constexpr std::array<FunctionRow, 8> kFunctions = {{
    {"range", range},
    {"namespace", name_space},
    {"dict", dictionary},
    {"raise_exception", raise},
    {"strftime_now", refuse_time},
    {"cycler", nullptr},
    {"joiner", nullptr},
    {"lipsum", nullptr},
}};

}  // namespace

bool is_function(std::string_view name) {
  return std::ranges::find(kFunctions, name, &FunctionRow::name) != kFunctions.end();
}

Value call_function(std::string_view name, const Arguments& arguments) {
  const auto* row = std::ranges::find(kFunctions, name, &FunctionRow::name);
  if (row == kFunctions.end()) {
    throw Error(Kind::input, "'{}' is undefined", name);
  }
  if (row->call == nullptr) {
    throw Error(Kind::unsupported, "terse does not know the function '{}'", name);
  }
  return row->call(arguments);
}

}  // namespace terse::calibration::jinja
