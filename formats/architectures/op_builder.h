#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/graph.h"

namespace terse::architectures {

/// Appends operators to a graph: what builders say instead of filling in nodes. Nodes and values are named after the
/// scope ("model.layers.0.self_attn/MatMul"), so that error messages and profiles say where something is.
class OpBuilder {
 public:
  explicit OpBuilder(Graph& graph) : graph_(&graph) {}

  Graph& graph() { return *graph_; }

  /// While it lives, nodes are named below `name`.
  class Scope {
   public:
    Scope(OpBuilder& builder, std::string_view name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    OpBuilder* builder_;
    size_t outer_;
  };
  const std::string& scope() const { return scope_; }

  ValueId input(std::string_view name, DType dtype, std::vector<Dimension> shape);
  /// Makes `value` a graph output of this name and type; it must have been made by a node.
  void output(std::string_view name, ValueId value, DType dtype, std::vector<Dimension> shape);

  ValueId op(std::string_view type, std::vector<ValueId> inputs, std::vector<Attribute> attributes = {});
  std::vector<ValueId> op_n(std::string_view type, std::vector<ValueId> inputs, size_t outputs,
                            std::vector<Attribute> attributes = {});

  /// Small constants; equal ones are one value.
  ValueId scalar(float value);
  ValueId ints(const std::vector<int64_t>& values);  ///< i64 [n]
  ValueId integer(int64_t value);                    ///< i64 scalar
  /// A table of the architecture's own.
  ValueId floats(std::string_view name, Shape shape, std::span<const float> values);

  /// x W^T (+ bias): MatMul with `transB = 1`, Add. `bias` may be kNoValue.
  ValueId linear(ValueId x, ValueId weight, ValueId bias = kNoValue);
  ValueId add(ValueId a, ValueId b) { return op("Add", {a, b}); }
  ValueId mul(ValueId a, ValueId b) { return op("Mul", {a, b}); }
  ValueId cast(ValueId x, DType to);
  /// One dimension of a value's shape, i64 [1].
  ValueId dimension(ValueId x, int64_t axis);
  ValueId reshape(ValueId x, const std::vector<int64_t>& shape);  ///< 0 keeps a dimension, -1 is what is left
  ValueId transpose(ValueId x, std::vector<int64_t> permutation);

 private:
  ValueId shared(const std::string& name, Tensor values);

  Graph* graph_;
  std::string scope_;
  std::map<std::string, ValueId> shared_;  ///< small constants, by what they hold
};

}  // namespace terse::architectures
