#include <nlohmann/json.hpp>

#include "calibration/chat_template/value.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kMostDepth = 50;

Value convert(const Json& json, int depth) {
  if (depth > kMostDepth) {
    throw Error(Kind::input, "JSON that is more than {} deep", kMostDepth);
  }
  switch (json.type()) {
    case Json::value_t::null:
      return None{};
    case Json::value_t::boolean:
      return json.get<bool>();
    case Json::value_t::number_unsigned:
      if (json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
        throw Error(Kind::input, "the number {} does not fit into 64 bits", json.dump());
      }
      return json.get<int64_t>();
    case Json::value_t::number_integer:
      return json.get<int64_t>();
    case Json::value_t::number_float:
      return json.get<double>();
    case Json::value_t::string:
      return json.get<std::string>();
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& item : json) {
        items.push_back(convert(item, depth + 1));
      }
      return Value::sequence(std::move(items));
    }
    default: {
      std::vector<std::pair<std::string, Value>> items;
      for (const auto& [key, item] : json.items()) {
        items.emplace_back(key, convert(item, depth + 1));
      }
      return Value::mapping(std::move(items));
    }
  }
}

}  // namespace

Value read_json(std::string_view text) {
  try {
    return convert(Json::parse(text), 0);
  } catch (const Json::parse_error& error) {
    throw Error(Kind::input, "no JSON: {}", error.what());
  }
}

}  // namespace terse::calibration::jinja
