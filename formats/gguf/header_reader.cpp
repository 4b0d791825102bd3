#include "formats/gguf/header_reader.h"

#include <array>
#include <cstring>
#include <optional>
#include <ranges>
#include <string_view>
#include <unordered_set>

#include "formats/error.h"
#include "formats/gguf/constants.h"
#include "formats/rounding.h"

// The layout is drawn in constants.h.

namespace terse::gguf {
namespace {

/// Reads numbers one after the other. Nothing is believed: every count is compared with what is left of the file.
class Cursor {
 public:
  explicit Cursor(std::span<const std::byte> file) : file_(file) {}

  int64_t offset() const { return static_cast<int64_t>(at_); }
  uint64_t left() const { return file_.size() - at_; }

  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
    return value;
  }

  std::string string() {
    const auto length = number<uint64_t>();
    if (length > left()) {
      throw Error(Kind::input, "a string of {} bytes at offset {} is longer than the rest of the file ({} bytes)",
                  length, at_, left());
    }
    const auto bytes = take(static_cast<size_t>(length));
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  /// A number of things that take at least `least_bytes` each.
  uint64_t count(std::string_view things, size_t least_bytes) {
    const auto value = number<uint64_t>();
    if (value > left() / least_bytes) {
      throw Error(Kind::input, "{} {} do not fit into the rest of the file ({} bytes)", value, things, left());
    }
    return value;
  }

 private:
  std::span<const std::byte> take(size_t bytes) {
    if (bytes > left()) {
      throw Error(Kind::input, "the header is cut off at offset {}", file_.size());
    }
    at_ += bytes;
    return file_.subspan(at_ - bytes, bytes);
  }

  std::span<const std::byte> file_;
  size_t at_ = 0;
};

/// Calls `body.template operator()<index>()` for the alternative of that index; false if there is none.
template <typename Variant, typename Body, size_t... kIndices>
bool dispatch_index(uint64_t index, Body&& body, std::index_sequence<kIndices...> /*indices*/) {
  return ((index == kIndices && (body.template operator()<kIndices>(), true)) || ...);
}

template <typename Variant, typename Body>
bool dispatch_index(uint64_t index, Body&& body) {
  return dispatch_index<Variant>(index, std::forward<Body>(body),
                                 std::make_index_sequence<std::variant_size_v<Variant>>());
}

MetadataArray read_array(Cursor& cursor, int depth);

template <typename T>
T read_value(Cursor& cursor, int depth) {
  if constexpr (std::is_same_v<T, std::string>) {
    return cursor.string();
  } else if constexpr (std::is_same_v<T, MetadataArray>) {
    return read_array(cursor, depth + 1);
  } else if constexpr (std::is_same_v<T, bool>) {
    const auto byte = cursor.number<uint8_t>();
    if (byte > 1) {
      throw Error(Kind::input, "a bool is {}, expected 0 or 1", byte);
    }
    return byte != 0;
  } else {
    return cursor.number<T>();
  }
}

/// Bytes that a value takes at least.
template <typename T>
constexpr size_t least_bytes() {
  if constexpr (std::is_same_v<T, std::string>) {
    return sizeof(uint64_t);
  } else if constexpr (std::is_same_v<T, MetadataArray>) {
    return sizeof(uint32_t) + sizeof(uint64_t);
  } else {
    return sizeof(T);
  }
}

MetadataArray read_array(Cursor& cursor, int depth) {
  if (depth > kMostArrayDepth) {
    throw Error(Kind::input, "arrays are nested more than {} deep", kMostArrayDepth);
  }
  using Values = decltype(MetadataArray::values);
  const auto type = cursor.number<uint32_t>();
  MetadataArray array;
  const bool known = dispatch_index<Values>(type, [&]<size_t kIndex>() {
    auto& list = array.values.emplace<kIndex>();
    using T = typename std::variant_alternative_t<kIndex, Values>::value_type;
    const uint64_t count = cursor.count("array elements", least_bytes<T>());
    list.reserve(static_cast<size_t>(count));
    for (uint64_t i = 0; i < count; ++i) {
      list.push_back(read_value<T>(cursor, depth));
    }
  });
  if (!known) {
    throw Error(Kind::input, "array elements of unknown type {}", type);
  }
  return array;
}

MetadataValue read_metadata_value(Cursor& cursor) {
  const auto type = cursor.number<uint32_t>();
  MetadataValue value;
  const bool known = dispatch_index<MetadataValue>(type, [&]<size_t kIndex>() {
    value.emplace<kIndex>(read_value<std::variant_alternative_t<kIndex, MetadataValue>>(cursor, 0));
  });
  if (!known) {
    throw Error(Kind::input, "unknown type {}", type);
  }
  return value;
}

Metadata read_metadata(Cursor& cursor, uint64_t count) {
  Metadata metadata;
  std::unordered_set<std::string> seen;
  for (uint64_t i = 0; i < count; ++i) {
    std::string key = with_context("a metadata key", [&] { return cursor.string(); });
    if (key.empty() || key.size() > kMostKeyBytes) {
      throw Error(Kind::input, "a metadata key of {} bytes, expected 1 to {}", key.size(), kMostKeyBytes);
    }
    if (!seen.insert(key).second) {
      throw Error(Kind::input, "metadata '{}' is there twice", key);
    }
    MetadataValue value = with_context(fmt::format("metadata '{}'", key), [&] { return read_metadata_value(cursor); });
    metadata.entries.emplace_back(std::move(key), std::move(value));
  }
  return metadata;
}

int64_t read_alignment(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(kAlignmentKey);
  if (value == nullptr) {
    return kDefaultAlignment;
  }
  const auto* alignment = std::get_if<uint32_t>(value);
  if (alignment == nullptr) {
    throw Error(Kind::input, "metadata '{}' is of type {}, expected u32", kAlignmentKey, type_name(*value));
  }
  if (!is_alignment(*alignment)) {
    throw Error(Kind::input, "metadata '{}' is {}, expected a power of two of at least {}", kAlignmentKey, *alignment,
                kLeastAlignment);
  }
  return *alignment;
}

Shape read_shape(Cursor& cursor) {
  const auto rank = cursor.number<uint32_t>();
  if (rank > kMostDimensions) {
    throw Error(Kind::input, "{} dimensions, expected at most {}", rank, kMostDimensions);
  }
  Shape shape(rank);
  for (int64_t& dimension : std::views::reverse(shape)) {
    const auto size = cursor.number<uint64_t>();
    if (!std::in_range<int64_t>(size)) {
      throw Error(Kind::input, "a dimension of {}", size);
    }
    dimension = static_cast<int64_t>(size);
  }
  return shape;
}

int64_t checked_bytes(BlockType type, const Shape& shape) {
  const BlockTypeRow& known = row(type);
  const std::optional<int64_t> count = checked_count(shape);
  const int64_t columns = shape.empty() ? 1 : shape.back();
  if (!count || *count / known.elements > INT64_MAX / known.bytes) {
    throw Error(Kind::input, "shape {} is too large", to_string(shape));
  }
  if (columns % known.elements != 0) {
    throw Error(Kind::input, "rows of {} numbers, expected a multiple of {} for type {}", columns, known.elements,
                known.name);
  }
  return *count / known.elements * known.bytes;
}

/// All of a tensor's record but its name.
void read_place(Cursor& cursor, int64_t alignment, TensorPlace& place) {
  place.shape = read_shape(cursor);
  const auto id = cursor.number<uint32_t>();
  const std::optional<BlockType> type = find_block_type(id);
  if (!type) {
    throw Error(Kind::unsupported, "unknown type {}", id);
  }
  place.type = *type;
  place.bytes = checked_bytes(place.type, place.shape);
  const auto offset = cursor.number<uint64_t>();
  if (!std::in_range<int64_t>(offset) || offset % static_cast<uint64_t>(alignment) != 0) {
    throw Error(Kind::input, "offset {}, expected a multiple of the alignment {}", offset, alignment);
  }
  place.offset = static_cast<int64_t>(offset);
}

std::vector<TensorPlace> read_places(Cursor& cursor, uint64_t count, int64_t alignment) {
  std::vector<TensorPlace> places;
  places.reserve(static_cast<size_t>(count));
  std::unordered_set<std::string> seen;
  for (uint64_t i = 0; i < count; ++i) {
    TensorPlace place;
    place.name = with_context(fmt::format("the name of tensor {}", i), [&] { return cursor.string(); });
    if (place.name.empty() || !seen.insert(place.name).second) {
      throw Error(Kind::input, "tensor '{}' {}", place.name, place.name.empty() ? "has no name" : "is there twice");
    }
    with_context(fmt::format("tensor '{}'", place.name), [&] { read_place(cursor, alignment, place); });
    places.push_back(std::move(place));
  }
  return places;
}

uint32_t read_version(Cursor& cursor) {
  std::array<char, kMagic.size()> magic;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled below
  for (char& c : magic) {
    c = cursor.number<char>();
  }
  if (std::string_view(magic.data(), magic.size()) != kMagic) {
    throw Error(Kind::input, "is no GGUF file: it does not begin with '{}'", kMagic);
  }
  const auto version = cursor.number<uint32_t>();
  if (version != 0 && (version & 0xffffU) == 0) {
    throw Error(Kind::unsupported, "is a big-endian GGUF file, expected a little-endian one: convert it again");
  }
  if (version != 2 && version != kVersion) {
    throw Error(Kind::unsupported, "GGUF version {}, expected 2 or {}", version, kVersion);
  }
  return version;
}

}  // namespace

Header read_header(std::span<const std::byte> file) {
  constexpr size_t kLeastTensorBytes = 8 + 4 + 4 + 8;  // an empty name, no dimensions
  constexpr size_t kLeastEntryBytes = 8 + 4 + 1;       // an empty key, a byte
  Cursor cursor(file);
  Header header;
  header.version = read_version(cursor);
  const uint64_t tensor_count = cursor.count("tensors", kLeastTensorBytes);
  header.metadata = read_metadata(cursor, cursor.count("metadata entries", kLeastEntryBytes));
  const int64_t alignment = read_alignment(header.metadata);
  if (tensor_count > cursor.left() / kLeastTensorBytes) {
    throw Error(Kind::input, "{} tensors do not fit into the rest of the file ({} bytes)", tensor_count, cursor.left());
  }
  header.tensors = read_places(cursor, tensor_count, alignment);
  header.data_offset = divide_up(cursor.offset(), alignment) * alignment;
  return header;
}

}  // namespace terse::gguf
