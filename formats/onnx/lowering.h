#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "formats/bytes.h"
#include "formats/model.h"

namespace terse::onnx {

/// A tensor of the file. Its size is known without its numbers.
struct Initializer {
  ValueId value = kNoValue;  ///< in Lowered::graph, which has its name
  ValueId source =
      kNoValue;  ///< the constant of the model that it stores or helps to store; kNoValue: shared by several
  DType dtype = DType::f32;
  Shape dims;
  int64_t bytes = 0;
  std::function<void(Sink&)> write;  ///< streams exactly `bytes`; not called for strings
  Tensor strings;                    ///< of DType::string only
};

/// What an ONNX file holds for a model: ordinary operators over plain tensors.
struct Lowered {
  Graph
      graph;  ///< ids of the model's values mean the same values here; constants' encodings are of no meaning any more
  std::vector<Initializer> initializers;
  std::map<std::string, int64_t> opsets;
  int64_t ir_version = 0;
};

/// Turns canonical form into what the file will hold: encodings become onnxruntime's or ONNX's idioms, each weight is
/// stored once. Touches no weight, and accepts planned encodings; the data is decoded, transposed and packed when
/// `Initializer::write` is called, at most 64 MiB at once. `model` must outlive nothing: the result shares its data.
///
///   use \ encoding   dense                     affine, contrib                     affine, standard   codebook
///   linear           MatMul, Gemm [in,out]     MatMulNBits                         DequantizeLinear   arithmetic,
///   whole table            Gather                    GatherBlockQuantized                arithmetic, rows arithmetic,
///   rows anything else    the value                 DequantizeLinear (8-bit) or arithmetic, whole
///
/// "arithmetic" is unpacking and dequantizing spelled in operators of opset 11, over the gathered rows or over the
/// whole weight (then onnxruntime computes it once, at load). A linear whose activation comes out of a DequantizeLinear
/// gets the standard form in either style, so that runtimes find the integer kernel. The opset is raised only for
/// blocked or 4-bit DequantizeLinear (21).
///
/// Errors: unsupported, with the tensor's display name, for what no idiom can hold.
Lowered lower(const Model& model, const WriteOptions& options);

/// What ONNX files can hold, for errors and help.
inline constexpr std::string_view kEncodings =
    "f32, f16, bf16, f64; 2, 4 and 8 bits per block, channel or tensor; codebooks of 2 to 256 centroids";

}  // namespace terse::onnx
