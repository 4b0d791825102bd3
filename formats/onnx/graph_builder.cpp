#include "formats/onnx/graph_builder.h"

#include <algorithm>
#include <unordered_set>

#include "formats/error.h"
#include "formats/onnx/attributes.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/scope.h"
#include "formats/onnx/value_info.h"

namespace terse::onnx {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<::onnx::NodeProto>;

/// Outputs of a call that are other values of the body.
using Copies = std::vector<std::pair<std::string_view, ValueId>>;

/// What a call's values and nodes are named after.
std::string_view call_name(const ::onnx::NodeProto& call) {
  const bool has_output = call.output_size() > 0 && !call.output(0).empty();
  return !call.name().empty() ? call.name() : has_output ? call.output(0) : call.op_type();
}

class Builder {
 public:
  Builder(const ::onnx::ModelProto& model, TensorReader& tensors)
      : model_(model), tensors_(tensors), functions_(model) {}

  Graph build() {
    Scope scope;
    graph_.main = read_block(model_.graph(), scope);
    return std::move(graph_);
  }

 private:
  Block read_block(const ::onnx::GraphProto& proto, Scope& scope) {
    Block block = {.name = proto.name(), .doc = proto.doc_string(), .metadata = metadata_of(proto)};
    declare_inputs(block, proto, scope);
    declare_initializers(proto, scope);
    declare_outputs_of(proto.node(), scope, {});
    for (const auto* infos : {&proto.input(), &proto.output(), &proto.value_info()}) {
      describe_values(*infos, scope);
    }
    read_nodes(block, proto.node(), scope);
    for (const auto& output : proto.output()) {
      block.outputs.push_back(get(output.name(), scope, "output"));
    }
    return block;
  }

  ValueId add_value(const std::string& name, const Scope& scope) {
    graph_.values.push_back({.name = names_.make(scope.prefix() + name)});
    return static_cast<ValueId>(graph_.values.size() - 1);
  }

  ValueId declare(const std::string& name, Scope& scope) {
    if (name.empty()) {
      throw Error(Kind::input, "an input or initialiser has no name");
    }
    const ValueId id = add_value(name, scope);
    if (!scope.declare(name, id)) {
      throw Error(Kind::input, "value '{}' is made twice", name);
    }
    return id;
  }

  void declare_inputs(Block& block, const ::onnx::GraphProto& proto, Scope& scope) {
    std::unordered_set<std::string_view> initializers;
    for (const auto& initializer : proto.initializer()) {
      initializers.insert(initializer.name());
    }
    for (const auto& input : proto.input()) {
      if (!initializers.contains(input.name())) {
        block.inputs.push_back(declare(input.name(), scope));
      }
    }
  }

  void declare_initializers(const ::onnx::GraphProto& proto, Scope& scope) {
    for (const auto& initializer : proto.initializer()) {
      Value& value = graph_.value(declare(initializer.name(), scope));
      value.constant = with_context(fmt::format("initialiser '{}'", initializer.name()),
                                    [&] { return make_dense(tensors_.read(initializer)); });
      value.doc = initializer.doc_string();
      value.metadata = metadata_of(initializer);
    }
    if (proto.sparse_initializer_size() > 0) {
      throw Error(Kind::unsupported, "initialiser '{}' is sparse, expected dense ones",
                  proto.sparse_initializer(0).values().name());
    }
  }

  /// `bound`: names that are declared already and that a node may make.
  void declare_outputs_of(const Nodes& nodes, Scope& scope, const std::unordered_set<std::string_view>& bound) {
    for (const auto& node : nodes) {
      for (const auto& output : node.output()) {
        if (!output.empty() && !bound.contains(output)) {
          declare(output, scope);
        }
      }
    }
  }

  void describe_values(const google::protobuf::RepeatedPtrField<::onnx::ValueInfoProto>& infos, const Scope& scope) {
    for (const auto& info : infos) {
      if (const auto id = scope.find_local(info.name())) {
        describe_value(graph_.value(*id), info);
      }
    }
  }

  ValueId get(const std::string& name, const Scope& scope, std::string_view use) const {
    const auto id = scope.find(name);
    if (!id || (*id == kNoValue && use == "output")) {
      throw Error(Kind::input, "{} '{}' is made by no node and is no initialiser", use, name);
    }
    return *id;
  }

  void read_nodes(Block& block, const Nodes& protos, const Scope& scope) {
    for (const auto& proto : protos) {
      Node node = with_context(describe(proto, scope.prefix()), [&] { return convert(proto, scope); });
      if (const Function* function = functions_.find(proto)) {
        inline_call(block, proto, node, *function, scope);
      } else if (!make_constant(node)) {
        block.nodes.push_back(std::move(node));
      }
    }
  }

  /// True if the node is a Constant: its output is one now.
  bool make_constant(const Node& node) {
    if (!node.is("Constant") || node.output(0) == kNoValue) {
      return false;
    }
    const auto tensor = with_context(terse::describe(graph_, node), [&] { return constant_tensor(node); });
    if (tensor) {
      graph_.value(node.output(0)).constant = make_dense(*tensor);
    }
    return tensor.has_value();
  }

  Node convert(const ::onnx::NodeProto& proto, const Scope& scope) {
    Node node = {.domain = canonical_domain(proto.domain()),
                 .op_type = proto.op_type(),
                 .name = proto.name().empty() ? "" : scope.prefix() + proto.name(),
                 .overload = overload_of(proto),
                 .inputs = {},
                 .outputs = {},
                 .attributes = {},
                 .doc = proto.doc_string(),
                 .metadata = metadata_of(proto)};
    for (const auto& input : proto.input()) {
      node.inputs.push_back(input.empty() ? kNoValue : get(input, scope, "input"));
    }
    for (const auto& output : proto.output()) {
      node.outputs.push_back(output.empty() ? kNoValue : *scope.find_local(output));
    }
    for (const auto& attribute : proto.attribute()) {
      read_attribute_of(node, attribute, scope);
    }
    return node;
  }

  void read_attribute_of(Node& node, const ::onnx::AttributeProto& proto, const Scope& scope) {
    with_context(fmt::format("attribute '{}'", proto.name()), [&] {
      if (node.find(proto.name()) != nullptr) {
        throw Error(Kind::input, "stands there twice");
      }
      if (auto value = read_attribute(proto, scope.attributes(), tensors_, block_reader(scope))) {
        functions_.charge(proto.ref_attr_name().empty() ? 0 : copied_bytes(*value));
        node.attributes.push_back({proto.name(), *std::move(value)});
      }
    });
  }

  ReadBlock block_reader(const Scope& scope) {
    return [this, &scope](const ::onnx::GraphProto& proto) {
      Scope inner = Scope::inside(scope);
      return std::make_shared<Block>(read_block(proto, inner));
    };
  }

  /// Puts the body of a function in the place of `call`, which `node` is with its names resolved.
  void inline_call(Block& block, const ::onnx::NodeProto& call, const Node& node, const Function& function,
                   const Scope& caller) {
    Bindings attributes;
    Copies copies;
    const Scope body = with_context(describe(call, caller.prefix()), [&] {
      attributes = bind_attributes(node, function);
      Scope scope = Scope::of_call(caller, call_name(call), attributes);
      functions_.charge(function.copy_bytes(std::ssize(scope.prefix())));
      bind_inputs(node, *function.proto, scope);
      const auto outputs = bind_outputs(node, *function.proto, scope, copies);
      declare_outputs_of(function.proto->node(), scope, outputs);
      return scope;
    });
    read_nodes(block, function.proto->node(), body);
    for (const auto& [name, target] : copies) {
      block.nodes.push_back({.op_type = "Identity", .inputs = {*body.find_local(name)}, .outputs = {target}});
    }
  }

  Bindings bind_attributes(const Node& call, const Function& function) {
    Bindings bindings;
    for (const Attribute& attribute : call.attributes) {
      bindings.emplace(attribute.name, attribute.value);
    }
    const Scope nowhere;
    for (const auto& proto : function.defaults) {
      if (!bindings.contains(proto.name())) {
        if (auto value = read_attribute(proto, nullptr, tensors_, block_reader(nowhere))) {
          bindings.emplace(proto.name(), *std::move(value));
        }
      }
    }
    return bindings;
  }

  static void bind_inputs(const Node& call, const ::onnx::FunctionProto& function, Scope& body) {
    if (std::ssize(call.inputs) > function.input_size()) {
      throw Error(Kind::input, "{} inputs, but the function has {}", call.inputs.size(), function.input_size());
    }
    for (int i = 0; i < function.input_size(); ++i) {
      if (!body.declare(function.input(i), call.input(static_cast<size_t>(i)))) {
        throw Error(Kind::input, "the function has two inputs '{}'", function.input(i));
      }
    }
  }

  /// Names the call's outputs in the body; the names are returned. An output that is an input too, or that stands there
  /// twice, is added to `copies` instead.
  std::unordered_set<std::string_view> bind_outputs(const Node& call, const ::onnx::FunctionProto& function,
                                                    Scope& body, Copies& copies) {
    if (std::ssize(call.outputs) > function.output_size()) {
      throw Error(Kind::input, "{} outputs, but the function has {}", call.outputs.size(), function.output_size());
    }
    std::unordered_set<std::string_view> names;
    for (int i = 0; i < function.output_size(); ++i) {
      const ValueId target = call.output(static_cast<size_t>(i));
      if (target == kNoValue) {
        continue;
      }
      if (body.declare(function.output(i), target)) {
        names.insert(function.output(i));
      } else {
        copies.emplace_back(function.output(i), target);
      }
    }
    return names;
  }

  const ::onnx::ModelProto& model_;
  TensorReader& tensors_;
  FunctionTable functions_;
  UniqueNames names_;
  Graph graph_;
};

}  // namespace

Graph build_graph(const ::onnx::ModelProto& model, TensorReader& tensors) { return Builder(model, tensors).build(); }

}  // namespace terse::onnx
