#include "formats/onnx/equal_matrices.h"

#include <algorithm>
#include <cstring>

namespace terse::onnx {
namespace {

constexpr int64_t kSamples = 3;  // each is a page fault; unequal matrices with equal samples only cost a comparison
constexpr int64_t kTile = 32;

/// A dense encoding's numbers as bit patterns at logical places.
class Bits {
 public:
  explicit Bits(const Encoding& encoding)
      : dense_(*encoding.dense()),
        rows_(encoding.shape[encoding.shape.size() - 2]),
        columns_(encoding.columns()),
        matrices_(encoding.rows() / rows_),
        size_(row(dense_.dtype).bits / 8) {}

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t matrices() const { return matrices_; }
  int64_t size() const { return size_; }
  DType dtype() const { return dense_.dtype; }
  /// Dimensions as the numbers lie.
  int64_t stored_rows() const { return dense_.transposed ? columns_ : rows_; }
  int64_t stored_columns() const { return dense_.transposed ? rows_ : columns_; }
  bool is_stored_transposed() const { return dense_.transposed; }
  const std::byte* data() const { return dense_.values.bytes().data(); }
  void release_pages() const { dense_.values.release_pages(); }

  const std::byte* at(int64_t matrix, int64_t row, int64_t column) const {
    return data() + ((matrix * stored_rows() + row) * stored_columns() + column) * size_;
  }

 private:
  const DenseEncoding& dense_;
  int64_t rows_, columns_, matrices_, size_;
};

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 29);
}

bool equal_in_order(const Bits& a, const Bits& b) {
  constexpr int64_t kChunkBytes = int64_t{1} << 24;
  const int64_t total = a.matrices() * a.rows() * a.columns() * a.size();
  for (int64_t offset = 0; offset < total; offset += kChunkBytes) {
    const int64_t length = std::min(kChunkBytes, total - offset);
    if (std::memcmp(a.data() + offset, b.data() + offset, static_cast<size_t>(length)) != 0) {
      return false;
    }
    a.release_pages();
    b.release_pages();
  }
  return true;
}

template <typename T>
T load(const std::byte* at) {
  T bits;
  std::memcpy(&bits, at, sizeof(T));
  return bits;
}

struct Corner {
  int64_t matrix = 0, row = 0, column = 0;
};

/// A tile of `a` as it lies against the one of `b` that is its transpose: small enough that both stay in the cache.
template <typename T>
bool equal_tile(const Bits& a, const Bits& b, const Corner& corner) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  const int64_t rows = std::min(kTile, a.stored_rows() - corner.row);
  const int64_t columns = std::min(kTile, a.stored_columns() - corner.column);
  T difference = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const std::byte* along = a.at(corner.matrix, corner.row + r, corner.column);
    const std::byte* across = b.at(corner.matrix, corner.column, corner.row + r);
    for (int64_t c = 0; c < columns; ++c) {
      const T x = load<T>(along + c * kSize), y = load<T>(across + c * b.stored_columns() * kSize);
      difference = static_cast<T>(difference | (x ^ y));
    }
  }
  return difference == 0;
}

using EqualTile = bool (*)(const Bits&, const Bits&, const Corner&);

EqualTile tile_comparison(int64_t element_bytes) {
  switch (element_bytes) {
    case 1:
      return equal_tile<uint8_t>;
    case 2:
      return equal_tile<uint16_t>;
    case 4:
      return equal_tile<uint32_t>;
    default:
      return equal_tile<uint64_t>;
  }
}

/// Strips of rows, as many as the numbers of `b` that a page fault maps (16 pages): all of them are read before they
/// are given back.
bool equal_across(const Bits& a, const Bits& b) {
  constexpr int64_t kStripBytes = int64_t{16} * 4096;
  const EqualTile equal = tile_comparison(a.size());
  const int64_t strip = kStripBytes / a.size();
  for (Corner at; at.matrix < a.matrices(); ++at.matrix) {
    for (int64_t first = 0; first < a.stored_rows(); first += strip) {
      const int64_t end = std::min(first + strip, a.stored_rows());
      for (at.column = 0; at.column < a.stored_columns(); at.column += kTile) {
        for (at.row = first; at.row < end; at.row += kTile) {
          if (!equal(a, b, at)) {
            return false;
          }
        }
      }
      a.release_pages();
      b.release_pages();
    }
  }
  return true;
}

bool equal_as(const Bits& a, const Bits& b, Likeness likeness) {
  const bool is_same = likeness == Likeness::same;
  if (a.rows() != (is_same ? b.rows() : b.columns()) || a.columns() != (is_same ? b.columns() : b.rows())) {
    return false;
  }
  const bool in_order = (a.is_stored_transposed() == b.is_stored_transposed()) == is_same;
  if (in_order && a.data() == b.data()) {
    return true;
  }
  return in_order ? equal_in_order(a, b) : equal_across(a, b);
}

}  // namespace

uint64_t sampled_hash(const Encoding& encoding) {
  const Bits bits(encoding);
  const int64_t side = std::min(bits.rows(), bits.columns());
  uint64_t hash = 0;
  for (int64_t k = 0; k < kSamples; ++k) {
    const int64_t place = (2 * k + 1) * side / (2 * kSamples);
    uint64_t value = 0;
    std::memcpy(&value, bits.at(k % bits.matrices(), place, place), static_cast<size_t>(bits.size()));
    hash = mix(hash, value);
  }
  bits.release_pages();
  return hash;
}

std::optional<Likeness> compare(const Encoding& a, const Encoding& b) {
  const Bits first(a), second(b);
  if (first.dtype() != second.dtype() || first.matrices() != second.matrices()) {
    return std::nullopt;
  }
  std::optional<Likeness> result;
  for (const Likeness likeness : {Likeness::same, Likeness::transposed}) {
    if (equal_as(first, second, likeness)) {
      result = likeness;
      break;
    }
  }
  first.release_pages();
  second.release_pages();
  return result;
}

}  // namespace terse::onnx
