#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/half.h"
#include "formats/rounding.h"
#include "formats/safetensors/coded_module.h"
#include "formats/safetensors/quantized.h"
#include "formats/small_float.h"

// Weights in floats of 8 bits, as transformers' "fp8" and compressed-tensors' "float-quantized" store them, of a Linear
// module M:
//
//   M.weight            f8e4m3fn or f8e5m2 [out, in]
//   M.weight_scale      f32, f16, bf16: one, [out, 1], or [ceil(out / m), ceil(in / n)] for blocks of m by n
//   M.weight_scale_inv  the same under the name that DeepSeek's files have
//
// value = weight * scale (of either name). No Encoding has such numbers: they are decoded, into bf16, or into the type
// of the scales where that has 16 bits too.

namespace terse::safetensors {
namespace {

constexpr std::string_view kWeight = ".weight", kScale = ".weight_scale", kInverse = ".weight_scale_inv";

std::array<float, 256> float8_table(DType dtype) {
  std::array<float, 256> table{};
  for (size_t code = 0; code < table.size(); ++code) {
    table.at(code) = decode_small_float(*find_small_float(dtype), static_cast<int>(code));
  }
  return table;
}

/// Rows and columns that share a scale.
struct BlockSize {
  int64_t rows = 0, columns = 0;
};

BlockSize read_block(const JsonField& list) { return {list.at(0).whole(1, INT32_MAX), list.at(1).whole(1, INT32_MAX)}; }

/// Of transformers' fp8, or of the first group of compressed-tensors that has one.
std::optional<BlockSize> find_block(const JsonField& config) {
  if (const auto size = config.find("weight_block_size")) {
    return read_block(*size);
  }
  const auto groups = config.find("config_groups");
  for (size_t i = 0; groups && i < groups->object_size(); ++i) {
    const auto name = std::next(groups->value().begin(), static_cast<int64_t>(i)).key();
    const auto weights = groups->get(name).find("weights");
    if (const auto size = weights ? weights->find("block_structure") : std::nullopt) {
      return read_block(*size);
    }
  }
  return std::nullopt;
}

BlockSize block_of(CodedModule& module, const Shape& shape, const Tensor& scales, const JsonField& config) {
  if (scales.count() == 1) {
    return {shape[0], shape[1]};
  }
  if (scales.shape() == Shape{shape[0], 1} || scales.shape() == Shape{shape[0]}) {
    return {1, shape[1]};
  }
  const auto block = find_block(config);
  if (!block) {
    throw Error(Kind::input, "tensor {} has shape {} and scales {}, for which config.json names no block size",
                module.weight(), to_string(shape), to_string(scales.shape()));
  }
  module.expect(scales, kScale, Shape{divide_up(shape[0], block->rows), divide_up(shape[1], block->columns)});
  return *block;
}

template <typename T>
void round_into(std::span<const float> line, Tensor& out, int64_t row) {
  const auto to = out.mutable_values<T>().subspan(static_cast<size_t>(row) * line.size(), line.size());
  if constexpr (std::is_same_v<T, Half>) {
    to_half(line, to);
  } else {
    to_bfloat16(line, to);
  }
}

Tensor decode(const Tensor& weight, const Tensor& scales, const BlockSize& block) {
  const int64_t rows = weight.shape()[0], columns = weight.shape()[1];
  const int64_t groups = divide_up(columns, block.columns);
  const std::array<float, 256> table = float8_table(weight.dtype());
  const Tensor factors = to_f32(scales);
  Tensor out = Tensor::uninitialized(scales.dtype() == DType::f16 ? DType::f16 : DType::bf16, weight.shape());
  std::vector<float> line(static_cast<size_t>(columns));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; ++c) {
      const auto bits = static_cast<uint8_t>(weight.bytes()[static_cast<size_t>(row * columns + c)]);
      const auto group = static_cast<size_t>(row / block.rows * groups + c / block.columns);
      line[static_cast<size_t>(c)] = table.at(bits) * factors.values<float>()[group];
    }
    out.dtype() == DType::f16 ? round_into<Half>(line, out, row) : round_into<BFloat16>(line, out, row);
  }
  weight.release_pages();
  return out;
}

bool is_float8(DType dtype) { return dtype == DType::f8e4m3fn || dtype == DType::f8e5m2; }

}  // namespace

void unpack_float8(NamedTensors& tensors, const JsonField& config) {
  for (const std::string& name : find_modules(tensors, kWeight)) {
    if (!is_float8(tensors.tensors.at(name + std::string(kWeight)).dtype())) {
      continue;
    }
    CodedModule module(tensors, name);
    const Tensor weight = module.get(kWeight);
    module.expect_matrix(weight, kWeight);
    const bool is_inverse = tensors.tensors.contains(name + std::string(kInverse));
    const Tensor scales = module.get_scales(is_inverse ? kInverse : kScale);
    const BlockSize block = block_of(module, weight.shape(), scales, config);
    tensors.encoded[module.weight()] = make_dense(decode(weight, scales, block));
  }
}

}  // namespace terse::safetensors
