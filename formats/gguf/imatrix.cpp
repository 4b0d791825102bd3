#include "formats/gguf/imatrix.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/byte_reader.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/constants.h"
#include "formats/gguf/reader.h"

// The form of today is a GGUF file with two F32 tensors an entry; dimensions slowest first:
//
//   <name>.in_sum2  [matrices, columns]  sums of squares
//   <name>.counts   [matrices, 1]        rows
//
// and, in terse's full ones, those of products.h.
//
// The old form, all numbers little endian:
//
//   entries         count i32, then as often: name length i32, name, chunks i32, value count i32, values f32, which are
//                   mean squares times chunks
//   end             chunks i32, length i32, the data's name; the oldest files end before it
//
// Source: llama.cpp, tools/imatrix/imatrix.cpp, common/imatrix-loader.cpp.

namespace terse::gguf {
namespace {

namespace fs = std::filesystem;

constexpr float kLargestCount = 9007199254740992.0F;  // 2^53: sums of counts stay exact

void check_square(double value, size_t column) {
  if (!(value >= 0) || std::isinf(value)) {
    throw Error(Kind::input, "column {} is {}, which no sum of squares is", column, value);
  }
}

std::vector<double> to_squares(std::span<const float> values) {
  std::vector<double> squares(values.begin(), values.end());
  for (size_t i = 0; i < squares.size(); ++i) {
    check_square(squares[i], i);
  }
  return squares;
}

/// A file's tensor in the only type that there is.
std::span<const float> floats(const FileTensor& tensor) {
  if (tensor.type != BlockType::f32) {
    throw Error(Kind::input, "tensor '{}' is of type {}, expected F32", tensor.name, name(tensor.type));
  }
  return tensor.data.values<float>();
}

std::vector<int64_t> to_counts(std::span<const float> values) {
  std::vector<int64_t> counts;
  for (const float value : values) {
    const bool is_count = value >= 0 && value <= kLargestCount && value == std::floor(value);
    if (!is_count) {
      throw Error(Kind::input, "a count of {} rows", value);
    }
    counts.push_back(static_cast<int64_t>(value));
  }
  return counts;
}

void check_entry(const ColumnSums& entry) {
  for (int64_t matrix = 0; matrix < entry.matrices(); ++matrix) {
    const auto* row = entry.squares.data() + matrix * entry.columns();
    const bool is_zero = std::all_of(row, row + entry.columns(), [](double sum) { return sum == 0; });
    if (entry.counts[static_cast<size_t>(matrix)] == 0 && !is_zero) {
      throw Error(Kind::input, "matrix {} has seen no rows, and has sums that are not zero", matrix);
    }
  }
}

ColumnSums make_entry(const FileTensor& squares, const FileTensor* counts) {
  if (counts == nullptr) {
    throw Error(Kind::input, "has no tensor of counts");
  }
  ColumnSums entry{.squares = to_squares(floats(squares)), .counts = to_counts(floats(*counts))};
  const auto matrices = static_cast<size_t>(entry.matrices());
  const int64_t columns = squares.shape.empty() ? 1 : squares.shape.back();
  if (entry.squares.empty() || matrices == 0 || entry.squares.size() != matrices * static_cast<size_t>(columns)) {
    throw Error(Kind::input, "sums have shape {} and counts {}, expected [matrices,columns] and [matrices,1]",
                to_string(squares.shape), to_string(counts->shape));
  }
  check_entry(entry);
  return entry;
}

std::string entry_text(std::string_view name) { return fmt::format("entry '{}'", name); }

void read_entries(const File& file, Imatrix& result) {
  for (const FileTensor& tensor : file.tensors) {
    const std::string_view name = tensor.name;
    if (is_of_products(name)) {
      continue;
    }
    const bool is_counts = name.ends_with(kCountsSuffix);
    if (!is_counts && !name.ends_with(kSquaresSuffix)) {
      throw Error(Kind::input, "tensor '{}' belongs to no importance matrix: expected names that end with {} or {}",
                  name, kSquaresSuffix, kCountsSuffix);
    }
    const std::string entry(name.substr(0, name.size() - (is_counts ? kCountsSuffix : kSquaresSuffix).size()));
    const std::string other = entry + std::string(is_counts ? kSquaresSuffix : kCountsSuffix);
    with_context(entry_text(entry), [&] {
      if (!is_counts) {
        result.entries[entry] = make_entry(tensor, file.find(other));
      } else if (file.find(other) == nullptr) {
        throw Error(Kind::input, "has no tensor of sums");
      }
    });
  }
}

std::map<std::string, int64_t, std::less<>> columns_of_matrices(const Imatrix& matrix) {
  std::map<std::string, int64_t, std::less<>> columns;
  for (const auto& [name, entry] : matrix.entries) {
    for (int64_t i = 0; i < entry.matrices(); ++i) {
      columns.emplace(matrix_name(name, i, entry.matrices()), entry.columns());
    }
  }
  return columns;
}

Imatrix from_gguf(const File& file) {
  const auto type = file.metadata.find_string("general.type").value_or("model");
  if (type != "imatrix") {
    throw Error(Kind::input, "general.type is '{}', expected 'imatrix'", type);
  }
  Imatrix result;
  result.chunk_count = file.metadata.find_integer("imatrix.chunk_count").value_or(0);
  result.chunk_size = file.metadata.find_integer("imatrix.chunk_size").value_or(0);
  if (result.chunk_count < 0 || result.chunk_size < 0) {
    throw Error(Kind::input, "says that it is of {} chunks of {} rows", result.chunk_count, result.chunk_size);
  }
  if (const MetadataArray* datasets = file.metadata.find_array("imatrix.datasets")) {
    const auto* names = std::get_if<std::vector<std::string>>(&datasets->values);
    if (names == nullptr) {
      throw Error(Kind::input, "metadata 'imatrix.datasets' is no array of strings");
    }
    result.datasets = *names;
  }
  read_entries(file, result);
  if (result.entries.empty()) {
    throw Error(Kind::input, "holds no entries");
  }
  result.products = read_products(file, columns_of_matrices(result));
  return result;
}

/// A length or count of the old form.
int64_t read_count(ByteReader& reader, std::string_view what, int64_t least) {
  const auto count = reader.number<int32_t>();
  if (count < least) {
    throw Error(Kind::input, "{}: {}, expected at least {}", what, count, least);
  }
  return count;
}

ColumnSums read_dat_entry(ByteReader& reader) {
  ColumnSums entry;
  entry.counts = {read_count(reader, "chunks", 1)};
  const int64_t count = read_count(reader, "values", 1);
  const auto bytes = reader.take(static_cast<uint64_t>(count) * sizeof(float));
  std::vector<float> values(static_cast<size_t>(count));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  entry.squares = to_squares(values);
  return entry;
}

void read_dat_end(ByteReader& reader, Imatrix& result) {
  result.chunk_count = read_count(reader, "chunks", 0);
  const auto name = reader.text(static_cast<uint64_t>(read_count(reader, "bytes of the data's name", 0)));
  if (!name.empty()) {
    result.datasets.emplace_back(name);
  }
  if (!reader.at_end()) {
    throw Error(Kind::input, "goes on at offset {}, where its entries and the data's name end", reader.position());
  }
}

Imatrix from_dat(std::span<const std::byte> bytes) {
  ByteReader reader(bytes);
  Imatrix result;
  result.form = Imatrix::Form::dat;
  const int64_t count =
      with_context("is no importance matrix, or a broken one", [&] { return read_count(reader, "entries", 1); });
  for (int64_t i = 0; i < count; ++i) {
    const std::string name = with_context(fmt::format("the name of entry {} of {}", i, count), [&] {
      return std::string(reader.text(static_cast<uint64_t>(read_count(reader, "bytes", 1))));
    });
    with_context(entry_text(name), [&] {
      if (!result.entries.emplace(name, read_dat_entry(reader)).second) {
        throw Error(Kind::input, "is there twice");
      }
    });
  }
  if (!reader.at_end()) {
    with_context("behind the entries", [&] { read_dat_end(reader, result); });
  }
  return result;
}

bool is_gguf(std::span<const std::byte> file) {
  return file.size() >= kMagic.size() && std::memcmp(file.data(), kMagic.data(), kMagic.size()) == 0;
}

void add(const ColumnSums& more, ColumnSums& sums) {
  if (more.squares.size() != sums.squares.size() || more.counts.size() != sums.counts.size()) {
    throw Error(Kind::input, "{} matrices of {} columns, in the files before it {} of {}", more.matrices(),
                more.columns(), sums.matrices(), sums.columns());
  }
  std::ranges::transform(sums.squares, more.squares, sums.squares.begin(), std::plus<>());
  std::ranges::transform(sums.counts, more.counts, sums.counts.begin(), std::plus<>());
}

void merge(Imatrix more, Imatrix& all) {
  if (more.form != all.form) {
    throw Error(
        Kind::input, "counts {}, the files before it {}: give files of one form (llama-imatrix converts between them)",
        more.form == Imatrix::Form::dat ? "chunks" : "rows", all.form == Imatrix::Form::dat ? "chunks" : "rows");
  }
  merge_products(std::move(more.products), all.products);
  for (auto& [name, entry] : more.entries) {
    const auto [known, is_new] = all.entries.try_emplace(name);
    if (is_new) {
      known->second = std::move(entry);
    } else {
      with_context(entry_text(name), [&, &sums = known->second, &other = entry] { add(other, sums); });
    }
  }
  std::ranges::move(more.datasets, std::back_inserter(all.datasets));
  all.chunk_count += more.chunk_count;
}

}  // namespace

std::vector<float> ColumnSums::means(int64_t matrix) const {
  const auto count = counts[static_cast<size_t>(matrix)];
  std::vector<float> result;
  for (int64_t i = 0; count > 0 && i < columns(); ++i) {
    const double sum = squares[static_cast<size_t>(matrix * columns() + i)];
    result.push_back(static_cast<float>(sum / static_cast<double>(count)));
  }
  return result;
}

Imatrix read_imatrix(const fs::path& path) {
  const auto file = MappedFile::open(path);
  if (!is_gguf(file->bytes())) {
    return with_context(path.string(), [&] { return from_dat(file->bytes()); });
  }
  const File tensors = read(path);
  return with_context(path.string(), [&] { return from_gguf(tensors); });
}

Imatrix read_imatrices(std::span<const fs::path> paths) {
  Imatrix all;
  for (const fs::path& path : paths) {
    Imatrix more = read_imatrix(path);
    if (&path == paths.data()) {
      all = std::move(more);
    } else {
      with_context(path.string(), [&] { merge(std::move(more), all); });
    }
  }
  return all;
}

}  // namespace terse::gguf
