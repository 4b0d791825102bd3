#include "formats/json_fields.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "formats/error.h"

namespace terse {

using nlohmann::json;

void JsonField::expect(bool right, std::string_view expected) const {
  if (!right) {
    throw Error(Kind::input, "{}{}found {} {}, expected {}", where_, where_.empty() ? "" : ": ",
                value_->is_array() || value_->is_object() ? "an" : "a", value_->type_name(), expected);
  }
}

std::optional<JsonField> JsonField::find(std::string_view name) const {
  expect(value_->is_object(), "an object");
  const auto found = value_->find(name);
  if (found == value_->end() || found->is_null()) {
    return std::nullopt;
  }
  return JsonField(*found, where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name));
}

JsonField JsonField::get(std::string_view name) const {
  auto found = find(name);
  if (!found) {
    throw Error(Kind::input, "{}{}'{}' is missing", where_, where_.empty() ? "" : ": ", name);
  }
  return *std::move(found);
}

JsonField JsonField::at(size_t index) const { return {value_->at(index), fmt::format("{}[{}]", where_, index)}; }

size_t JsonField::array_size() const {
  expect(value_->is_array(), "an array");
  return value_->size();
}

size_t JsonField::object_size() const {
  expect(value_->is_object(), "an object");
  return value_->size();
}

const std::string& JsonField::text() const {
  expect(value_->is_string(), "a string");
  return value_->get_ref<const std::string&>();
}

bool JsonField::flag() const {
  expect(value_->is_boolean(), "true or false");
  return value_->get<bool>();
}

int64_t JsonField::whole(int64_t least, int64_t greatest) const {
  expect(value_->is_number_integer(), "a whole number");
  const bool huge = value_->is_number_unsigned() && value_->get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t number = huge ? INT64_MAX : value_->get<int64_t>();
  if (number < least || number > greatest) {
    throw Error(Kind::input, "{}: {} is not from {} to {}", where_, value_->dump(), least, greatest);
  }
  return number;
}

double JsonField::number() const {
  expect(value_->is_number(), "a number");
  return value_->get<double>();
}

std::string JsonField::text_or(std::string_view name, std::string_view fallback) const {
  const auto found = find(name);
  return found ? found->text() : std::string(fallback);
}

bool JsonField::flag_or(std::string_view name, bool fallback) const {
  const auto found = find(name);
  return found ? found->flag() : fallback;
}

namespace {

json parse(std::string_view text, const json::parser_callback_t& callback) {
  try {
    return json::parse(text, callback);
  } catch (const json::exception& error) {    // also numbers that are too large
    std::string_view message = error.what();  // "[json.exception.parse_error.101] parse error at line 1, ...: ..."
    message.remove_prefix(std::min(message.find("] ") + 2, message.size()));
    throw Error(Kind::input, "{}", message.substr(0, 200));
  }
}

}  // namespace

json parse_json(std::string_view text) { return parse(text, nullptr); }

json parse_json_strictly(std::string_view text, int greatest_depth) {
  std::vector<std::set<std::string>> names;  // of the members so far of the objects that are open
  return parse(text, [&](int depth, json::parse_event_t event, json& value) {
    const bool opens = event == json::parse_event_t::object_start || event == json::parse_event_t::array_start;
    if (opens && depth >= greatest_depth) {
      throw Error(Kind::input, "more than {} objects and arrays are within each other", greatest_depth);
    }
    if (event == json::parse_event_t::object_start) {
      names.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      names.pop_back();
    } else if (event == json::parse_event_t::key && !names.back().insert(value.get<std::string>()).second) {
      throw Error(Kind::input, "'{}' occurs twice in one object", value.get<std::string>());
    }
    return true;
  });
}

}  // namespace terse
