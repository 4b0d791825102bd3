#include "formats/onnx/lowering.h"

#include <algorithm>
#include <unordered_map>

#include "formats/onnx/data_types.h"
#include "formats/onnx/lowering_context.h"
#include "formats/onnx/upgrade.h"

namespace terse::onnx {
namespace {

/// Lowers one model: plans the packing of every constant, stores it, then rewrites the nodes that use it.
class Lowering {
 public:
  Lowering(const Model& model, const WriteOptions& options)
      : model_(model), options_(options), plan_(plan_weights(model, options.onnx_style)), context_(result_) {
    result_.graph = deep_copy(model.graph);
    result_.opsets = model.opsets;
    result_.ir_version = model.ir_version;
  }

  Lowered run() {
    raise_opset();
    for (Weight& weight : plan_.weights) {
      by_value_.emplace(weight.id, &weight);
      store(weight);
    }
    for_each_block(result_.graph.main, [&](Block& block) { rewrite(block); });
    Nodes& nodes = result_.graph.main.nodes;
    nodes.insert(nodes.begin(), std::make_move_iterator(context_.prologue.begin()),
                 std::make_move_iterator(context_.prologue.end()));
    if (options_.onnx_style == OnnxStyle::fast) {
      permit_rounded_activations();
    }
    note_versions();
    return std::move(result_);
  }

 private:
  /// Operators that the upgrade adds bring small dense constants.
  void raise_opset() {
    const auto own = result_.opsets.find("");
    if (own == result_.opsets.end() || own->second >= plan_.opset) {
      return;
    }
    const auto before = static_cast<ValueId>(result_.graph.values.size());
    upgrade(result_.graph, result_.opsets, std::max<int64_t>(plan_.opset, 18));
    const auto after = static_cast<ValueId>(result_.graph.values.size());
    for (ValueId id = before; id < after; ++id) {
      const EncodingPtr constant = result_.graph.value(id).constant;
      if (constant) {
        plan_.weights.push_back({.id = id, .encoding = constant, .dtype = compute_dtype(*constant)});
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
      const auto found = by_value_.find(node.inputs[i]);
      if (found == by_value_.end()) {
        continue;
      }
      Weight& weight = *found->second;
      const UseKind kind = use_kind(node, i);
      if (kind == UseKind::linear) {
        multiplied = &weight;
      } else if (kind == UseKind::table) {
        picked = &weight;
      } else {
        node.inputs[i] = value_of(weight).value;
      }
    }
    if (picked != nullptr) {
      return pick(*picked, std::move(node), nodes);
    }
    if (multiplied != nullptr && multiplied->packing == Packing::blocks) {
      return emit_matmul_nbits(context_, *multiplied, node, nodes);
    }
    if (multiplied != nullptr) {
      set_right_operand(node, *multiplied);
    } else if (node.is("MatMul") && plan_.turned.contains(node.input(1))) {
      node.erase("transB");  // `pick` has turned it
    }
    nodes.push_back(std::move(node));
  }

  /// MatMuls behind that say transB = 1 get what they read turned, under the name that it had in the file.
  void pick(Weight& weight, Node node, Nodes& nodes) {
    const ValueId read = node.output(0);
    if (!plan_.turned.contains(read) || weight.transposed) {
      return emit_table(weight, node, nodes);
    }
    node.outputs = {context_.graph().add(context_.name(read) + "_untransposed")};
    const ValueId picked = node.outputs[0];
    emit_table(weight, node, nodes);
    context_.emit(nodes, "Einsum", {picked}, node.name + "/Transpose", {{"equation", std::string("...ij->...ji")}});
    nodes.back().outputs = {read};
    nodes.back().metadata = node.metadata;
  }

  void emit_table(Weight& weight, const Node& node, Nodes& nodes) {
    if (weight.packing == Packing::dense) {
      emit_dense_gather(weight, node, nodes);
    } else if (weight.encoding->affine() != nullptr && options_.onnx_style != OnnxStyle::standard &&
               fits_gather_block_quantized(weight, node)) {
      emit_gather_block_quantized(context_, weight, node, nodes);
    } else {
      emit_arithmetic_gather(context_, weight, node, nodes);
    }
  }

  /// Widens the rows that were picked, not the table.
  void emit_dense_gather(const Weight& weight, const Node& node, Nodes& nodes) {
    if (weight.dense().dtype == weight.dtype) {
      return nodes.push_back(node);
    }
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

  /// On CPUs onnxruntime 1.31 multiplies by 4-bit codes as they are, but widens an 8-bit matrix anew for every product
  /// unless it may round the activations to 8 bits a block: a token through SmolLM2's head then takes 1.5 ms, not 140,
  /// and the model's KL divergence goes from 0.309 to 0.310 nats. A level that a file has set is left.
  void permit_rounded_activations() {
    for_each_node(result_.graph.main, [](Node& node) {
      constexpr int64_t kRoundedActivations = 4;
      const bool is_slow = node.is("MatMulNBits", "com.microsoft") && node.get_int("bits", 4) == 8;
      if (is_slow && node.find("accuracy_level") == nullptr) {
        node.set("accuracy_level", kRoundedActivations);
      }
    });
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
  Plan plan_;
  Context context_;
  std::unordered_map<ValueId, Weight*> by_value_;
};

}  // namespace

Lowered lower(const Model& model, const WriteOptions& options) { return Lowering(model, options).run(); }

}  // namespace terse::onnx
