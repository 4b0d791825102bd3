#include "formats/onnx/lowering_stream.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <vector>

#include "formats/error.h"

namespace terse::onnx {
namespace {

constexpr int64_t kSliceBytes = int64_t{8} << 20;     // of mapped pages that are held at once
constexpr int64_t kDecodedBytes = int64_t{32} << 20;  // of a tile; a second buffer of its size may exist beside it

std::span<const std::byte> slice(const Tensor& tensor, int64_t offset, int64_t length) {
  return tensor.bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
}

/// out[c, r] = in[r, c] for c in [first, first + count). Tiles of 16 rows keep the writes of a cache line together.
template <typename T>
void transpose_columns(const std::byte* in, int64_t rows, int64_t columns, int64_t first, int64_t count,
                       std::byte* out) {
  constexpr int64_t kTile = 16;
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  for (int64_t row_tile = 0; row_tile < rows; row_tile += kTile) {
    const int64_t row_end = std::min(row_tile + kTile, rows);
    for (int64_t c = 0; c < count; ++c) {
      for (int64_t r = row_tile; r < row_end; ++r) {
        std::memcpy(out + (c * rows + r) * kSize, in + (r * columns + first + c) * kSize, sizeof(T));
      }
    }
  }
}

template <typename T>
void transpose_matrix(const Tensor& tensor, int64_t offset, int64_t rows, int64_t columns, Sink& sink) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  const int64_t step = std::clamp(kDecodedBytes / std::max<int64_t>(rows * kSize, 1), int64_t{1}, columns);
  std::vector<std::byte> tile(static_cast<size_t>(step * rows * kSize));
  const int64_t matrix_bytes = rows * columns * kSize;
  for (int64_t first = 0; first < columns; first += step) {
    const int64_t count = std::min(step, columns - first);
    transpose_columns<T>(slice(tensor, offset, matrix_bytes).data(), rows, columns, first, count, tile.data());
    tensor.release_pages(offset, matrix_bytes);
    sink.write(std::span(tile).first(static_cast<size_t>(count * rows * kSize)));
  }
}

using TransposeMatrix = void (*)(const Tensor&, int64_t, int64_t, int64_t, Sink&);

TransposeMatrix transpose_for(int64_t element_bytes) {
  switch (element_bytes) {
    case 1:
      return transpose_matrix<uint8_t>;
    case 2:
      return transpose_matrix<uint16_t>;
    case 4:
      return transpose_matrix<uint32_t>;
    case 8:
      return transpose_matrix<uint64_t>;
    default:
      throw Error(Kind::internal, "no transposition of elements of {} bytes", element_bytes);
  }
}

/// Codes of a matrix [rows, columns] in the order in which they are written.
class Integers {
 public:
  Integers(const Encoding& weight, bool transposed)
      : affine_(*weight.affine()),
        rows_(weight.shape.size() < 2 ? 1 : weight.shape[weight.shape.size() - 2]),
        columns_(weight.columns()),
        row_bytes_((columns_ * affine_.bits + 7) / 8),
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

void stream_bytes(const Tensor& tensor, Sink& sink) {
  const auto size = static_cast<int64_t>(tensor.bytes().size());
  for (int64_t offset = 0; offset < size; offset += kSliceBytes) {
    const int64_t length = std::min(kSliceBytes, size - offset);
    sink.write(slice(tensor, offset, length));
    tensor.release_pages(offset, length);
  }
}

void stream_transposed(const Tensor& tensor, const Transposition& t, Sink& sink) {
  const int64_t element_bytes = packed_bytes(tensor.dtype(), 1);
  const TransposeMatrix transpose = transpose_for(element_bytes);
  for (int64_t matrix = 0; matrix < t.matrices; ++matrix) {
    transpose(tensor, matrix * t.rows * t.columns * element_bytes, t.rows, t.columns, sink);
  }
}

void stream_padded(const Tensor& codes, int64_t rows, int64_t row_bytes, Sink& sink) {
  const auto size = static_cast<int64_t>(codes.bytes().size());
  if (size == rows * row_bytes) {
    return stream_bytes(codes, sink);
  }
  const int64_t used = size / rows;
  const std::vector<std::byte> zeros(static_cast<size_t>(row_bytes - used));
  int64_t released = 0;
  for (int64_t row = 0; row < rows; ++row) {
    sink.write(slice(codes, row * used, used));
    sink.write(zeros);
    if ((row + 1) * used - released >= kSliceBytes) {
      codes.release_pages(released, (row + 1) * used - released);
      released = (row + 1) * used;
    }
  }
  codes.release_pages(released, size - released);
}

void stream_zero_points(const AffineEncoding& affine, int64_t rows, int64_t blocks, Sink& sink) {
  const auto points = affine.zero_points.values<uint8_t>();
  const auto groups = affine.zero_points.shape().back();
  std::vector<uint8_t> line(static_cast<size_t>(blocks));
  std::vector<uint8_t> packed(static_cast<size_t>((blocks * affine.bits + 7) / 8));
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
      packed.resize(static_cast<size_t>((count * bits + 7) / 8));
      pack_codes(piece, bits, packed);
      sink.write(std::as_bytes(std::span(packed)));
    }
  }
  weight.affine()->codes.release_pages();
}

}  // namespace terse::onnx
