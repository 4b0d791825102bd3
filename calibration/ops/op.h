#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "calibration/gemm.h"
#include "formats/graph.h"
#include "formats/tensor.h"

namespace terse::calibration {

/// One call of an operator. `inputs` has an entry per node input; an omitted one is null. Tensors are aligned
/// (Tensor::values may be used).
struct OpCall {
  const Node& node;
  std::span<const Tensor* const> inputs;
  /// The right operand of a MatMul or Gemm if it is a constant, packed once for all calls; else null (and then
  /// inputs[1] holds it).
  const PackedMatrix* packed_weight = nullptr;
  /// The table of a Gather along axis 0 if it is a constant that would have to be decoded first; else null (and then
  /// inputs[0] holds it).
  const Encoding* table = nullptr;
  DType table_dtype = DType::undefined;  ///< in which the graph sees the table's rows
  Precision precision = Precision::f32;  ///< of the products of Attention; a packed weight has its own

  /// Input `index`. Error input if it is missing.
  const Tensor& input(size_t index) const;
  /// Input `index`, or null if it is left out.
  const Tensor* find_input(size_t index) const { return index < inputs.size() ? inputs[index] : nullptr; }
};

/// An operator as a function: reads the call, gives the outputs (as many as the node lists; unused ones may be empty
/// tensors). Implements the newest form that formats/onnx/upgrade produces (opset 23). Pure and thread-safe. Arithmetic
/// on f16 and bf16 is done in f32 and the result rounded to the type of the node's output. Error input or unsupported;
/// the executor adds the node's name.
using OpFunction = std::vector<Tensor> (*)(const OpCall& call);

/// Gather along axis 0 of `call.table`: decodes the rows that are asked for and no others. The executor runs it in
/// place of Gather where it fits.
std::vector<Tensor> gather_table(const OpCall& call);

struct OpRow {
  std::string_view domain;  ///< "" for ONNX's own
  std::string_view name;
  OpFunction run;
};

/// Every operator that the executor has, sorted by domain and name.
std::span<const OpRow> operators();
const OpRow* find_operator(std::string_view domain, std::string_view name);

}  // namespace terse::calibration
