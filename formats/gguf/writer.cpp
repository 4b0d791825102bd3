#include "formats/gguf/writer.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <unordered_set>

#include "formats/error.h"
#include "formats/gguf/constants.h"
#include "formats/rounding.h"

// The layout is drawn in constants.h.

namespace terse::gguf {
namespace {

class CountingSink : public Sink {
 public:
  using Sink::write;
  void write(std::span<const std::byte> bytes) override { count_ += static_cast<int64_t>(bytes.size()); }
  int64_t count() const { return count_; }

 private:
  int64_t count_ = 0;
};

template <typename T>
void put(T number, Sink& sink) {
  static_assert(std::is_arithmetic_v<T>);
  sink.write(std::as_bytes(std::span(&number, 1)));
}

void put(const std::string& text, Sink& sink) {
  put(uint64_t{text.size()}, sink);
  sink.write(text);
}

void put(bool value, Sink& sink) { put(static_cast<uint8_t>(value), sink); }

void put(const MetadataArray& array, Sink& sink) {
  put(static_cast<uint32_t>(array.values.index()), sink);
  put(static_cast<uint64_t>(array.count()), sink);
  std::visit(
      [&]<typename List>(const List& list) {
        for (const typename List::value_type& value : list) {
          put(value, sink);
        }
      },
      array.values);
}

void put_padding(int64_t bytes, Sink& sink) {
  constexpr std::array<std::byte, 64> kZeros = {};
  for (; bytes > 0; bytes -= static_cast<int64_t>(kZeros.size())) {
    sink.write(std::span(kZeros).first(std::min(static_cast<size_t>(bytes), kZeros.size())));
  }
}

void put_header(const Metadata& metadata, std::span<const OutputTensor> tensors, const FileLayout& places, Sink& sink) {
  sink.write(kMagic);
  put(kVersion, sink);
  put(uint64_t{tensors.size()}, sink);
  put(uint64_t{metadata.entries.size()}, sink);
  for (const auto& [key, value] : metadata.entries) {
    put(key, sink);
    put(static_cast<uint32_t>(value.index()), sink);
    std::visit([&](const auto& typed) { put(typed, sink); }, value);
  }
  for (size_t i = 0; i < tensors.size(); ++i) {
    put(tensors[i].name, sink);
    put(static_cast<uint32_t>(tensors[i].shape.size()), sink);
    for (const int64_t dimension : std::views::reverse(tensors[i].shape)) {
      put(static_cast<uint64_t>(dimension), sink);
    }
    put(static_cast<uint32_t>(tensors[i].type), sink);
    put(static_cast<uint64_t>(places.tensors[i].offset - places.data_offset), sink);
  }
}

int64_t alignment_of(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(kAlignmentKey);
  if (value == nullptr) {
    return kDefaultAlignment;
  }
  const auto* alignment = std::get_if<uint32_t>(value);
  if (alignment == nullptr || !is_alignment(*alignment)) {
    throw Error(Kind::input, "metadata '{}' must be a u32, a power of two of at least {}", kAlignmentKey,
                kLeastAlignment);
  }
  return *alignment;
}

void check_keys(const Metadata& metadata) {
  std::unordered_set<std::string_view> seen;
  for (const auto& [key, value] : metadata.entries) {
    if (key.empty() || key.size() > kMostKeyBytes || !seen.insert(key).second) {
      throw Error(Kind::input, "metadata '{:.64}' {}", key,
                  key.empty()                  ? "has no key"
                  : key.size() > kMostKeyBytes ? "has a key that is too long"
                                               : "is there twice");
    }
  }
}

void check_names(std::span<const OutputTensor> tensors) {
  std::unordered_set<std::string_view> seen;
  for (const OutputTensor& tensor : tensors) {
    if (tensor.name.empty() || tensor.name.size() > kMostNameBytes) {
      throw Error(Kind::input, "tensor '{}': a name of {} bytes, expected 1 to {}", tensor.name, tensor.name.size(),
                  kMostNameBytes);
    }
    if (!seen.insert(tensor.name).second) {
      throw Error(Kind::input, "tensor '{}' is there twice", tensor.name);
    }
  }
}

int64_t bytes_of(const OutputTensor& tensor) {
  const BlockTypeRow& type = row(tensor.type);
  const std::optional<int64_t> count = checked_count(tensor.shape);
  const int64_t columns = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (!count || tensor.shape.size() > kMostDimensions || *count / type.elements > INT64_MAX / type.bytes / 2) {
    throw Error(Kind::input, "tensor '{}': shape {}, expected at most {} dimensions of a size that can be stored",
                tensor.name, to_string(tensor.shape), kMostDimensions);
  }
  if (columns % type.elements != 0) {
    throw Error(Kind::input, "tensor '{}': rows of {} numbers, expected a multiple of {} for type {}", tensor.name,
                columns, type.elements, type.name);
  }
  return *count / type.elements * type.bytes;
}

}  // namespace

FileLayout layout(const Metadata& metadata, std::span<const OutputTensor> tensors) {
  const int64_t alignment = alignment_of(metadata);
  check_keys(metadata);
  check_names(tensors);
  FileLayout places;
  places.tensors.resize(tensors.size());
  CountingSink header;
  put_header(metadata, tensors, places, header);
  places.data_offset = divide_up(header.count(), alignment) * alignment;
  places.total_bytes = places.data_offset;
  for (size_t i = 0; i < tensors.size(); ++i) {
    places.tensors[i] = {.offset = places.total_bytes, .bytes = bytes_of(tensors[i])};
    if (places.tensors[i].bytes > INT64_MAX / 2 - places.total_bytes) {
      throw Error(Kind::input, "tensor '{}': the file would be larger than files can be", tensors[i].name);
    }
    places.total_bytes += divide_up(places.tensors[i].bytes, alignment) * alignment;
  }
  return places;
}

FileWriter::FileWriter(const Metadata& metadata, std::vector<OutputTensor> tensors, const std::filesystem::path& path)
    : tensors_(std::move(tensors)), layout_(layout(metadata, tensors_)), file_(path) {
  put_header(metadata, tensors_, layout_, file_);
}

void FileWriter::write_next(const std::function<void(Sink&)>& write) {
  if (next_ == tensors_.size()) {
    throw Error(Kind::internal, "a file of {} tensors was given another one", tensors_.size());
  }
  const auto& [offset, bytes] = layout_.tensors[next_];
  put_padding(offset - file_.written_bytes(), file_);
  write(file_);
  if (file_.written_bytes() != offset + bytes) {
    throw Error(Kind::internal, "tensor '{}' gave {} bytes, {} were planned", tensors_[next_].name,
                file_.written_bytes() - offset, bytes);
  }
  ++next_;
}

void FileWriter::commit() {
  if (next_ != tensors_.size()) {
    throw Error(Kind::internal, "a file of {} tensors was given {}", tensors_.size(), next_);
  }
  put_padding(layout_.total_bytes - file_.written_bytes(), file_);
  file_.commit();
}

void write(const Metadata& metadata, std::span<const OutputTensor> tensors, const std::filesystem::path& path) {
  FileWriter writer(metadata, {tensors.begin(), tensors.end()}, path);
  for (const OutputTensor& tensor : tensors) {
    writer.write_next(tensor.write);
  }
  writer.commit();
}

}  // namespace terse::gguf
