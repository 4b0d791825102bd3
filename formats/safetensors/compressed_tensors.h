#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "formats/model.h"
#include "formats/named_tensors.h"

namespace terse::safetensors {

// Weights with codes, in the form "pack-quantized" of the library compressed-tensors, which transformers and vLLM read.
// Source: compressed-tensors 0.20, compressors/pack_quantized and quantization/quant_config.py. Of a Linear module M:
//
//   M.weight_packed      i32 [out, ceil(in * bits / 32)]: unsigned codes along `in`, the first in the low bits
//   M.weight_scale       f32, f16, bf16 [out, groups]; readers round it to the model's own type; may be negative
//   M.weight_zero_point  i32 [ceil(out * bits / 32), groups]: packed along `out`; absent: 2^(bits-1)
//   M.weight_shape       i64 [2]: out, in
//
// value = (code - zero point) * scale. The codes are those of AffineEncoding, but for the rows' padding to four bytes.
// The same library's "int-quantized" and "naive-quantized" store codes a byte as M.weight, i8 [out, in], beside
// M.weight_scale: read, not written (quantized.h).

inline constexpr std::string_view kWeight = ".weight";
inline constexpr std::string_view kPacked = ".weight_packed";
inline constexpr std::string_view kScale = ".weight_scale";
inline constexpr std::string_view kZeroPoint = ".weight_zero_point";
inline constexpr std::string_view kShapeOf = ".weight_shape";

/// What modules of one group of `quantization_config` share.
struct Scheme {
  int bits = 4;
  bool symmetric = true;
  int64_t group_columns = 0;  ///< that share a scale; 0: the row
  friend auto operator<=>(const Scheme&, const Scheme&) = default;
};

/// Precondition: an affine encoding.
Scheme scheme_of(const Encoding& weight);

/// Error unsupported, naming the tensor, what it has and what the form can hold. `model_dtype` is what readers round
/// scales to.
void check_packed(const Model& model, ValueId id, DType model_dtype);

/// Error unsupported if weights that runtimes compute together (q, k and v; gate and up) have different schemes.
void check_fused(const Model& model, std::span<const ValueId> weights);

/// The tensors of a weight "M.weight" that check_packed accepts. Planned encodings have no data to write.
std::vector<StoredTensor> pack(const std::string& name, const EncodingPtr& weight);

/// config.json's `quantization_config` for a model whose weights `packed` have codes, and `dense` have none: JSON.
std::string quantization_config(const Model& model, std::span<const ValueId> packed, std::span<const ValueId> dense);

}  // namespace terse::safetensors
