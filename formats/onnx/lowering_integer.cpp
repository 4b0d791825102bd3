#include <algorithm>
#include <optional>

#include "formats/onnx/lowering_context.h"
#include "formats/onnx/lowering_stream.h"

// DequantizeLinear: ONNX's own form of affine weights. Symmetric codes become signed integers (no zero point means 0
// there), asymmetric ones stay unsigned. Source: onnx/onnx docs/Operators.md.

namespace terse::onnx {
namespace {

constexpr int64_t kTensorOpset = 10;
constexpr int64_t kAxisOpset = 13;
constexpr int64_t kHalfOpset = 19;   // other scales than f32
constexpr int64_t kBlockOpset = 21;  // block_size, int4 and uint4

/// Which numbers share a scale, as DequantizeLinear sees it.
enum class Grain { tensor, channel, block };

Grain grain_of(const Encoding& weight) {
  const AffineEncoding& affine = *weight.affine();
  const bool whole_rows = affine.group_columns >= weight.columns();
  if (whole_rows && affine.group_rows >= weight.rows()) {
    return Grain::tensor;
  }
  return whole_rows && weight.shape.size() == 2 ? Grain::channel : Grain::block;
}

DType element_type(const AffineEncoding& affine) {
  if (affine.bits == 4) {
    return affine.asymmetric ? DType::u4 : DType::i4;
  }
  return affine.asymmetric ? DType::u8 : DType::i8;
}

Shape dims_of(const Shape& logical, int64_t last, bool transposed) {
  Shape dims = logical;
  dims.back() = last;
  return transposed ? swap_last_two(std::move(dims)) : dims;
}

/// The shape of scales and zero points.
Shape scale_dims(const Weight& weight) {
  const Encoding& e = *weight.encoding;
  switch (grain_of(e)) {
    case Grain::tensor:
      return {};
    case Grain::channel:
      return {e.rows()};
    default:
      return dims_of(e.shape, divide_up(e.columns(), weight.affine().group_columns), weight.transposed);
  }
}

Attributes grain_attributes(const Weight& weight) {
  const auto rank = static_cast<int64_t>(weight.encoding->shape.size());
  switch (grain_of(*weight.encoding)) {
    case Grain::tensor:
      return {};
    case Grain::channel:
      return {{"axis", int64_t{weight.transposed ? 1 : 0}}};
    default:
      return {{"axis", weight.transposed ? rank - 2 : rank - 1},
              {"block_size", std::min(weight.affine().group_columns, weight.columns())}};
  }
}

/// A tensor shaped as the scales, in the order in which DequantizeLinear wants it.
void stream_grains(const Encoding& weight, const Tensor& values, bool transposed, Sink& sink) {
  if (!transposed || grain_of(weight) != Grain::block) {
    return stream_bytes(values, sink);
  }
  const int64_t rows = weight.shape[weight.shape.size() - 2];
  stream_transposed(values, {weight.rows() / rows, rows, values.shape().back()}, sink);
}

/// u8 zero points [rows, groups] as the element type of the codes: 4-bit ones are packed into one run.
Tensor packed_zero_points(const AffineEncoding& affine) {
  if (affine.bits == 8) {
    return affine.zero_points;
  }
  const auto points = affine.zero_points.values<uint8_t>();
  Tensor packed = Tensor::make(DType::u8, {divide_up(affine.zero_points.count(), 2)});
  pack_codes(points, affine.bits, packed.mutable_values<uint8_t>());
  return packed;
}

void stream_zero_point_grains(const Encoding& weight, bool transposed, Sink& sink) {
  AffineEncoding affine = *weight.affine();
  if (transposed && grain_of(weight) == Grain::block) {
    const Shape& shape = affine.zero_points.shape();
    const int64_t rows = weight.shape[weight.shape.size() - 2];
    Tensor turned = Tensor::uninitialized(DType::u8, shape);
    const auto in = affine.zero_points.values<uint8_t>();
    const auto out = turned.mutable_values<uint8_t>();
    const int64_t groups = shape.back();
    for (int64_t i = 0; i < affine.zero_points.count(); ++i) {
      const int64_t matrix = i / (rows * groups);
      const int64_t row = i / groups % rows;
      out[static_cast<size_t>((matrix * groups + i % groups) * rows + row)] = in[static_cast<size_t>(i)];
    }
    affine.zero_points = turned;
  }
  stream_bytes(packed_zero_points(affine), sink);
}

}  // namespace

std::optional<int64_t> integer_opset(const Weight& weight) {
  const Shape& shape = weight.encoding->shape;
  const int bits = weight.affine().bits;
  const Grain grain = grain_of(*weight.encoding);
  const bool ends_inside_a_byte = bits == 4 && shape.size() > 2 && shape.end()[-1] * shape.end()[-2] % 2 != 0;
  if (bits == 2 || ends_inside_a_byte || (weight.dtype != DType::f32 && weight.dtype != DType::f16)) {
    return std::nullopt;
  }
  if (grain == Grain::block && (shape.size() < 2 || weight.affine().group_rows != 1)) {
    return std::nullopt;
  }
  if (grain == Grain::block || bits == 4) {
    return kBlockOpset;
  }
  if (weight.dtype != DType::f32) {
    return kHalfOpset;
  }
  return grain == Grain::tensor ? kTensorOpset : kAxisOpset;
}

void store_integer(Context& context, Weight& weight) {
  const AffineEncoding& affine = weight.affine();
  const EncodingPtr encoding = weight.encoding;
  const bool transposed = weight.transposed;
  const DType dtype = element_type(affine);
  context.store(weight, dtype, dims_of(encoding->shape, encoding->columns(), transposed),
                [=](Sink& sink) { stream_integers(*encoding, transposed, sink); });
  weight.scales = context.store_beside(weight, "_scales", affine.scale_dtype, scale_dims(weight), [=](Sink& sink) {
    stream_grains(*encoding, encoding->affine()->scales, transposed, sink);
  });
  if (affine.asymmetric) {
    weight.zero_points = context.store_beside(weight, "_zero_points", dtype, scale_dims(weight), [=](Sink& sink) {
      stream_zero_point_grains(*encoding, transposed, sink);
    });
  }
}

ValueId integer_value(Context& context, Weight& weight) {
  if (weight.as_float == kNoValue) {
    std::vector<ValueId> inputs = {weight.id, float_scales(context, weight)};
    if (weight.affine().asymmetric) {
      inputs.push_back(weight.zero_points);
    }
    weight.as_float = context.emit(context.prologue, "DequantizeLinear", inputs,
                                   context.name(weight.id) + "_dequantized", grain_attributes(weight));
  }
  return weight.as_float;
}

}  // namespace terse::onnx
