#include "formats/stream.h"

#include <algorithm>
#include <vector>

#include "formats/error.h"
#include "formats/transpose.h"

namespace terse {
namespace {

constexpr int64_t kSliceBytes = int64_t{8} << 20;     // of mapped pages that are held at once
constexpr int64_t kDecodedBytes = int64_t{32} << 20;  // of a tile; a second buffer of its size may exist beside it

std::span<const std::byte> slice(const Tensor& tensor, int64_t offset, int64_t length) {
  return tensor.bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
}

template <typename T>
void transpose_matrix(const Tensor& tensor, int64_t offset, int64_t rows, int64_t columns, Sink& sink) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  const int64_t step = std::clamp(kDecodedBytes / std::max<int64_t>(rows * kSize, 1), int64_t{1}, columns);
  std::vector<std::byte> tile(static_cast<size_t>(step * rows * kSize));
  const int64_t matrix_bytes = rows * columns * kSize;
  for (int64_t first = 0; first < columns; first += step) {
    const int64_t count = std::min(step, columns - first);
    transpose<T>({slice(tensor, offset, matrix_bytes).data() + first * kSize, columns}, rows, count,
                 {tile.data(), rows});
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
  const TransposeMatrix write = transpose_for(element_bytes);
  for (int64_t matrix = 0; matrix < t.matrices; ++matrix) {
    write(tensor, matrix * t.rows * t.columns * element_bytes, t.rows, t.columns, sink);
  }
}

void stream_dense(const Encoding& encoding, MatrixOrder order, Sink& sink) {
  const DenseEncoding& dense = *encoding.dense();
  if (dense.transposed == (order == MatrixOrder::in_out)) {
    return stream_bytes(dense.values, sink);
  }
  const Shape lies = dense.transposed ? swap_last_two(encoding.shape) : encoding.shape;
  const int64_t rows = lies[lies.size() - 2], columns = lies.back();
  const int64_t count = encoding.rows() * encoding.columns();
  stream_transposed(dense.values,
                    {.matrices = count == 0 ? 0 : count / (rows * columns), .rows = rows, .columns = columns}, sink);
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

}  // namespace terse
