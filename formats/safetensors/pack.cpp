#include <algorithm>
#include <bit>

#include "formats/encoding.h"
#include "formats/rounding.h"
#include "formats/safetensors/compressed_tensors.h"
#include "formats/stream.h"

namespace terse::safetensors {
namespace {

constexpr int kWordBits = 32;

std::string beside(const std::string& weight, std::string_view suffix) {
  return weight.substr(0, weight.size() - kWeight.size()).append(suffix);
}

/// Zero points of every column of groups, packed down the rows.
void write_zero_points(const AffineEncoding& affine, Sink& sink) {
  const int64_t rows = affine.zero_points.shape()[0], groups = affine.zero_points.shape()[1];
  const auto points = affine.zero_points.values<uint8_t>();
  std::vector<uint32_t> words(static_cast<size_t>(divide_up(rows * affine.bits, kWordBits) * groups));
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t bit = row * affine.bits;
    for (int64_t group = 0; group < groups; ++group) {
      const uint32_t point = points[static_cast<size_t>(row * groups + group)];
      words[static_cast<size_t>(bit / kWordBits * groups + group)] |= point << (bit % kWordBits);
    }
  }
  sink.write(std::as_bytes(std::span(words)));
}

}  // namespace

std::vector<StoredTensor> pack(const std::string& name, const EncodingPtr& weight) {
  static_assert(std::endian::native == std::endian::little);  // words are written as they lie
  const AffineEncoding& affine = *weight->affine();
  const int64_t rows = weight->rows(), columns = weight->columns();
  const int64_t words = divide_up(columns * affine.bits, kWordBits), groups = divide_up(columns, affine.group_columns);
  std::vector<StoredTensor> stored;
  stored.push_back({beside(name, kPacked), DType::i32, {rows, words}, [weight, rows, words](Sink& sink) {
                      stream_padded(weight->affine()->codes, rows, words * 4, sink);
                    }});
  stored.push_back({beside(name, kScale), affine.scale_dtype, {rows, groups}, [weight](Sink& sink) {
                      stream_bytes(weight->affine()->scales, sink);
                    }});
  if (affine.asymmetric) {
    const int64_t point_words = divide_up(rows * affine.bits, kWordBits);
    stored.push_back({beside(name, kZeroPoint), DType::i32, {point_words, groups}, [weight](Sink& sink) {
                        write_zero_points(*weight->affine(), sink);
                      }});
  }
  stored.push_back(stored_tensor(beside(name, kShapeOf), Tensor::of<int64_t>({2}, {rows, columns})));
  return stored;
}

}  // namespace terse::safetensors
