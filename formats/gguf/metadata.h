#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace terse::gguf {

/// Values of one type; arrays may hold arrays. The alternatives stand in the order of their ids in the file.
struct MetadataArray {
  std::variant<std::vector<uint8_t>, std::vector<int8_t>, std::vector<uint16_t>, std::vector<int16_t>,
               std::vector<uint32_t>, std::vector<int32_t>, std::vector<float>, std::vector<bool>,
               std::vector<std::string>, std::vector<MetadataArray>, std::vector<uint64_t>, std::vector<int64_t>,
               std::vector<double>>
      values;

  int64_t count() const;
  bool operator==(const MetadataArray& other) const;
};

/// Likewise: a value's index is its type's id in the file.
using MetadataValue = std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, float, bool, std::string,
                                   MetadataArray, uint64_t, int64_t, double>;

/// "u32", "string", "array of f32": for messages.
std::string type_name(const MetadataValue& value);

/// What a GGUF file says beside its tensors: keys with values, in the order of the file.
struct Metadata {
  std::vector<std::pair<std::string, MetadataValue>> entries;

  /// nullptr if there is no such key.
  const MetadataValue* find(std::string_view key) const;

  // nullopt if there is no such key; Error input, naming the key, if its value has another type.
  std::optional<int64_t> find_integer(std::string_view key) const;  ///< of any width; also an error beyond 63 bits
  std::optional<double> find_number(std::string_view key) const;    ///< integers too
  std::optional<bool> find_bool(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  const MetadataArray* find_array(std::string_view key) const;  ///< nullptr if there is no such key

  void set(std::string_view key, MetadataValue value);  ///< replaces or appends
  void erase(std::string_view key);
};

}  // namespace terse::gguf
