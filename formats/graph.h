#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "formats/encoding.h"
#include "formats/roles.h"
#include "formats/tensor.h"

namespace terse {

// The one graph: the ONNX dialect, held in plain structs.
//
// All values of a graph and of its subgraphs live in one table and have names that are unique in it; nodes name them by
// index. Every initialiser, wherever the file had it, is a value with a `constant`. One extension: in canonical form a
// weight keeps its logical shape [out, in], and the linears that multiply by it say `transB = 1` (on MatMul as on Gemm;
// on MatMul it swaps the last two dimensions of B). Writers lower that.

using ValueId = int32_t;
inline constexpr ValueId kNoValue = -1;  ///< an optional input or output that is left out

/// A dimension is a number, or a symbol ("batch"), or unknown (-1 and no symbol).
struct Dimension {
  int64_t size = -1;
  std::string symbol;
  friend bool operator==(const Dimension&, const Dimension&) = default;
};

struct ValueType {
  DType dtype = DType::undefined;
  std::optional<std::vector<Dimension>> shape;  ///< absent: rank unknown
};

struct Value {
  std::string name;
  std::optional<ValueType> type;  ///< what the file says of it; of a constant whose encoding a pass has replaced: what
                                  ///< it is computed with
  EncodingPtr constant;           ///< an initialiser's data, else null
  std::vector<Role> roles;   ///< of float constants: the distinct roles of its uses, in graph order (see assign_roles)
  std::string display_name;  ///< what users see of a constant; empty before assign_roles
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string opaque;  ///< the file's own record of a type that terse does not read (sequence, map, sparse), in its own
                       ///< encoding
};

struct Block;

/// What terse does not read in an attribute (sparse tensors, types) is carried in the file's own encoding.
struct OpaqueAttribute {
  std::string bytes;
};

using AttributeValue =
    std::variant<int64_t, float, std::string, std::vector<int64_t>, std::vector<float>, std::vector<std::string>,
                 Tensor, std::shared_ptr<Block>, std::vector<std::shared_ptr<Block>>, OpaqueAttribute>;

struct Attribute {
  std::string name;
  AttributeValue value;
};

struct Node {
  std::string domain;  ///< "" for ONNX's own
  std::string op_type;
  std::string name;
  std::string overload;
  std::vector<ValueId> inputs;   ///< may hold kNoValue
  std::vector<ValueId> outputs;  ///< may hold kNoValue
  std::vector<Attribute> attributes;
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;

  bool is(std::string_view type, std::string_view in_domain = "") const {
    return op_type == type && domain == in_domain;
  }
  ValueId input(size_t index) const { return index < inputs.size() ? inputs[index] : kNoValue; }
  ValueId output(size_t index) const { return index < outputs.size() ? outputs[index] : kNoValue; }

  const Attribute* find(std::string_view attribute) const;
  /// The attribute, or `otherwise` if it is absent. Error input if it has another type.
  int64_t get_int(std::string_view attribute, int64_t otherwise) const;
  float get_float(std::string_view attribute, float otherwise) const;
  std::string get_string(std::string_view attribute, std::string_view otherwise) const;
  std::vector<int64_t> get_ints(std::string_view attribute, std::vector<int64_t> otherwise = {}) const;
  void set(std::string_view attribute, AttributeValue value);  ///< replaces or appends
  void erase(std::string_view attribute);
};

/// The body of a graph or of a subgraph. Nodes stand in an order in which they can be computed.
struct Block {
  std::string name;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string doc;
  std::vector<std::pair<std::string, std::string>> metadata;
};

struct Graph {
  std::vector<Value> values;
  Block main;

  Value& value(ValueId id) { return values[static_cast<size_t>(id)]; }
  const Value& value(ValueId id) const { return values[static_cast<size_t>(id)]; }
  bool is_constant(ValueId id) const { return id != kNoValue && value(id).constant != nullptr; }

  /// A new value; the name gets a suffix if it is taken.
  ValueId add(std::string_view name);
  ValueId add_constant(std::string_view name, EncodingPtr constant);
  std::optional<ValueId> find(std::string_view name) const;
};

/// A copy that shares no Block with the original (a plain copy shares subgraphs); constants' data is shared.
Graph deep_copy(const Graph& graph);

/// Calls `visit` with every node of `block` and of its subgraphs, outer before inner.
void for_each_node(const Block& block, const std::function<void(const Node&)>& visit);
void for_each_node(Block& block, const std::function<void(Node&)>& visit);
/// The same with every block, `block` itself first.
void for_each_block(const Block& block, const std::function<void(const Block&)>& visit);
void for_each_block(Block& block, const std::function<void(Block&)>& visit);
/// Calls `visit` with every value that a node reads, through its subgraphs too (whose own values are among them).
void for_each_read(const Node& node, const std::function<void(ValueId)>& visit);

/// Where a value is read. Pointers are into the graph and go stale with the next edit of a node list.
struct Use {
  const Node* node = nullptr;  ///< null: an output of a block
  size_t input = 0;
};

/// Who makes and who reads every value; a snapshot of the graph at its making.
class Dataflow {
 public:
  explicit Dataflow(const Graph& graph);
  const Node* producer(ValueId id) const {
    return producers_[static_cast<size_t>(id)];
  }  ///< null: graph input, constant
  const std::vector<Use>& uses(ValueId id) const { return uses_[static_cast<size_t>(id)]; }
  bool is_graph_output(ValueId id) const;  ///< of the graph or of a subgraph

 private:
  std::vector<const Node*> producers_;
  std::vector<std::vector<Use>> uses_;
};

/// Makes every reader of `from` (block outputs included) read `to`.
void replace_uses(Graph& graph, ValueId from, ValueId to);

/// Drops nodes whose outputs nobody needs and values that no node, input or output mentions; renumbers the values.
void remove_dead(Graph& graph);

/// Puts every block's nodes in an order in which they can be computed, keeping the given order where it is possible,
/// and checks: every input is there, no value is made twice, no cycles, names are unique and not empty. Error input
/// names node and value.
void sort_and_validate(Graph& graph);

/// "node 'attn/MatMul_3'" or, for nodes without a name, "node MatMul -> 'val_7'".
std::string describe(const Graph& graph, const Node& node);

}  // namespace terse
