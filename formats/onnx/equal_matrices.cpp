#include "formats/onnx/equal_matrices.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace terse::onnx {
namespace {

constexpr int64_t kSamples = 8;

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
  bool is_stored_transposed() const { return dense_.transposed; }
  const std::byte* data() const { return dense_.values.bytes().data(); }
  void release_pages() const { dense_.values.release_pages(); }

  const std::byte* at(int64_t matrix, int64_t r, int64_t c) const {
    const int64_t inside = dense_.transposed ? c * rows_ + r : r * columns_ + c;
    return data() + (matrix * rows_ * columns_ + inside) * size_;
  }

 private:
  const DenseEncoding& dense_;
  int64_t rows_, columns_, matrices_, size_;
};

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 29);
}

/// The place of sample k in [0, size): spread out, and not in a line.
int64_t place(int64_t sample, int64_t size, int64_t stride) { return sample * stride % kSamples * size / kSamples; }

/// Samples the matrix or its transpose.
uint64_t hash_of(const Bits& bits, Likeness orientation) {
  uint64_t hash = 0;
  for (int64_t k = 0; k < kSamples; ++k) {
    const bool is_same = orientation == Likeness::same;
    const int64_t r =
        place(k, is_same ? bits.rows() : bits.columns(), 3) + (is_same ? bits.rows() : bits.columns()) / 16;
    const int64_t c = place(k, is_same ? bits.columns() : bits.rows(), 5);
    uint64_t value = 0;
    const std::byte* at = bits.at(place(k, bits.matrices(), 7), is_same ? r : c, is_same ? c : r);
    std::memcpy(&value, at, static_cast<size_t>(bits.size()));
    hash = mix(hash, value);
  }
  return hash;
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

/// One tile of a against one of b (or of its transpose): small enough that both stay in the cache.
bool equal_tile(const Bits& a, const Bits& b, Likeness likeness, std::array<int64_t, 3> corner) {
  constexpr int64_t kTile = 32;
  const auto [matrix, first_row, first_column] = corner;
  const auto size = static_cast<size_t>(a.size());
  for (int64_t r = first_row; r < std::min(first_row + kTile, a.rows()); ++r) {
    for (int64_t c = first_column; c < std::min(first_column + kTile, a.columns()); ++c) {
      const std::byte* other = likeness == Likeness::same ? b.at(matrix, r, c) : b.at(matrix, c, r);
      if (std::memcmp(a.at(matrix, r, c), other, size) != 0) {
        return false;
      }
    }
  }
  return true;
}

/// Strips of rows as wide as a page, so that whichever of the two is stored across is read a page at a time, once.
bool equal_across(const Bits& a, const Bits& b, Likeness likeness) {
  constexpr int64_t kStrip = 1024, kTile = 32;
  for (int64_t matrix = 0; matrix < a.matrices(); ++matrix) {
    for (int64_t strip = 0; strip < a.rows(); strip += kStrip) {
      for (int64_t c = 0; c < a.columns(); c += kTile) {
        for (int64_t r = strip; r < std::min(strip + kStrip, a.rows()); r += kTile) {
          if (!equal_tile(a, b, likeness, {matrix, r, c})) {
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
  return in_order ? equal_in_order(a, b) : equal_across(a, b, likeness);
}

}  // namespace

uint64_t sampled_hash(const Encoding& encoding) {
  const Bits bits(encoding);
  const uint64_t same = hash_of(bits, Likeness::same), transposed = hash_of(bits, Likeness::transposed);
  bits.release_pages();
  return mix(std::min(same, transposed), std::max(same, transposed));
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
