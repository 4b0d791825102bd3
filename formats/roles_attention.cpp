#include "formats/roles_attention.h"

#include <algorithm>
#include <array>
#include <climits>

namespace terse {
namespace {

/// Attention as one operator; v is missing where keys and values, or all three, come packed.
struct FusedRow {
  std::string_view domain, op;
  size_t q, k, v;
};
constexpr std::array kFused = {
    FusedRow{"", "Attention", 0, 1, 2},
    FusedRow{"com.microsoft", "DecoderMaskedMultiHeadAttention", 0, 1, 2},
    FusedRow{"com.microsoft", "GroupQueryAttention", 0, 1, 2},
    FusedRow{"com.microsoft", "MultiHeadAttention", 0, 1, 2},
};

/// More linears than these behind one operand: the trace has left the block.
constexpr size_t kMostLinears = 2;

std::vector<size_t> linears_behind(const Flows& flows, ValueId id) {
  if (id == kNoValue) {
    return {};
  }
  const Trace trace = flows.trace_back(id, kElementwise | kNorm);
  return trace.linears.size() <= kMostLinears ? trace.linears : std::vector<size_t>{};
}

bool is_product_of_activations(const Flows& flows, const Node& node) {
  return node.is("MatMul") && node.inputs.size() == 2 && !flows.linear_of(&node) &&
         !flows.graph().is_constant(node.inputs[0]) && !flows.graph().is_constant(node.inputs[1]);
}

/// The scores' product: the last one in front of a Softmax, through scales, masks and caps.
const Node* find_scores(const Flows& flows, const Node& softmax) {
  std::vector<ValueId> open = {softmax.input(0)};
  std::set<ValueId> seen(open.begin(), open.end());
  const Node* scores = nullptr;
  while (!open.empty()) {
    const ValueId id = open.back();
    open.pop_back();
    const Node* node = id == kNoValue ? nullptr : flows.dataflow().producer(id);
    if (node == nullptr) {
      continue;
    }
    if (is_product_of_activations(flows, *node)) {
      scores = flows.position(node) > flows.position(scores) ? node : scores;
      continue;
    }
    const FlowRow* row = find_flow(*node);
    if (row == nullptr || (row->flow & kElementwise) == 0 || flows.linear_of(node)) {
      continue;
    }
    for (const ValueId input : data_inputs(*node, *row)) {
      if (seen.insert(input).second) {
        open.push_back(input);
      }
    }
  }
  return scores;
}

/// The product of the shares with the values.
Use find_values(const Flows& flows, const Node& softmax) {
  Use found;
  flows.walk_forward(softmax.output(0), [&](const Use& use) {
    if (is_product_of_activations(flows, *use.node)) {
      found = found.node == nullptr ? use : found;
      return false;
    }
    return found.node == nullptr && !flows.linear_of(use.node) && carries(*use.node, use.input, kElementwise);
  });
  return found;
}

/// The first linears behind a value that is only moved and scaled on the way.
std::vector<size_t> linears_ahead(const Flows& flows, ValueId from) {
  std::vector<size_t> linears;
  flows.walk_forward(from, [&](const Use& use) {
    if (const auto linear = flows.linear_of(use.node)) {
      linears.push_back(*linear);
      return false;
    }
    return !use.node->is("Add") && !use.node->is("Sub") && carries(*use.node, use.input, kElementwise | kNorm);
  });
  return linears;
}

std::optional<Attention> spelled_out(const Flows& flows, const Node& softmax) {
  const Node* scores = softmax.is("Softmax") ? find_scores(flows, softmax) : nullptr;
  const Use values = scores == nullptr ? Use{} : find_values(flows, softmax);
  if (values.node == nullptr) {
    return std::nullopt;
  }
  return Attention{.q = linears_behind(flows, scores->inputs[0]),
                   .k = linears_behind(flows, scores->inputs[1]),
                   .v = linears_behind(flows, values.node->inputs[1 - values.input]),
                   .context = values.node->output(0)};
}

std::optional<Attention> fused(const Flows& flows, const Node& node) {
  for (const FusedRow& row : kFused) {
    if (node.is(row.op, row.domain)) {
      const auto q = linears_behind(flows, node.input(row.q));
      const bool is_packed = node.input(row.k) == kNoValue;
      return Attention{.q = q,
                       .k = is_packed ? q : linears_behind(flows, node.input(row.k)),
                       .v = node.input(row.v) == kNoValue ? (is_packed ? q : linears_behind(flows, node.input(row.k)))
                                                          : linears_behind(flows, node.input(row.v)),
                       .context = node.output(0)};
    }
  }
  return std::nullopt;
}

int source_position(const Flows& flows, const std::vector<size_t>& linears) {
  int first = INT_MAX;
  for (const size_t index : linears) {
    const ValueId source = flows.source_of(flows.linears()[index].activation);
    first = std::min(first, flows.position(flows.dataflow().producer(source)));
  }
  return first;
}

/// True if nobody but linears (and shape arithmetic) reads the value: it is no residual.
bool is_for_linears_alone(const Flows& flows, ValueId id) {
  bool is_alone = true;
  flows.walk_forward(id, [&](const Use& use) {
    const bool is_form = use.input == 0 && flows.source_of(use.node->output(0)) == id;
    is_alone = is_alone && (is_form || flows.linear_of(use.node) || use.node->is("Shape"));
    return is_form;
  });
  return is_alone && !flows.dataflow().is_graph_output(id);
}

void find_start(const Flows& flows, Attention& attention) {
  attention.first_position = INT_MAX;
  for (const auto* operand : {&attention.q, &attention.k, &attention.v}) {
    for (const size_t index : *operand) {
      const ValueId source = flows.source_of(flows.linears()[index].activation);
      const int made_at = flows.position(flows.dataflow().producer(source));
      if (made_at < attention.first_position) {
        attention.has_own_norm = is_for_linears_alone(flows, source);
        attention.first_position = made_at;
      }
    }
  }
  attention.first_position += attention.has_own_norm ? 0 : 1;
}

bool is_cross(const Flows& flows, const Attention& attention, const Attention* previous) {
  if (previous == nullptr || attention.q.empty()) {
    return false;
  }
  return attention.k.empty() || (source_position(flows, attention.k) != source_position(flows, attention.q) &&
                                 source_position(flows, attention.k) < previous->position);
}

}  // namespace

std::vector<Attention> find_attentions(const Flows& flows) {
  std::vector<Attention> attentions;
  for (const Node* node : flows.nodes()) {
    auto attention = spelled_out(flows, *node);
    attention = attention ? attention : fused(flows, *node);
    if (!attention || (attention->q.empty() && attention->k.empty() && attention->v.empty())) {
      continue;
    }
    attention->position = flows.position(node);
    attention->output = linears_ahead(flows, attention->context);
    attention->is_cross = is_cross(flows, *attention, attentions.empty() ? nullptr : &attentions.back());
    find_start(flows, *attention);
    attentions.push_back(std::move(*attention));
  }
  return attentions;
}

}  // namespace terse
