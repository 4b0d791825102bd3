#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/graph.h"

namespace terse {

// What assign_roles knows of a graph: which nodes multiply by weights, and how numbers travel between them. Internal to
// roles*.cpp.

/// What an operator does to the numbers that it passes on; values of a bit set.
enum Flow : unsigned {
  kWiring = 1,       ///< moves, picks or copies them
  kArithmetic = 2,   ///< scales and adds
  kActivation = 4,   ///< a non-linear function of each
  kNorm = 8,         ///< part of a normalisation
  kSoftmax = 16,     ///< shares that sum to one
  kSinglePath = 32,  ///< not a kind: a trace with it stops where two values that are no constants meet
};
inline constexpr unsigned kElementwise = kWiring | kArithmetic | kActivation;

struct FlowRow {
  std::string_view op;
  Flow flow;
  size_t first_input = 0;  ///< of those that carry numbers; others are shapes, axes, indices, conditions
  size_t input_count = 1;  ///< SIZE_MAX: all from the first
};

const FlowRow* find_flow(const Node& node);

/// The inputs of a node that carry numbers.
std::span<const ValueId> data_inputs(const Node& node, const FlowRow& row);

/// True if input `input` of the node carries numbers by one of the given flows.
bool carries(const Node& node, size_t input, unsigned flows);

/// A product of activations with a weight: MatMul or Gemm.
struct Linear {
  const Node* node = nullptr;
  ValueId activation = kNoValue;
  /// The float matrices that make up the other operand: one, or several where they are joined at run time.
  std::vector<ValueId> weights;
  int position = 0;  ///< of the node in the order of computation
};

/// What a backward trace met.
struct Trace {
  std::vector<size_t> linears;  ///< where it ended, each once
  bool is_complete = true;      ///< every path ended at a linear or a constant
  bool is_activated = false;    ///< some path led through an activation
  /// For each linear the pieces of its output (of Split, Slice or Gather) that were met; kNoValue: the whole.
  std::map<size_t, std::set<ValueId>> pieces;

  /// The only linear, if that is where all paths ended.
  std::optional<size_t> single() const {
    return is_complete && linears.size() == 1 ? std::optional(linears.front()) : std::nullopt;
  }
};

/// A snapshot of a graph.
class Flows {
 public:
  explicit Flows(const Graph& graph);

  const Graph& graph() const { return graph_; }
  const Dataflow& dataflow() const { return dataflow_; }
  const std::vector<const Node*>& nodes() const { return nodes_; }  ///< in the order of computation
  const std::vector<Linear>& linears() const { return linears_; }

  /// Of a node; -1 for null.
  int position(const Node* node) const;
  std::optional<size_t> linear_of(const Node* node) const;

  /// Follows numbers back from a value through the given flows to the linears that made them.
  Trace trace_back(ValueId from, unsigned flows) const;

  /// Follows a value to its readers, and on behind those for which `visit` says so.
  void walk_forward(ValueId from, const std::function<bool(const Use&)>& visit) const;

  /// The value itself as it was made, before Cast, Reshape and the like.
  ValueId source_of(ValueId id) const;

  /// True if the value depends on numbers that came out of a table or a linear (and is no mask, position or shape).
  bool is_hidden(ValueId id) const { return id != kNoValue && is_hidden_[static_cast<size_t>(id)]; }

  /// The float matrices behind a constant expression (through Cast, Concat, Gather, ...); empty for anything else.
  std::vector<ValueId> matrices_behind(ValueId id) const;

 private:
  void find_linears();
  void find_hidden();

  const Graph& graph_;
  Dataflow dataflow_;
  std::vector<const Node*> nodes_;
  std::unordered_map<const Node*, int> positions_;
  std::vector<Linear> linears_;
  std::unordered_map<const Node*, size_t> linear_of_;
  std::vector<bool> is_hidden_;
};

}  // namespace terse
