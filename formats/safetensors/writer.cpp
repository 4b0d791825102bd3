#include "formats/safetensors/writer.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <tuple>

#include "formats/error.h"
#include "formats/rounding.h"
#include "formats/safetensors/dtypes.h"
#include "formats/safetensors/header.h"

namespace terse::safetensors {
namespace {

using Positions = std::vector<size_t>;
using Tensors = std::span<const StoredTensor>;

std::string quoted(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::type_error&) {
    throw Error(Kind::input, "the text is not UTF-8");
  }
}

/// A tensor's member of the header.
std::string entry(const StoredTensor& tensor, int64_t begin, int64_t end) {
  return fmt::format(R"({}:{{"{}":"{}","{}":[{}],"{}":[{},{}]}})", quoted(tensor.name), kDType, name_of(tensor.dtype),
                     kShape, fmt::join(tensor.shape, ","), kDataOffsets, begin, end);
}

std::string metadata_entry(const FileOptions& options) {
  auto metadata = options.metadata;
  metadata.try_emplace("format", "pt");
  std::string members;
  for (const auto& [name, text] : metadata) {
    members += fmt::format("{}{}:{}", members.empty() ? "" : ",", quoted(name), quoted(text));
  }
  return fmt::format("\"{}\":{{{}}}", kMetadata, members);
}

/// No less than the tensor adds to its file, whatever comes before it.
int64_t most_bytes(const StoredTensor& tensor) {
  const int64_t data = data_bytes(tensor.dtype, tensor.shape);
  return data + std::ssize(entry(tensor, INT64_MAX, INT64_MAX)) + 1;
}

void check_names(Tensors tensors) {
  std::set<std::string_view> names;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.name.empty() || tensor.name == kMetadata || !names.insert(tensor.name).second) {
      throw Error(Kind::input, "a tensor cannot be called '{}'{}", tensor.name,
                  names.contains(tensor.name) ? ": another one is" : "");
    }
  }
}

/// Which tensors share a file.
std::vector<Positions> split(Tensors tensors, const FileOptions& options) {
  const int64_t empty_bytes = kLengthBytes + std::ssize(metadata_entry(options)) + 2 + kHeaderAlignment;
  std::vector<Positions> shards(1);
  int64_t bytes = empty_bytes;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const int64_t more =
        with_context(fmt::format("tensor '{}'", tensors[i].name), [&] { return most_bytes(tensors[i]); });
    if (!shards.back().empty() && bytes + more > options.largest_bytes) {
      shards.emplace_back();
      bytes = empty_bytes;
    }
    shards.back().push_back(i);
    bytes += more;
  }
  return shards;
}

void sort_as_huggingface(Positions& positions, Tensors tensors) {
  std::ranges::sort(positions, {}, [&](size_t i) {
    return std::tuple(-rank_of(tensors[i].dtype), std::string_view(tensors[i].name));
  });
}

std::string head_of(std::string header) {
  const int64_t padded = divide_up(std::ssize(header), kHeaderAlignment) * kHeaderAlignment;
  if (padded > kLargestHeaderBytes) {
    throw Error(Kind::unsupported, "a header of {} bytes, expected at most {}: write smaller shards", padded,
                kLargestHeaderBytes);
  }
  header.resize(static_cast<size_t>(padded), ' ');
  std::string head;
  for (int64_t i = 0; i < kLengthBytes; ++i) {
    head += static_cast<char>(padded >> 8 * i & 0xff);
  }
  return head + header;
}

PlannedFile plan_file(Positions positions, Tensors tensors, const FileOptions& options) {
  sort_as_huggingface(positions, tensors);
  std::string header = "{" + metadata_entry(options);
  int64_t data = 0;
  for (const size_t i : positions) {
    const int64_t begin = data;
    data += data_bytes(tensors[i].dtype, tensors[i].shape);
    header += "," + entry(tensors[i], begin, data);
  }
  PlannedFile file{.head = head_of(header + "}"), .tensors = std::move(positions)};
  file.bytes = std::ssize(file.head) + data;
  return file;
}

PlannedFile plan_index(std::span<const PlannedFile> files, Tensors tensors) {
  nlohmann::json index;
  int64_t total_size = 0;
  for (const PlannedFile& file : files) {
    total_size += file.bytes - std::ssize(file.head);
    for (const size_t i : file.tensors) {
      index["weight_map"][tensors[i].name] = file.name;
    }
  }
  index["metadata"]["total_size"] = total_size;
  PlannedFile planned{.name = "model.safetensors.index.json", .head = index.dump(2) + "\n"};
  planned.bytes = std::ssize(planned.head);
  return planned;
}

/// Passes bytes on and counts them.
class CountingSink : public Sink {
 public:
  explicit CountingSink(Sink& to) : to_(to) {}
  using Sink::write;
  void write(std::span<const std::byte> bytes) override {
    count_ += std::ssize(bytes);
    to_.write(bytes);
  }
  int64_t count() const { return count_; }

 private:
  Sink& to_;
  int64_t count_ = 0;
};

}  // namespace

std::vector<PlannedFile> plan_files(Tensors tensors, const FileOptions& options) {
  check_names(tensors);
  std::vector<PlannedFile> files;
  for (Positions& positions : split(tensors, options)) {
    files.push_back(plan_file(std::move(positions), tensors, options));
  }
  if (files.size() == 1) {
    files[0].name = "model.safetensors";
    return files;
  }
  for (size_t i = 0; i < files.size(); ++i) {
    files[i].name = fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, files.size());
  }
  files.push_back(plan_index(files, tensors));
  return files;
}

void write_file(const PlannedFile& file, Tensors tensors, Sink& sink) {
  sink.write(std::string_view(file.head));
  for (const size_t i : file.tensors) {
    const StoredTensor& tensor = tensors[i];
    CountingSink counting(sink);
    tensor.write(counting);
    const int64_t planned = data_bytes(tensor.dtype, tensor.shape);
    if (counting.count() != planned) {
      throw Error(Kind::internal, "tensor '{}' gave {} bytes, planned were {}", tensor.name, counting.count(), planned);
    }
  }
}

void write_files(std::span<const PlannedFile> files, Tensors tensors, const std::filesystem::path& folder) {
  std::vector<std::unique_ptr<AtomicFile>> written;
  for (const PlannedFile& file : files) {
    written.push_back(std::make_unique<AtomicFile>(folder / file.name));
    write_file(file, tensors, *written.back());
  }
  for (const auto& file : written) {
    file->commit();
  }
}

}  // namespace terse::safetensors
