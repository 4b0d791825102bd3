#include "calibration/ops/arguments.h"
#include "calibration/ops/gather.h"
#include "calibration/ops/op.h"
#include "calibration/ops/quantization.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

/// Codes packed along the last dimension, the first in the low bits; of each row the first `columns` are taken.
Tensor unpack_rows(const Tensor& packed, int bits, int64_t columns) {
  const int64_t row_bytes = packed.shape().back();
  Shape shape = packed.shape();
  shape.back() = columns;
  Tensor codes = Tensor::uninitialized(DType::u8, shape);
  const auto out = codes.mutable_values<uint8_t>();
  for (int64_t row = 0; row * columns < codes.count(); ++row) {
    unpack_codes(packed.values<uint8_t>().subspan(static_cast<size_t>(row * row_bytes), static_cast<size_t>(row_bytes)),
                 bits, out.subspan(static_cast<size_t>(row * columns), static_cast<size_t>(columns)));
  }
  return codes;
}

int get_bits(const OpCall& call) {
  const int64_t bits = call.node.get_int("bits", 4);
  if (bits != 2 && bits != 4 && bits != 8) {
    throw Error(Kind::unsupported, "{} bits, expected 2, 4 or 8", bits);
  }
  return static_cast<int>(bits);
}

/// Which entries are asked for: those of one table after the other (data, scales, zero points).
struct Entries {
  int64_t axis = 0;
  std::vector<int64_t> indices;
  Shape index_shape;

  Tensor of(const Tensor& table) const {
    Shape shape = table.shape();
    shape.erase(shape.begin() + axis);
    shape.insert(shape.begin() + axis, index_shape.begin(), index_shape.end());
    return move_elements(table, [&](const Tensor& data) { return take(data, axis, indices, shape); });
  }
};

Entries get_entries(const OpCall& call, const Tensor& data) {
  const Tensor& indices = call.input(1);
  Entries entries{.axis = get_axis(call.node.get_int("gather_axis", 0), data.rank()),
                  .indices = to_int64s(indices),
                  .index_shape = indices.shape()};
  for (int64_t& index : entries.indices) {
    index = get_index(index, data.shape()[static_cast<size_t>(entries.axis)]);
  }
  return entries;
}

/// Without zero points, packed codes lie around the middle of their range.
Tensor middle(const Tensor& scales, int bits) {
  Tensor zero_points = Tensor::uninitialized(DType::u8, scales.shape());
  std::ranges::fill(zero_points.mutable_values<uint8_t>(), static_cast<uint8_t>(1 << (bits - 1)));
  return zero_points;
}

void check_tables(const Tensor& data, const Tensor& table, int64_t gather_axis, int64_t quantize_axis) {
  const auto axis = static_cast<size_t>(gather_axis);
  if (gather_axis == quantize_axis || table.rank() != data.rank() || table.shape()[axis] != data.shape()[axis]) {
    throw Error(Kind::unsupported, "a table of shape {} for data of shape {}, gathered along {}, in blocks along {}",
                to_string(table.shape()), to_string(data.shape()), gather_axis, quantize_axis);
  }
}

}  // namespace

/// Rows of a table of quantized numbers: gathered first, then dequantized. An index out of range is an error here;
/// onnxruntime gives zeros.
std::vector<Tensor> gather_block_quantized(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor& scale_table = call.input(2);
  const Tensor* zero_table = call.find_input(3);
  const int64_t quantize_axis = get_axis(call.node.get_int("quantize_axis", 1), data.rank());
  const Entries entries = get_entries(call, data);
  check_tables(data, scale_table, entries.axis, quantize_axis);
  Tensor codes = entries.of(data);
  const Tensor scales = entries.of(scale_table);
  Tensor zero_points;
  if (zero_table != nullptr) {
    check_tables(data, *zero_table, entries.axis, quantize_axis);
    zero_points = entries.of(*zero_table);
  }
  if (data.dtype() == DType::u8) {
    const int bits = get_bits(call);
    if (entries.axis == data.rank() - 1) {
      throw Error(Kind::unsupported, "packed codes gathered along the axis that they are packed along");
    }
    codes = unpack_rows(codes, bits, codes.shape().back() * (8 / bits));
    const int64_t blocks = scales.shape().back();
    if (zero_table != nullptr && zero_points.shape().back() != packed_row_bytes(blocks, bits)) {
      throw Error(Kind::input, "zero points of shape {} for scales of shape {}", to_string(zero_table->shape()),
                  to_string(scale_table.shape()));
    }
    zero_points = zero_table != nullptr ? unpack_rows(zero_points, bits, blocks) : middle(scales, bits);
  }
  const int64_t axis =
      quantize_axis < entries.axis ? quantize_axis : quantize_axis - 1 + std::ssize(entries.index_shape);
  const ScaleGrid grid(codes.shape(), scales.shape(), axis, call.node.get_int("block_size", 128));
  const Tensor values = dequantize(codes, scales, zero_points.empty() ? nullptr : &zero_points, grid);
  return {from_f32(values, scales.dtype())};
}

}  // namespace terse::calibration::ops
