#include "formats/onnx/upgrade.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>

#include "formats/error.h"

namespace terse::onnx {
namespace {

constexpr int64_t kOldestOpset = 7;  // before it, broadcasting was an attribute

/// A node that is being upgraded, and the nodes that come to stand around it.
struct Site {
  Graph& graph;
  Node node;
  std::vector<Node> before, after;

  std::string new_name(std::string_view what) const {
    const ValueId output = node.output(0);
    const bool unnamed = node.name.empty() && output != kNoValue;
    return fmt::format("{}/{}", unnamed ? graph.value(output).name : node.name, what);
  }
  ValueId add_constant(std::string_view what, Tensor values) const {
    return graph.add_constant(new_name(what), make_dense(std::move(values)));
  }
  void set_input(size_t index, ValueId id) {
    node.inputs.resize(std::max(node.inputs.size(), index + 1), kNoValue);
    node.inputs[index] = id;
  }
  Node make(std::string_view op_type, std::vector<ValueId> inputs, ValueId output) const {
    return {.op_type = std::string(op_type),
            .name = new_name(op_type),
            .inputs = std::move(inputs),
            .outputs = {output},
            .metadata = node.metadata};
  }
};

DType dtype_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.constant) {
    return compute_dtype(*value.constant);
  }
  return value.type ? value.type->dtype : DType::undefined;
}

std::optional<int64_t> rank_of(const Graph& graph, ValueId id) {
  const Value& value = graph.value(id);
  if (value.constant) {
    return static_cast<int64_t>(value.constant->shape.size());
  }
  if (value.type && value.type->shape) {
    return static_cast<int64_t>(value.type->shape->size());
  }
  return std::nullopt;
}

ValueId data_input(const Site& site) {
  if (site.node.input(0) == kNoValue) {
    throw Error(Kind::input, "{} lacks its input 0", site.node.op_type);
  }
  return site.node.inputs[0];
}

void ints_to_input(Site& site, std::string_view attribute, size_t index) {
  const std::vector<int64_t> values = site.node.get_ints(attribute);
  site.node.erase(attribute);
  if (!values.empty()) {
    const Tensor tensor = Tensor::of<int64_t>({static_cast<int64_t>(values.size())}, values);
    site.set_input(index, site.add_constant(attribute, tensor));
  }
}

/// The new input has the type of input 0; where the file does not tell it, a CastLike does.
void float_to_input(Site& site, std::string_view attribute, size_t index) {
  if (site.node.find(attribute) == nullptr) {
    return;
  }
  const Tensor value = Tensor::scalar(site.node.get_float(attribute, 0));
  site.node.erase(attribute);
  const ValueId data = data_input(site);
  const DType dtype = dtype_of(site.graph, data);
  if (is_float(dtype)) {
    site.set_input(index, site.add_constant(attribute, from_f32(value, dtype)));
    return;
  }
  const ValueId untyped = site.add_constant(attribute, value);
  const ValueId typed = site.graph.add(site.new_name("typed"));
  site.before.push_back(site.make("CastLike", {untyped, data}, typed));
  site.set_input(index, typed);
}

void axes_to_input(Site& site) { ints_to_input(site, "axes", 1); }

void upgrade_slice(Site& site) {
  ints_to_input(site, "starts", 1);
  ints_to_input(site, "ends", 2);
  ints_to_input(site, "axes", 3);
}

void upgrade_pad(Site& site) {
  ints_to_input(site, "pads", 1);
  float_to_input(site, "value", 2);
}

void upgrade_clip(Site& site) {
  float_to_input(site, "min", 1);
  float_to_input(site, "max", 2);
}

void upgrade_top_k(Site& site) {
  const int64_t k = site.node.get_int("k", 1);
  site.node.erase("k");
  site.set_input(1, site.add_constant("k", Tensor::of<int64_t>({1}, {k})));
}

/// The ratio is a float whatever the data's type. It matters in training only, but a file that says it keeps it.
void upgrade_dropout(Site& site) {
  if (site.node.find("ratio") != nullptr) {
    const Tensor ratio = Tensor::scalar(site.node.get_float("ratio", 0.5F));
    site.node.erase("ratio");
    site.set_input(1, site.add_constant("ratio", ratio));
  }
}

void refuse_second_output(const Site& site, std::string_view why) {
  if (std::any_of(site.node.outputs.begin() + std::min<ptrdiff_t>(1, std::ssize(site.node.outputs)),
                  site.node.outputs.end(), [](ValueId id) { return id != kNoValue; })) {
    throw Error(Kind::unsupported, "{} with more than one output, {}", site.node.op_type, why);
  }
}

void upgrade_dropout_mask(Site& site) { refuse_second_output(site, "whose mask was no bool before opset 10"); }

void upgrade_batch_normalization_9(Site& site) {
  if (site.node.get_int("spatial", 1) != 1) {
    throw Error(Kind::unsupported, "BatchNormalization with spatial=0 has no form after opset 8");
  }
  site.node.erase("spatial");
}

void upgrade_batch_normalization_14(Site& site) {
  refuse_second_output(site, "which is for training");
  site.node.outputs.resize(std::min<size_t>(site.node.outputs.size(), 1));
}

void upgrade_split(Site& site) {
  if (site.node.input(1) == kNoValue) {
    site.node.set("num_outputs", static_cast<int64_t>(site.node.outputs.size()));
  }
}

/// Before opset 13 the input was taken as a matrix: all dimensions from `axis` on are one distribution.
void upgrade_softmax(Site& site) {
  const int64_t axis = site.node.get_int("axis", 1);
  const ValueId data = data_input(site);
  const auto rank = rank_of(site.graph, data);
  site.node.set("axis", int64_t{-1});
  if (axis == -1 || (rank && axis == *rank - 1)) {
    return;
  }
  const ValueId result = site.node.output(0);
  const ValueId shape = site.graph.add(site.new_name("shape"));
  const ValueId matrix = site.graph.add(site.new_name("matrix"));
  const ValueId normalized = site.graph.add(site.new_name("normalized"));
  site.before.push_back(site.make("Shape", {data}, shape));
  site.before.push_back(site.make("Flatten", {data}, matrix));
  site.before.back().set("axis", axis);
  site.node.inputs[0] = matrix;
  site.node.outputs[0] = normalized;
  Node back = site.make("Reshape", {normalized, shape}, result);
  back.set("allowzero", int64_t{1});
  site.after.push_back(std::move(back));
}

void rename_scatter(Site& site) { site.node.op_type = "ScatterElements"; }

void rename_grid_sample_mode(Site& site) {
  const std::string mode = site.node.get_string("mode", "bilinear");
  site.node.set("mode", mode == "bilinear" ? std::string("linear") : mode == "bicubic" ? std::string("cubic") : mode);
}

void refuse(Site& site) {
  throw Error(Kind::unsupported, "{} is of a form that later opsets do not have", site.node.op_type);
}

struct Row {
  std::string_view op_type;
  int64_t version;  ///< at which the form begins that `apply` makes
  void (*apply)(Site& site);
};

/// Every change of meaning between opset 7 and 23, in order of version; wider types and new optional parts need no row.
constexpr std::array kRows = {
    Row{"BatchNormalization", 9, upgrade_batch_normalization_9},
    Row{"Scan", 9, refuse},
    Row{"Dropout", 10, upgrade_dropout_mask},
    Row{"Slice", 10, upgrade_slice},
    Row{"TopK", 10, upgrade_top_k},
    Row{"Upsample", 10, refuse},
    Row{"Clip", 11, upgrade_clip},
    Row{"Pad", 11, upgrade_pad},
    Row{"Resize", 11, refuse},
    Row{"Scatter", 11, rename_scatter},
    Row{"Dropout", 12, upgrade_dropout},
    Row{"Hardmax", 13, upgrade_softmax},
    Row{"LogSoftmax", 13, upgrade_softmax},
    Row{"ReduceSum", 13, axes_to_input},
    Row{"Softmax", 13, upgrade_softmax},
    Row{"Split", 13, [](Site& site) { ints_to_input(site, "split", 1); }},
    Row{"Squeeze", 13, axes_to_input},
    Row{"Unsqueeze", 13, axes_to_input},
    Row{"BatchNormalization", 14, upgrade_batch_normalization_14},
    Row{"ReduceL1", 18, axes_to_input},
    Row{"ReduceL2", 18, axes_to_input},
    Row{"ReduceLogSum", 18, axes_to_input},
    Row{"ReduceLogSumExp", 18, axes_to_input},
    Row{"ReduceMax", 18, axes_to_input},
    Row{"ReduceMean", 18, axes_to_input},
    Row{"ReduceMin", 18, axes_to_input},
    Row{"ReduceProd", 18, axes_to_input},
    Row{"ReduceSumSquare", 18, axes_to_input},
    Row{"Split", 18, upgrade_split},
    Row{"DFT", 20, refuse},
    Row{"GridSample", 20, rename_grid_sample_mode},
    Row{"GroupNormalization", 21, refuse},
};

static_assert(std::is_sorted(kRows.begin(), kRows.end(), [](const Row& a, const Row& b) {
  return a.version != b.version ? a.version < b.version : a.op_type < b.op_type;
}));

struct Range {
  int64_t after = 0, upto = 0;
};

void upgrade_node(Site& site, const Range& versions) {
  for (const Row& row : kRows) {
    if (row.version > versions.after && row.version <= versions.upto && site.node.is(row.op_type)) {
      row.apply(site);
    }
  }
}

void upgrade_block(Graph& graph, Block& block, const Range& versions) {
  std::vector<Node> nodes;
  nodes.reserve(block.nodes.size());
  for (Node& node : block.nodes) {
    Site site{.graph = graph, .node = std::move(node)};
    const std::string context = describe(graph, site.node);
    with_context(context, [&] { upgrade_node(site, versions); });
    std::move(site.before.begin(), site.before.end(), std::back_inserter(nodes));
    nodes.push_back(std::move(site.node));
    std::move(site.after.begin(), site.after.end(), std::back_inserter(nodes));
  }
  block.nodes = std::move(nodes);
}

bool uses_own_domain(const Graph& graph) {
  bool found = false;
  for_each_node(graph.main, [&](const Node& node) { found = found || node.domain.empty(); });
  return found;
}

}  // namespace

void upgrade(Graph& graph, std::map<std::string, int64_t>& opsets, int64_t target) {
  assert(target >= 18 && target <= kOpset);
  const auto found = opsets.find("");
  const int64_t opset = found == opsets.end() ? 0 : found->second;
  if (opset >= target) {
    return;
  }
  if (opset < kOldestOpset && uses_own_domain(graph)) {
    throw Error(Kind::input, "opset {}, expected {} or newer", opset, kOldestOpset);
  }
  for_each_block(graph.main, [&](Block& block) { upgrade_block(graph, block, {opset, target}); });
  opsets[""] = target;
}

}  // namespace terse::onnx
