#include "formats/onnx/lowering_context.h"
#include "formats/onnx/lowering_stream.h"

namespace terse::onnx {
namespace {

/// [.., out, last], or [1, .., 1, last] if all rows share.
Shape row_shape(const Weight& weight, int64_t last) {
  Shape shape = weight.encoding->shape;
  if (weight.affine().group_rows > 1) {
    std::fill(shape.begin(), shape.end(), 1);
  }
  shape.back() = last;
  return shape;
}

int64_t group_count(const Weight& weight) { return divide_up(weight.columns(), weight.affine().group_columns); }

}  // namespace

int64_t zero_point_blocks(const Weight& weight) {
  return weight.packing == Packing::blocks ? divide_up(weight.columns(), weight.block) : group_count(weight);
}

void store_scales(Context& context, Weight& weight) {
  const EncodingPtr encoding = weight.encoding;
  weight.scales =
      context.store_beside(weight, "_scales", weight.affine().scale_dtype, row_shape(weight, group_count(weight)),
                           [=](Sink& sink) { stream_bytes(encoding->affine()->scales, sink); });
  if (!weight.affine().asymmetric) {
    return;
  }
  const int64_t blocks = zero_point_blocks(weight);
  Shape dims = row_shape(weight, packed_row_bytes(blocks, weight.affine().bits));
  if (weight.packing == Packing::blocks) {
    dims.front() = weight.rows();  // MatMulNBits repeats nothing
  }
  const int64_t rows = *checked_count(dims) / dims.back();
  weight.zero_points = context.store_beside(
      weight, "_zero_points", DType::u8, dims,
      [encoding, rows, blocks](Sink& sink) { stream_zero_points(*encoding->affine(), rows, blocks, sink); });
}

ValueId float_scales(Context& context, Weight& weight) {
  if (weight.float_scales == kNoValue) {
    weight.float_scales = cast_constant(context, weight.scales, weight.affine().scale_dtype, weight.dtype);
  }
  return weight.float_scales;
}

ValueId full_scales(Context& context, Weight& weight, int64_t blocks) {
  if (weight.full_scales != kNoValue) {
    return weight.full_scales;
  }
  Shape full = weight.encoding->shape;
  full.back() = blocks;
  weight.full_scales = float_scales(context, weight);
  if (full != row_shape(weight, group_count(weight))) {
    const ValueId shape = context.helper(fmt::format("terse_shape_{}", fmt::join(full, "_")),
                                         Tensor::of<int64_t>({static_cast<int64_t>(full.size())}, full));
    weight.full_scales =
        context.emit(context.prologue, "Expand", {weight.full_scales, shape}, context.name(weight.id) + "_full_scales");
  }
  return weight.full_scales;
}

}  // namespace terse::onnx
