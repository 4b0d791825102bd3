#include "formats/safetensors/reader.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/json_fields.h"
#include "formats/safetensors/dtypes.h"
#include "formats/safetensors/header.h"
#include "formats/shards.h"

namespace terse::safetensors {
namespace {

using Bytes = std::span<const std::byte>;

struct Parts {
  std::string_view header;
  Bytes data;
};

/// Where a tensor lies in the data.
struct Place {
  int64_t begin = 0, end = 0;
  std::string_view name;
};

Parts split(Bytes file) {
  if (std::ssize(file) < kLengthBytes) {
    throw Error(Kind::input, "{} bytes, expected at least the {} of the header's length", file.size(), kLengthBytes);
  }
  uint64_t length = 0;
  for (int64_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | std::to_integer<uint64_t>(file[static_cast<size_t>(i)]);
  }
  const Bytes rest = file.subspan(kLengthBytes);
  if (length > static_cast<uint64_t>(kLargestHeaderBytes)) {
    throw Error(Kind::input, "a header of {} bytes, expected at most {}: is this a safetensors file?", length,
                kLargestHeaderBytes);
  }
  if (length > rest.size()) {
    throw Error(Kind::input, "a header of {} bytes is past the end of the file ({} bytes)", length, file.size());
  }
  return {{reinterpret_cast<const char*>(rest.data()), length}, rest.subspan(length)};
}

void read_metadata(const JsonField& root, NamedTensors& out) {
  const auto metadata = root.find(kMetadata);
  if (!metadata) {
    return;
  }
  metadata->object_size();
  for (const auto& [name, value] : metadata->value().items()) {
    out.metadata[name] = JsonField(value, fmt::format("{}.{}", kMetadata, name)).text();
  }
}

std::vector<int64_t> whole_numbers(const JsonField& array) {
  std::vector<int64_t> numbers(array.array_size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    numbers[i] = array.at(i).whole(0, INT64_MAX);
  }
  return numbers;
}

Place read_place(const JsonField& entry, int64_t data_size) {
  const auto offsets = whole_numbers(entry.get(kDataOffsets));
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_size) {
    throw Error(Kind::input, "{} [{}], expected a begin and an end inside the {} bytes of data", kDataOffsets,
                fmt::join(offsets, ","), data_size);
  }
  return {offsets[0], offsets[1], {}};
}

Tensor read_tensor(const JsonField& entry, const Place& place, Bytes data,
                   const std::shared_ptr<const MappedFile>& file) {
  const DType dtype = dtype_of(entry.text(kDType));
  Shape shape = whole_numbers(entry.get(kShape));
  data_bytes(dtype, shape);
  const Bytes bytes = data.subspan(static_cast<size_t>(place.begin), static_cast<size_t>(place.end - place.begin));
  return tensor_of_file(dtype, std::move(shape), bytes, file);
}

/// Every byte of data belongs to one tensor.
void check_places(std::vector<Place> places, int64_t data_size) {
  std::ranges::sort(places, {}, [](const Place& place) { return std::pair(place.begin, place.end); });
  Place last;
  for (const Place& place : places) {
    if (place.begin != last.end) {
      throw Error(Kind::input, "tensor '{}' begins at byte {} of the data, expected {}, the end of {}", place.name,
                  place.begin, last.end, last.name.empty() ? "the header" : fmt::format("tensor '{}'", last.name));
    }
    last = place;
  }
  if (last.end != data_size) {
    throw Error(Kind::input, "{} bytes of data, but the tensors end at byte {}", data_size, last.end);
  }
}

NamedTensors read_mapped(const std::shared_ptr<const MappedFile>& file) {
  check_not_pointer(file->bytes());
  const auto [header, data] = split(file->bytes());
  if (!header.starts_with('{')) {
    throw Error(Kind::input, "the header does not begin with '{{': is this a safetensors file?");
  }
  constexpr int kDepth = 3;  // the numbers of a shape
  const nlohmann::json document = parse_json_strictly(header, kDepth);

  NamedTensors out{.files = {file->path()}, .file_bytes = std::ssize(file->bytes())};
  read_metadata(JsonField(document, ""), out);
  std::vector<Place> places;
  for (const auto& [name, value] : document.items()) {
    if (name == kMetadata) {
      continue;
    }
    with_context(fmt::format("tensor '{}'", name), [&, &tensor = name, &entry = value] {
      if (tensor.empty()) {
        throw Error(Kind::input, "the name is empty");
      }
      Place place = read_place(JsonField(entry, ""), std::ssize(data));
      const auto [added, is_new] = out.tensors.emplace(tensor, read_tensor(JsonField(entry, ""), place, data, file));
      place.name = added->first;
      places.push_back(place);
    });
  }
  check_places(std::move(places), std::ssize(data));
  return out;
}

}  // namespace

NamedTensors read(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return with_context(path.string(), [&] { return read_mapped(file); });
}

NamedTensors read_sharded(const std::filesystem::path& index) { return read_shards(index, read); }

}  // namespace terse::safetensors
