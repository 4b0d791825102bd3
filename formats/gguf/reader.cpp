#include "formats/gguf/reader.h"

#include <algorithm>
#include <unordered_set>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/constants.h"
#include "formats/gguf/header_reader.h"

// The layout is drawn in constants.h; a model in several files is explained at `read_parts`.

namespace terse::gguf {
namespace {

namespace fs = std::filesystem;

void check_overlap(const Header& header) {
  std::vector<const TensorPlace*> places;
  for (const TensorPlace& place : header.tensors) {
    if (place.bytes > 0) {
      places.push_back(&place);
    }
  }
  std::sort(places.begin(), places.end(),
            [](const TensorPlace* a, const TensorPlace* b) { return a->offset < b->offset; });
  for (size_t i = 1; i < places.size(); ++i) {
    if (places[i]->offset - places[i - 1]->offset < places[i - 1]->bytes) {
      throw Error(Kind::input, "tensors '{}' and '{}' overlap: offsets {} and {}, the first has {} bytes",
                  places[i - 1]->name, places[i]->name, places[i - 1]->offset, places[i]->offset, places[i - 1]->bytes);
    }
  }
}

FileTensor map_tensor(const TensorPlace& place, int64_t data_offset, const std::shared_ptr<const MappedFile>& file) {
  const auto size = static_cast<int64_t>(file->bytes().size());
  if (place.bytes > 0 && (place.offset > size - data_offset || place.bytes > size - data_offset - place.offset)) {
    throw Error(Kind::input, "tensor '{}': offset {} + {} bytes is past the end of the data ({} bytes)", place.name,
                place.offset, place.bytes, std::max(int64_t{0}, size - data_offset));
  }
  const auto bytes = place.bytes == 0 ? std::span<const std::byte>()
                                      : file->bytes().subspan(static_cast<size_t>(data_offset + place.offset),
                                                              static_cast<size_t>(place.bytes));
  const DType dtype = row(place.type).dtype;
  FileTensor tensor{.name = place.name, .type = place.type, .shape = place.shape, .data = {}};
  if (dtype != DType::undefined) {
    tensor.data = Tensor::mapped(dtype, place.shape, bytes, file);
    return tensor;
  }
  const int64_t stride = block_row_bytes(place.type, place.shape.back());
  tensor.data = Tensor::mapped(DType::u8, {stride == 0 ? 0 : place.bytes / stride, stride}, bytes, file);
  return tensor;
}

File read_one(const fs::path& path) {
  return with_context(path.string(), [&] {
    const auto file = MappedFile::open(path);
    Header header = read_header(file->bytes());
    check_overlap(header);
    File result{.version = header.version,
                .metadata = std::move(header.metadata),
                .tensors = {},
                .files = {path},
                .file_bytes = static_cast<int64_t>(file->bytes().size())};
    for (const TensorPlace& place : header.tensors) {
      result.tensors.push_back(map_tensor(place, header.data_offset, file));
    }
    return result;
  });
}

/// What a file says of itself: part `number` (from 0) of `count`.
struct Part {
  int64_t number = 0, count = 1;
};

Part part_of(const Metadata& metadata) {
  const Part part{.number = metadata.find_integer(kSplitNumberKey).value_or(0),
                  .count = metadata.find_integer(kSplitCountKey).value_or(1)};
  constexpr int64_t kMostParts = 99999;  // the names have five digits
  if (part.count < 0 || part.count > kMostParts || part.number < 0 || part.number >= std::max(part.count, int64_t{1})) {
    throw Error(Kind::input, "says that it is part {} of {} (counted from 0)", part.number, part.count);
  }
  return part;
}

std::string part_suffix(const Part& part) { return fmt::format("-{:05}-of-{:05}.gguf", part.number + 1, part.count); }

void append_part(const fs::path& path, const Part& expected, File& whole) {
  File file = read_one(path);
  with_context(path.string(), [&] {
    const Part part = part_of(file.metadata);
    if (part.number != expected.number || part.count != expected.count) {
      throw Error(Kind::input, "says that it is part {} of {}, its name says {} of {} (counted from 0)", part.number,
                  part.count, expected.number, expected.count);
    }
  });
  if (expected.number == 0) {
    whole.version = file.version;
    whole.metadata = std::move(file.metadata);
  }
  std::move(file.tensors.begin(), file.tensors.end(), std::back_inserter(whole.tensors));
  whole.files.push_back(path);
  whole.file_bytes += file.file_bytes;
}

void check_whole(const File& whole) {
  const auto count = static_cast<int64_t>(whole.tensors.size());
  const int64_t expected = whole.metadata.find_integer(kSplitTensorsKey).value_or(count);
  if (count != expected) {
    throw Error(Kind::input, "all parts together hold {} tensors, expected {}", count, expected);
  }
  std::unordered_set<std::string_view> seen;
  for (const FileTensor& tensor : whole.tensors) {
    if (!seen.insert(tensor.name).second) {
      throw Error(Kind::input, "tensor '{}' is in two parts", tensor.name);
    }
  }
}

/// A model in several files: each is a whole GGUF file with some of the tensors, called <name>-00001-of-00003.gguf and
/// so on; the first has the metadata.
File read_parts(const fs::path& path, const Part& named) {
  const std::string name = path.filename().string();
  const std::string suffix = part_suffix(named);
  if (!name.ends_with(suffix)) {
    throw Error(Kind::input, "{}: says that it is part {} of {}, expected a name that ends with '{}'", path.string(),
                named.number + 1, named.count, suffix);
  }
  const std::string stem = name.substr(0, name.size() - suffix.size());
  File whole;
  for (Part part{.number = 0, .count = named.count}; part.number < part.count; ++part.number) {
    append_part(path.parent_path() / (stem + part_suffix(part)), part, whole);
  }
  with_context(path.string(), [&] { check_whole(whole); });
  return whole;
}

}  // namespace

const FileTensor* File::find(std::string_view name) const {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const FileTensor& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

File read(const fs::path& path) {
  File file = read_one(path);
  const Part part = with_context(path.string(), [&] { return part_of(file.metadata); });
  if (part.count > 1) {
    file = read_parts(path, part);
  }
  for (const std::string_view key : {kSplitNumberKey, kSplitCountKey, kSplitTensorsKey}) {
    file.metadata.erase(key);
  }
  return file;
}

EncodingPtr make_encoding(const FileTensor& tensor) {
  if (row(tensor.type).dtype != DType::undefined) {
    return make_dense(tensor.data);
  }
  return std::make_shared<const Encoding>(
      Encoding{.shape = tensor.shape, .form = BlockEncoding{.type = tensor.type, .blocks = tensor.data}});
}

}  // namespace terse::gguf
