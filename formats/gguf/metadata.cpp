#include "formats/gguf/metadata.h"

#include <algorithm>
#include <array>

#include "formats/error.h"

namespace terse::gguf {
namespace {

constexpr std::array<std::string_view, 13> kTypeNames = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                                         "bool", "string", "array", "u64", "i64", "f64"};

auto position(auto& entries, std::string_view key) {
  return std::find_if(entries.begin(), entries.end(), [&](const auto& entry) { return entry.first == key; });
}

Error wrong_type(std::string_view key, const MetadataValue& value, std::string_view expected) {
  return Error(Kind::input, "metadata '{}' is of type {}, expected {}", key, type_name(value), expected);
}

/// The value as a T if it holds one.
template <typename T>
const T* find_typed(const Metadata& metadata, std::string_view key, std::string_view expected) {
  const MetadataValue* value = metadata.find(key);
  if (value == nullptr) {
    return nullptr;
  }
  if (const T* typed = std::get_if<T>(value)) {
    return typed;
  }
  throw wrong_type(key, *value, expected);
}

template <typename T>
constexpr bool kIsInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

}  // namespace

int64_t MetadataArray::count() const {
  return std::visit([](const auto& list) { return static_cast<int64_t>(list.size()); }, values);
}

bool MetadataArray::operator==(const MetadataArray& other) const { return values == other.values; }

std::string type_name(const MetadataValue& value) {
  const auto* array = std::get_if<MetadataArray>(&value);
  return array == nullptr ? std::string(kTypeNames.at(value.index()))
                          : fmt::format("array of {}", kTypeNames.at(array->values.index()));
}

const MetadataValue* Metadata::find(std::string_view key) const {
  const auto found = position(entries, key);
  return found == entries.end() ? nullptr : &found->second;
}

std::optional<int64_t> Metadata::find_integer(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  return std::visit(
      [&]<typename T>(const T& number) -> int64_t {
        if constexpr (kIsInteger<T>) {
          if (std::in_range<int64_t>(number)) {
            return static_cast<int64_t>(number);
          }
          throw Error(Kind::input, "metadata '{}' is {}, expected a number of at most 63 bits", key, number);
        } else {
          throw wrong_type(key, *value, "an integer");
        }
      },
      *value);
}

std::optional<double> Metadata::find_number(std::string_view key) const {
  const MetadataValue* value = find(key);
  if (value == nullptr) {
    return std::nullopt;
  }
  return std::visit(
      [&]<typename T>(const T& number) -> double {
        if constexpr (kIsInteger<T> || std::is_floating_point_v<T>) {
          return static_cast<double>(number);
        } else {
          throw wrong_type(key, *value, "a number");
        }
      },
      *value);
}

std::optional<bool> Metadata::find_bool(std::string_view key) const {
  const bool* value = find_typed<bool>(*this, key, "bool");
  return value == nullptr ? std::nullopt : std::optional(*value);
}

std::optional<std::string_view> Metadata::find_string(std::string_view key) const {
  const auto* value = find_typed<std::string>(*this, key, "string");
  return value == nullptr ? std::nullopt : std::optional<std::string_view>(*value);
}

const MetadataArray* Metadata::find_array(std::string_view key) const {
  return find_typed<MetadataArray>(*this, key, "array");
}

void Metadata::set(std::string_view key, MetadataValue value) {
  const auto found = position(entries, key);
  if (found == entries.end()) {
    entries.emplace_back(key, std::move(value));
  } else {
    found->second = std::move(value);
  }
}

void Metadata::erase(std::string_view key) {
  std::erase_if(entries, [&](const auto& entry) { return entry.first == key; });
}

}  // namespace terse::gguf
