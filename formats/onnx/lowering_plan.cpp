#include <algorithm>
#include <array>

#include "formats/blocks/affine_blocks.h"
#include "formats/onnx/lowering_context.h"

// Planning: which packing every constant gets, from all of its uses, before anything is made.

namespace terse::onnx {
namespace {

/// All that the nodes want of one weight.
struct Uses {
  bool matmul = false, gemm = false, plain = false;
  bool table = false;          ///< rows are picked, and read as they stand
  bool experts = false;        ///< matrices are picked, and read by MatMuls that say transB = 1
  bool integer_input = false;  ///< a linear whose activation comes out of a DequantizeLinear

  bool linear() const { return matmul || gemm; }
  bool picked() const { return table || experts; }
  bool only_linear() const { return linear() && !picked() && !plain; }
};

Uses uses_of(const Dataflow& flow, ValueId id) {
  Uses uses;
  for (const Use& use : flow.uses(id)) {
    const UseKind kind = use.node == nullptr ? UseKind::plain : use_kind(*use.node, use.input);
    if (kind == UseKind::table) {
      (is_turned(flow, use.node->output(0)) ? uses.experts : uses.table) = true;
    }
    uses.plain |= kind == UseKind::plain;
    if (kind != UseKind::linear) {
      continue;
    }
    (use.node->is("MatMul") ? uses.matmul : uses.gemm) = true;
    const ValueId input = use.node->input(0);
    const Node* producer = input == kNoValue ? nullptr : flow.producer(input);
    uses.integer_input |= producer != nullptr && producer->is("DequantizeLinear");
  }
  return uses;
}

/// The float type that most values of the graph have.
DType graph_dtype(const Graph& graph) {
  std::array<int64_t, 32> counts = {};
  for (const Value& value : graph.values) {
    if (value.type && is_float(value.type->dtype)) {
      ++counts.at(static_cast<size_t>(value.type->dtype));
    }
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return *most == 0 ? DType::f32 : static_cast<DType>(most - counts.begin());
}

/// The float type that the uses of a constant compute in: what its file says, else f32 and f64 are meant as they are
/// and shorter ones are storage.
DType weight_dtype(const Value& value, DType graph_dtype) {
  const DType own = compute_dtype(*value.constant);
  if (value.constant->dense() != nullptr && !is_float(own)) {
    return own;
  }
  if (value.type && is_float(value.type->dtype)) {
    return value.type->dtype;
  }
  const bool dense = value.constant->dense() != nullptr;
  return dense && (own == DType::f32 || own == DType::f64) ? own : graph_dtype;
}

/// Planning: which packing a weight gets.
struct PackingRow {
  Packing packing;
  bool (*fits)(const Weight& weight, const Uses& uses, OnnxStyle style);
};

bool is_affine(const Weight& w) { return w.encoding->affine() != nullptr; }
bool has_integers(const Weight& w) { return is_affine(w) && integer_opset(w).has_value(); }
/// DequantizeLinear as all opsets of today know it.
bool has_old_integers(const Weight& w) { return has_integers(w) && *integer_opset(w) <= 13; }

constexpr std::array kPackings = {
    PackingRow{Packing::dense, [](const Weight& w, const Uses&, OnnxStyle) { return w.encoding->dense() != nullptr; }},
    PackingRow{Packing::integer,
               [](const Weight& w, const Uses& uses, OnnxStyle) {
                 return uses.only_linear() && uses.integer_input && has_old_integers(w);
               }},
    PackingRow{Packing::blocks,
               [](const Weight& w, const Uses& uses, OnnxStyle style) {
                 return style != OnnxStyle::standard && uses.linear() && is_affine(w) && fits_matmul_nbits(w);
               }},
    PackingRow{Packing::integer,
               [](const Weight& w, const Uses& uses, OnnxStyle style) {
                 return style == OnnxStyle::standard && uses.only_linear() && has_integers(w);
               }},
    PackingRow{Packing::integer,
               [](const Weight& w, const Uses& uses, OnnxStyle) {
                 return uses.plain && !uses.linear() && !uses.picked() && has_old_integers(w);
               }},
    PackingRow{Packing::rows, [](const Weight&, const Uses&, OnnxStyle) { return true; }},
};

void check_encoding(const Weight& weight, const Uses& uses, bool is_output) {
  const Encoding& e = *weight.encoding;
  if (e.dense() != nullptr) {
    return;
  }
  const AffineEncoding* affine = e.affine();
  const CodebookEncoding* book = e.codebook();
  const bool known_bits = affine == nullptr || affine->bits == 2 || affine->bits == 4 || affine->bits == 8;
  const bool groups =
      affine == nullptr || (affine->group_columns > 0 && (affine->group_rows == 1 || affine->group_rows >= e.rows()));
  const bool centroids = book == nullptr || (book->centroids >= 2 && book->centroids <= 256 && book->group_rows > 0 &&
                                             e.rows() % book->group_rows == 0);
  if (!known_bits || !groups || !centroids || e.blocks() != nullptr || e.shape.empty()) {
    throw Error(Kind::unsupported, "ONNX cannot hold the encoding {}; it can hold {}{}", describe(e), kEncodings,
                e.blocks() == nullptr ? "" : "; cast,codes=decode (convert --dtype) makes floats of it");
  }
  if (is_output && uses.plain) {
    throw Error(Kind::unsupported,
                "it is an output of the graph and cannot be {} in ONNX; leave it out with except=", describe(e));
  }
}

/// The oldest opset that has the operators of a packing.
int64_t needed_opset(const Weight& weight) {
  switch (weight.packing) {
    case Packing::dense:
      return 1;
    case Packing::integer:
      return *integer_opset(weight);
    default:
      return 11;
  }
}

/// Whether the file holds [.., in, out], as MatMul wants it. Gemm reads both.
bool is_stored_transposed(const Weight& weight, const Uses& uses) {
  const DenseEncoding* dense = weight.encoding->dense();
  if (dense == nullptr) {
    return weight.packing == Packing::integer && uses.only_linear() && uses.matmul;
  }
  if (uses.plain || uses.table || !(uses.linear() || uses.experts)) {
    return false;
  }
  return uses.matmul || uses.experts || dense->transposed;
}

struct PlanOptions {
  DType floats;  ///< of the graph
  OnnxStyle style;
};

Weight plan_weight(const Graph& graph, ValueId id, const Dataflow& flow, const PlanOptions& options) {
  const Value& value = graph.value(id);
  const Uses uses = uses_of(flow, id);
  Weight weight{.id = id, .encoding = as_affine(value.constant), .dtype = weight_dtype(value, options.floats)};
  check_encoding(weight, uses, flow.is_graph_output(id));
  if (flow.is_graph_output(id)) {
    weight.dtype = compute_dtype(*value.constant);
  }
  weight.packing = std::find_if(kPackings.begin(), kPackings.end(), [&](const PackingRow& row) {
                     return row.fits(weight, uses, options.style);
                   })->packing;
  weight.transposed = is_stored_transposed(weight, uses);
  if (weight.packing == Packing::blocks) {
    weight.block = matmul_nbits_block(*weight.encoding);
    weight.shared = !uses.only_linear();
  }
  return weight;
}

}  // namespace

UseKind use_kind(const Node& node, size_t input) {
  if (input == 1 && (node.is("MatMul") || node.is("Gemm")) && node.get_int("transB", 0) != 0) {
    return UseKind::linear;
  }
  const bool first_axis = (node.is("Gather") && node.get_int("axis", 0) == 0) ||
                          (node.is("GatherND") && node.get_int("batch_dims", 0) == 0);
  return input == 0 && first_axis ? UseKind::table : UseKind::plain;
}

bool is_turned(const Dataflow& flow, ValueId value) {
  return value != kNoValue && std::any_of(flow.uses(value).begin(), flow.uses(value).end(), [](const Use& use) {
           return use.node != nullptr && use.input == 1 && use.node->is("MatMul") &&
                  use.node->get_int("transB", 0) != 0;
         });
}

Plan plan_weights(const Model& model, OnnxStyle style) {
  const Graph& graph = model.graph;
  const Dataflow flow(graph);
  const DType floats = graph_dtype(graph);
  Plan plan;
  for (ValueId id = 0; id < static_cast<ValueId>(graph.values.size()); ++id) {
    const Value& value = graph.value(id);
    if (is_turned(flow, id)) {
      plan.turned.insert(id);
    }
    if (value.constant && !flow.uses(id).empty()) {
      const std::string& shown = value.display_name.empty() ? value.name : value.display_name;
      plan.weights.push_back(with_context(fmt::format("tensor '{}'", shown), [&] {
        return plan_weight(graph, id, flow, {floats, style});
      }));
      plan.opset = std::max(plan.opset, needed_opset(plan.weights.back()));
    }
  }
  return plan;
}

}  // namespace terse::onnx
