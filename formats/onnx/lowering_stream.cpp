#include "formats/onnx/lowering_stream.h"

#include <algorithm>
#include <cassert>
#include <vector>

namespace terse::onnx {
namespace {

constexpr int64_t kDecodedBytes = int64_t{32} << 20;  // of codes at once

/// Codes of a matrix [rows, columns] in the order in which they are written.
class Integers {
 public:
  Integers(const Encoding& weight, bool transposed)
      : affine_(*weight.affine()),
        rows_(weight.shape.size() < 2 ? 1 : weight.shape[weight.shape.size() - 2]),
        columns_(weight.columns()),
        row_bytes_(packed_row_bytes(columns_, affine_.bits)),
        transposed_(transposed),
        flip_(static_cast<uint8_t>(affine_.asymmetric ? 0 : 1 << (affine_.bits - 1))) {}

  int64_t count() const { return rows_ * columns_; }

  /// Numbers [first, first + out.size()) of matrix `matrix`. In two's complement, subtracting 2^(bits-1) flips the top
  /// bit.
  void read(int64_t matrix, int64_t first, std::span<uint8_t> out) const {
    const auto* codes = reinterpret_cast<const uint8_t*>(affine_.codes.bytes().data()) + matrix * rows_ * row_bytes_;
    int64_t line = first / line_length();
    int64_t place = first % line_length();
    for (uint8_t& number : out) {
      const int64_t row = transposed_ ? place : line;
      const int64_t column = transposed_ ? line : place;
      number = unpack_code(codes + row * row_bytes_, column, affine_.bits) ^ flip_;
      if (++place == line_length()) {
        place = 0;
        ++line;
      }
    }
  }

 private:
  int64_t line_length() const { return transposed_ ? rows_ : columns_; }

  const AffineEncoding& affine_;
  int64_t rows_, columns_, row_bytes_;
  bool transposed_;
  uint8_t flip_;
};

}  // namespace

void stream_zero_points(const AffineEncoding& affine, int64_t rows, int64_t blocks, Sink& sink) {
  const auto points = affine.zero_points.values<uint8_t>();
  const auto groups = affine.zero_points.shape().back();
  std::vector<uint8_t> line(static_cast<size_t>(blocks));
  std::vector<uint8_t> packed(static_cast<size_t>(packed_row_bytes(blocks, affine.bits)));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t first = row / affine.group_rows * groups;
    for (int64_t block = 0; block < blocks; ++block) {
      line[static_cast<size_t>(block)] = points[static_cast<size_t>(first + (groups == 1 ? 0 : block))];
    }
    pack_codes(line, affine.bits, packed);
    sink.write(std::as_bytes(std::span(packed)));
  }
}

void stream_integers(const Encoding& weight, bool transposed, Sink& sink) {
  const Integers integers(weight, transposed);
  const int64_t matrices = integers.count() == 0 ? 0 : weight.rows() * weight.columns() / integers.count();
  const int bits = weight.affine()->bits;
  // A multiple of 4 codes ends at a byte; only the last piece of the last matrix may not.
  assert(matrices <= 1 || integers.count() * bits % 8 == 0);
  std::vector<uint8_t> numbers(static_cast<size_t>(std::min(integers.count(), kDecodedBytes / 4 * 4)));
  std::vector<uint8_t> packed;
  for (int64_t matrix = 0; matrix < matrices; ++matrix) {
    for (int64_t first = 0; first < integers.count(); first += static_cast<int64_t>(numbers.size())) {
      const auto count = std::min<int64_t>(integers.count() - first, static_cast<int64_t>(numbers.size()));
      const auto piece = std::span(numbers).first(static_cast<size_t>(count));
      integers.read(matrix, first, piece);
      packed.resize(static_cast<size_t>(packed_row_bytes(count, bits)));
      pack_codes(piece, bits, packed);
      sink.write(std::as_bytes(std::span(packed)));
    }
  }
  weight.affine()->codes.release_pages();
}

}  // namespace terse::onnx
