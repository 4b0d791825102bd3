#include "calibration/ops/quantization.h"

#include <cmath>
#include <utility>

#include "calibration/ops/arguments.h"
#include "calibration/ops/cast.h"
#include "calibration/ops/op.h"
#include "formats/error.h"

// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear. Arithmetic is f32 whatever the float type.

namespace terse::calibration {
namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

[[noreturn]] void fail_scales(const Shape& data, const Shape& scales, int64_t block) {
  throw Error(Kind::input, "scales of shape {} for data of shape {} and blocks of {}", to_string(scales),
              to_string(data), block);
}

Shape blocked_shape(Shape shape, int64_t axis, int64_t block) {
  shape[at(axis)] = (shape[at(axis)] + block - 1) / block;
  return shape;
}

/// The zero points as integers; zeros if there are none.
std::vector<int32_t> zeros_of(const Tensor* zero_points, int64_t count) {
  if (zero_points == nullptr) {
    return std::vector<int32_t>(at(count));
  }
  if (zero_points->count() != count) {
    throw Error(Kind::input, "{} zero points for {} scales", zero_points->count(), count);
  }
  const Tensor wide = cast_to(*zero_points, DType::i32);
  return {wide.values<int32_t>().begin(), wide.values<int32_t>().end()};
}

template <typename T>
void dequantize_as(const Tensor& data, std::span<const float> scales, std::span<const int32_t> zeros,
                   const ScaleGrid& grid, Tensor& out) {
  using Wide = std::conditional_t<std::is_floating_point_v<T>, T, std::conditional_t<sizeof(T) < 4, int32_t, int64_t>>;
  const T* from = data.values<T>().data();
  float* to = out.mutable_values<float>().data();
  grid.for_each_run([&](int64_t first, int64_t count, int64_t scale, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const size_t s = at(scale + i * step);
      to[first + i] = static_cast<float>(static_cast<Wide>(from[first + i]) - static_cast<Wide>(zeros[s])) * scales[s];
    }
  });
}

struct Bounds {
  float low, high;
};

/// Of an integer type that numbers are quantized to.
Bounds bounds_of(DType dtype) {
  const int bits = row(dtype).bits;
  const bool is_signed = dtype == DType::i2 || dtype == DType::i4 || dtype == DType::i8 || dtype == DType::i16;
  const bool is_unsigned = dtype == DType::u2 || dtype == DType::u4 || dtype == DType::u8 || dtype == DType::u16;
  if (!is_signed && !is_unsigned) {
    throw Error(Kind::unsupported, "quantizing to {}", name(dtype));
  }
  const float values = std::ldexp(1.0F, bits);
  return is_signed ? Bounds{-values / 2, values / 2 - 1} : Bounds{0, values - 1};
}

/// A rounded number inside of the bounds; NaN becomes the lower one.
float bounded(float value, Bounds bounds) { return std::min(std::max(bounds.low, value), bounds.high); }

/// The zero point of floats is zero; adding it takes the sign of a minus zero away.
Tensor quantize_to_float(const Tensor& data, const Tensor& scales, const ScaleGrid& grid, DType dtype,
                         Overflow overflow) {
  Tensor scaled = Tensor::uninitialized(DType::f32, data.shape());
  const float* from = data.values<float>().data();
  float* to = scaled.mutable_values<float>().data();
  grid.for_each_run([&](int64_t first, int64_t count, int64_t scale, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      to[first + i] = from[first + i] / scales.values<float>()[at(scale + i * step)] + 0.0F;
    }
  });
  return f32_to_small(scaled, dtype, overflow);
}

Tensor quantize(const Tensor& data, const Tensor& scales, std::span<const int32_t> zeros, const ScaleGrid& grid,
                DType dtype) {
  const Bounds bounds = bounds_of(dtype);
  Tensor codes = Tensor::uninitialized(DType::i32, data.shape());
  const float* from = data.values<float>().data();
  const auto scale_values = scales.values<float>();
  int32_t* to = codes.mutable_values<int32_t>().data();
  grid.for_each_run([&](int64_t first, int64_t count, int64_t scale, int64_t step) {
    for (int64_t i = 0; i < count; ++i) {
      const size_t s = at(scale + i * step);
      const float code = std::nearbyint(from[first + i] / scale_values[s]) + static_cast<float>(zeros[s]);
      to[first + i] = static_cast<int32_t>(bounded(code, bounds));
    }
  });
  return cast_to(codes, dtype);
}

ScaleGrid grid_of(const OpCall& call, const Tensor& data, const Tensor& scales) {
  return {data.shape(), scales.shape(), call.node.get_int("axis", 1), call.node.get_int("block_size", 0)};
}

}  // namespace

ScaleGrid::ScaleGrid(const Shape& data, const Shape& scales, int64_t axis, int64_t block) {
  const auto rank = std::ssize(data);
  const int64_t scale_count = product(scales, 0, std::ssize(scales));
  if (block == 0 && scale_count == 1) {
    inner_ = product(data, 0, rank);
    return;
  }
  axis = get_axis(axis, rank);
  outer_ = product(data, 0, axis);
  size_ = data[at(axis)];
  inner_ = product(data, axis + 1, rank);
  if (block > 0 && scales == blocked_shape(data, axis, block)) {
    block_ = block;
    outer_step_ = product(scales, axis, rank);
    block_step_ = inner_;
    inner_step_ = 1;
    return;
  }
  if (block != 0 || scales != Shape{size_}) {
    fail_scales(data, scales, block);
  }
  block_step_ = 1;
  if (inner_ == 1) {  // one run instead of many of one element
    inner_ = std::exchange(size_, 1);
    inner_step_ = 1;
  }
}

Tensor dequantize(const Tensor& data, const Tensor& scales, const Tensor* zero_points, const ScaleGrid& grid) {
  const Tensor codes = is_small_float(data.dtype()) ? small_to_f32(data) : widen(data);
  const Tensor factors = to_f32(scales);
  const auto zeros = zeros_of(zero_points, scales.count());
  Tensor out = Tensor::uninitialized(DType::f32, data.shape());
  const bool known = dispatch(codes.dtype(), [&]<typename T>() {
    if constexpr (std::is_arithmetic_v<T> && sizeof(T) <= 4 && !std::is_same_v<T, bool>) {
      dequantize_as<T>(codes, factors.values<float>(), zeros, grid, out);
    } else {
      throw Error(Kind::unsupported, "dequantizing {}", name(data.dtype()));
    }
  });
  if (!known) {
    throw Error(Kind::unsupported, "dequantizing {}", name(data.dtype()));
  }
  return out;
}

namespace ops {

std::vector<Tensor> dequantize_linear(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor& scales = call.input(1);
  const DType dtype = get_dtype(call.node, "output_dtype", scales.dtype());
  return {from_f32(dequantize(data, scales, call.find_input(2), grid_of(call, data, scales)), dtype)};
}

std::vector<Tensor> quantize_linear(const OpCall& call) {
  const Tensor data = cast_to(call.input(0), DType::f32);
  const Tensor scales = to_f32(call.input(1));
  const Tensor* zero_points = call.find_input(2);
  const DType dtype = zero_points != nullptr ? zero_points->dtype() : get_dtype(call.node, "output_dtype", DType::u8);
  const ScaleGrid grid = grid_of(call, data, scales);
  if (is_small_float(dtype)) {
    return {quantize_to_float(data, scales, grid, dtype, overflow_of(call.node))};
  }
  return {quantize(data, scales, zeros_of(zero_points, scales.count()), grid, dtype)};
}

/// A scale and a zero point for which zero is exact, and the data on that grid of u8.
std::vector<Tensor> dynamic_quantize_linear(const OpCall& call) {
  const Tensor& data = call.input(0);
  if (data.dtype() != DType::f32) {
    throw Error(Kind::input, "data of type {}, expected f32", name(data.dtype()));
  }
  float low = 0;
  float high = 0;
  for (const float value : data.values<float>()) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  const float scale = high == low ? 1.0F : (high - low) / 255.0F;
  const float zero = bounded(std::nearbyint(-low / scale), bounds_of(DType::u8));
  const Tensor scales = Tensor::scalar(scale);
  const int32_t zeros[] = {static_cast<int32_t>(zero)};
  return {quantize(data, scales, zeros, ScaleGrid(data.shape(), {}, 0, 0), DType::u8), scales,
          Tensor::scalar(static_cast<uint8_t>(zero))};
}

}  // namespace ops
}  // namespace terse::calibration
