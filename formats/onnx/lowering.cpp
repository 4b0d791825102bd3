#include "formats/onnx/lowering.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "formats/onnx/data_types.h"
#include "formats/onnx/lowering_context.h"
#include "formats/onnx/upgrade.h"

namespace terse::onnx {
namespace {

/// All that the nodes want of one weight.
struct Uses {
  bool matmul = false, gemm = false, table = false, plain = false;
  bool integer_input = false;  ///< a linear whose activation comes out of a DequantizeLinear

  bool linear() const { return matmul || gemm; }
  bool only_linear() const { return linear() && !table && !plain; }
};

UseKind use_kind(const Node& node, size_t input) {
  if (input == 1 && (node.is("MatMul") || node.is("Gemm")) && node.get_int("transB", 0) != 0) {
    return UseKind::linear;
  }
  const bool first_axis = (node.is("Gather") && node.get_int("axis", 0) == 0) ||
                          (node.is("GatherND") && node.get_int("batch_dims", 0) == 0);
  return input == 0 && first_axis ? UseKind::table : UseKind::plain;
}

Uses uses_of(const Dataflow& flow, ValueId id) {
  Uses uses;
  for (const Use& use : flow.uses(id)) {
    const UseKind kind = use.node == nullptr ? UseKind::plain : use_kind(*use.node, use.input);
    uses.table |= kind == UseKind::table;
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
bool has_integers(const Weight& w) { return is_affine(w) && integer_opset(*w.encoding).has_value(); }
bool needs_old_opset(const Weight& w) { return has_integers(w) && *integer_opset(*w.encoding) < 21; }

constexpr std::array kPackings = {
    PackingRow{Packing::dense, [](const Weight& w, const Uses&, OnnxStyle) { return w.encoding->dense() != nullptr; }},
    PackingRow{Packing::integer,
               [](const Weight& w, const Uses& uses, OnnxStyle) {
                 return uses.only_linear() && uses.integer_input && needs_old_opset(w);
               }},
    PackingRow{Packing::blocks,
               [](const Weight& w, const Uses& uses, OnnxStyle style) {
                 return style == OnnxStyle::contrib && uses.linear() && is_affine(w) && fits_matmul_nbits(w);
               }},
    PackingRow{Packing::integer,
               [](const Weight& w, const Uses& uses, OnnxStyle style) {
                 return style == OnnxStyle::standard && uses.only_linear() && has_integers(w);
               }},
    PackingRow{Packing::integer,
               [](const Weight& w, const Uses& uses, OnnxStyle) {
                 return uses.plain && !uses.linear() && !uses.table && needs_old_opset(w);
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
  if (!known_bits || !groups || !centroids || e.shape.empty()) {
    throw Error(Kind::unsupported, "ONNX cannot hold the encoding {}; it can hold {}", describe(e), kEncodings);
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
      return *integer_opset(*weight.encoding);
    default:
      return 11;
  }
}

/// Whether the file holds [.., in, out]. Gemm reads both; MatMul does not.
bool is_stored_transposed(const Weight& weight, const Uses& uses) {
  if (weight.packing != Packing::dense && weight.packing != Packing::integer) {
    return false;
  }
  if (!uses.only_linear()) {
    return false;
  }
  const DenseEncoding* dense = weight.encoding->dense();
  return uses.matmul || (dense != nullptr && dense->transposed);
}

/// Lowers one model: plans the packing of every constant, stores it, then rewrites the nodes that use it.
class Lowering {
 public:
  Lowering(const Model& model, const WriteOptions& options) : model_(model), options_(options), context_(result_) {
    result_.graph = deep_copy(model.graph);
    result_.opsets = model.opsets;
    result_.ir_version = model.ir_version;
  }

  Lowered run() {
    plan();
    raise_opset();
    for (const ValueId id : order_) {
      store(weights_.at(id));
    }
    for_each_block(result_.graph.main, [&](Block& block) { rewrite(block); });
    Nodes& nodes = result_.graph.main.nodes;
    nodes.insert(nodes.begin(), std::make_move_iterator(context_.prologue.begin()),
                 std::make_move_iterator(context_.prologue.end()));
    note_versions();
    return std::move(result_);
  }

 private:
  void plan() {
    const Graph& graph = model_.graph;
    const Dataflow flow(graph);
    const DType floats = graph_dtype(graph);
    for (ValueId id = 0; id < static_cast<ValueId>(graph.values.size()); ++id) {
      const Value& value = graph.value(id);
      if (value.constant && !flow.uses(id).empty()) {
        const std::string& shown = value.display_name.empty() ? value.name : value.display_name;
        with_context(fmt::format("tensor '{}'", shown), [&] { plan(id, uses_of(flow, id), flow, floats); });
      }
    }
  }

  void plan(ValueId id, const Uses& uses, const Dataflow& flow, DType floats) {
    const Value& value = model_.graph.value(id);
    Weight weight{.id = id, .encoding = value.constant, .dtype = weight_dtype(value, floats)};
    check_encoding(weight, uses, flow.is_graph_output(id));
    if (flow.is_graph_output(id)) {
      weight.dtype = compute_dtype(*value.constant);
    }
    weight.packing = std::find_if(kPackings.begin(), kPackings.end(), [&](const PackingRow& row) {
                       return row.fits(weight, uses, options_.onnx_style);
                     })->packing;
    weight.transposed = is_stored_transposed(weight, uses);
    if (weight.packing == Packing::blocks) {
      weight.block = matmul_nbits_block(*weight.encoding);
      weight.shared = !uses.only_linear();
    }
    needed_opset_ = std::max(needed_opset_, needed_opset(weight));
    weights_.emplace(id, std::move(weight));
    order_.push_back(id);
  }

  /// Operators that the upgrade adds bring small dense constants.
  void raise_opset() {
    const auto own = result_.opsets.find("");
    if (own == result_.opsets.end() || own->second >= needed_opset_) {
      return;
    }
    const auto before = static_cast<ValueId>(result_.graph.values.size());
    upgrade(result_.graph, result_.opsets, std::max<int64_t>(needed_opset_, 18));
    const auto after = static_cast<ValueId>(result_.graph.values.size());
    for (ValueId id = before; id < after; ++id) {
      const EncodingPtr constant = result_.graph.value(id).constant;
      if (constant) {
        weights_.emplace(id, Weight{.id = id, .encoding = constant, .dtype = compute_dtype(*constant)});
        order_.push_back(id);
      }
    }
  }

  void store(Weight& weight) {
    switch (weight.packing) {
      case Packing::dense:
        return store_dense(context_, weight);
      case Packing::integer:
        return store_integer(context_, weight);
      case Packing::blocks:
        return store_blocks(context_, weight);
      case Packing::rows:
        return store_rows(context_, weight);
    }
  }

  void rewrite(Block& block) {
    Nodes nodes;
    nodes.reserve(block.nodes.size());
    for (Node& node : block.nodes) {
      rewrite(std::move(node), nodes);
    }
    block.nodes = std::move(nodes);
  }

  /// An idiom replaces the whole node, so the other inputs are settled before it is made.
  void rewrite(Node node, Nodes& nodes) {
    Weight* multiplied = nullptr;
    Weight* picked = nullptr;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      const auto found = weights_.find(node.inputs[i]);
      if (found == weights_.end()) {
        continue;
      }
      Weight& weight = found->second;
      const UseKind kind = use_kind(node, i);
      if (kind == UseKind::linear) {
        multiplied = &weight;
      } else if (kind == UseKind::table && needs_table_idiom(weight)) {
        picked = &weight;
      } else {
        node.inputs[i] = value_of(weight).value;
      }
    }
    if (picked != nullptr) {
      return emit_table(*picked, node, nodes);
    }
    if (multiplied != nullptr && multiplied->packing == Packing::blocks) {
      return emit_matmul_nbits(context_, *multiplied, node, nodes);
    }
    if (multiplied != nullptr) {
      set_right_operand(node, *multiplied);
    } else if (node.is("MatMul") && node.get_int("transB", 0) != 0) {
      throw Error(Kind::internal, "{} multiplies by the transpose of what is no constant",
                  describe(model_.graph, node));
    }
    nodes.push_back(std::move(node));
  }

  static bool needs_table_idiom(const Weight& weight) {
    return weight.packing != Packing::dense || weight.dense().dtype != weight.dtype;
  }

  void emit_table(Weight& weight, const Node& node, Nodes& nodes) {
    if (weight.packing == Packing::dense) {
      return emit_cast_gather(weight, node, nodes);
    }
    if (is_affine(weight) && options_.onnx_style == OnnxStyle::contrib && fits_gather_block_quantized(weight, node)) {
      return emit_gather_block_quantized(context_, weight, node, nodes);
    }
    emit_arithmetic_gather(context_, weight, node, nodes);
  }

  /// Widens the rows that were picked, not the table.
  void emit_cast_gather(const Weight& weight, const Node& node, Nodes& nodes) {
    Node gather = node;
    gather.outputs = {context_.graph().add(context_.name(node.output(0)) + "_stored")};
    Nodes cast;
    context_.emit(cast, "Cast", {gather.outputs[0]}, node.name + "/Cast",
                  {{"to", int64_t{get_data_type(weight.dtype).number}}});
    cast.back().outputs = node.outputs;
    cast.back().metadata = node.metadata;
    nodes.push_back(std::move(gather));
    nodes.push_back(std::move(cast.back()));
  }

  Operand value_of(Weight& weight) {
    switch (weight.packing) {
      case Packing::dense:
        return {dense_value(context_, weight), weight.transposed};
      case Packing::integer:
        return {integer_value(context_, weight), weight.transposed};
      default:
        return {arithmetic_value(context_, weight), false};
    }
  }

  void set_right_operand(Node& node, Weight& weight) {
    const Operand operand = value_of(weight);
    node.inputs[1] = operand.value;
    node.erase("transB");
    node.erase("accuracy_level");  // of the MatMulNBits that this once was
    if (operand.transposed) {
      return;
    }
    if (node.is("Gemm")) {
      node.set("transB", int64_t{1});
    } else {
      node.inputs[1] = transposed(weight, operand.value);
    }
  }

  ValueId transposed(Weight& weight, ValueId value) {
    if (weight.as_transposed == kNoValue) {
      std::vector<int64_t> permutation;
      for (size_t i = 0; i < weight.encoding->shape.size(); ++i) {
        permutation.push_back(static_cast<int64_t>(i));
      }
      std::iter_swap(permutation.end() - 1, permutation.end() - 2);
      weight.as_transposed = context_.emit(context_.prologue, "Transpose", {value},
                                           context_.name(weight.id) + "_transposed", {{"perm", permutation}});
    }
    return weight.as_transposed;
  }

  void note_versions() {
    constexpr int64_t kInitializersNeedNotBeInputs = 4;
    constexpr int64_t kFourBitIntegers = 10;
    constexpr int64_t kOfModelsBuiltHere = 10;  // of opset 21 to 23
    int64_t needed = kInitializersNeedNotBeInputs;
    for (const Initializer& i : result_.initializers) {
      needed = std::max(needed, row(i.dtype).bits < 8 && i.dtype != DType::string ? kFourBitIntegers : needed);
    }
    if (model_.ir_version == 0) {
      result_.ir_version = kOfModelsBuiltHere;
    }
    result_.ir_version = std::max(result_.ir_version, needed);
    for_each_node(std::as_const(result_.graph.main), [&](const Node& node) {
      if (!node.domain.empty()) {
        result_.opsets.try_emplace(node.domain, 1);
      }
    });
  }

  const Model& model_;
  const WriteOptions& options_;
  Lowered result_;
  Context context_;
  std::unordered_map<ValueId, Weight> weights_;
  std::vector<ValueId> order_;
  int64_t needed_opset_ = 1;
};

}  // namespace

Lowered lower(const Model& model, const WriteOptions& options) { return Lowering(model, options).run(); }

void check(const Model& model, const WriteOptions& options) { lower(model, options); }

}  // namespace terse::onnx
