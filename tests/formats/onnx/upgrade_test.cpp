#include "formats/onnx/upgrade.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse::onnx {
namespace {

using Ints = std::vector<int64_t>;

/// x -> node -> y, of one opset.
struct Single {
  Graph graph;
  std::map<std::string, int64_t> opsets;

  Single(std::string op_type, int64_t opset, std::vector<Attribute> attributes) : opsets{{"", opset}} {
    const ValueId x = graph.add("x");
    const ValueId y = graph.add("y");
    graph.main.inputs = {x};
    graph.main.outputs = {y};
    graph.main.nodes = {{.op_type = std::move(op_type),
                         .name = "n",
                         .inputs = {x},
                         .outputs = {y},
                         .attributes = std::move(attributes)}};
  }
  void set_type(DType dtype, int64_t rank) {
    graph.value(0).type = ValueType{dtype, std::vector<Dimension>(static_cast<size_t>(rank))};
  }
  std::vector<std::string> op_types() const {
    std::vector<std::string> types;
    for (const Node& node : graph.main.nodes) {
      types.push_back(node.op_type);
    }
    return types;
  }
  const Tensor& constant(size_t input) const {
    return graph.value(graph.main.nodes[0].input(input)).constant->dense()->values;
  }
};

struct Moved {
  std::string op_type;
  int64_t last_opset;  ///< of the old form
  std::string attribute;
  AttributeValue value;
  size_t input;
  Ints expected;
};

TEST_SUITE("formats/onnx/upgrade") {
  TEST_CASE("attributes become inputs, in the version that says so and not before") {
    const Moved rows[] = {
        {"ReduceSum", 12, "axes", Ints{1, 2}, 1, {1, 2}},
        {"ReduceMean", 17, "axes", Ints{-1}, 1, {-1}},
        {"ReduceMax", 17, "axes", Ints{0}, 1, {0}},
        {"Squeeze", 12, "axes", Ints{0}, 1, {0}},
        {"Unsqueeze", 12, "axes", Ints{0, 3}, 1, {0, 3}},
        {"Split", 12, "split", Ints{2, 4}, 1, {2, 4}},
        {"Slice", 9, "starts", Ints{1}, 1, {1}},
        {"Slice", 9, "ends", Ints{7}, 2, {7}},
        {"Slice", 9, "axes", Ints{0}, 3, {0}},
        {"Pad", 10, "pads", Ints{0, 1, 0, 1}, 1, {0, 1, 0, 1}},
        {"TopK", 9, "k", int64_t{5}, 1, {5}},
    };
    for (const Moved& row : rows) {
      CAPTURE(row.op_type);
      CAPTURE(row.attribute);
      for (const int64_t opset : {int64_t{7}, row.last_opset}) {
        Single old(row.op_type, opset, {{row.attribute, row.value}});
        upgrade(old.graph, old.opsets);
        const Node& node = old.graph.main.nodes[0];
        CHECK(node.find(row.attribute) == nullptr);
        CHECK(to_int64s(old.constant(row.input)) == row.expected);
        CHECK(node.name == "n");
        CHECK(old.graph.value(node.output(0)).name == "y");
        CHECK(old.opsets.at("") == kOpset);
      }
      Single same(row.op_type, std::max<int64_t>(row.last_opset + 1, 18), {{row.attribute, row.value}});
      upgrade(same.graph, same.opsets);
      CHECK(same.graph.main.nodes[0].find(row.attribute) != nullptr);
    }
  }

  TEST_CASE("an absent list stays absent") {
    for (const char* op_type : {"ReduceMean", "Squeeze"}) {
      CAPTURE(op_type);
      Single old(op_type, 12, {});
      upgrade(old.graph, old.opsets);
      CHECK(old.graph.main.nodes[0].inputs.size() == 1);
    }
  }

  TEST_CASE("bounds of Clip and the value of Pad take the type of the data") {
    Single clip("Clip", 10, {{"max", 6.0F}});
    clip.set_type(DType::f16, 2);
    upgrade(clip.graph, clip.opsets);
    CHECK(clip.op_types() == std::vector<std::string>{"Clip"});
    CHECK(clip.graph.main.nodes[0].input(1) == kNoValue);
    CHECK(clip.constant(2).values<Half>()[0] == to_half(6.0F));

    Single pad("Pad", 10, {{"pads", Ints{1, 1}}, {"value", 2.5F}});
    upgrade(pad.graph, pad.opsets);
    CHECK(pad.op_types() == std::vector<std::string>{"CastLike", "Pad"});
    CHECK(pad.graph.main.nodes[1].input(2) == pad.graph.main.nodes[0].output(0));
    sort_and_validate(pad.graph);
  }

  TEST_CASE("softmax over several dimensions becomes a softmax of a matrix") {
    Single softmax("Softmax", 12, {});
    softmax.set_type(DType::f32, 3);
    upgrade(softmax.graph, softmax.opsets);
    CHECK(softmax.op_types() == std::vector<std::string>{"Shape", "Flatten", "Softmax", "Reshape"});
    CHECK(softmax.graph.main.nodes[1].get_int("axis", 0) == 1);
    CHECK(softmax.graph.main.nodes[2].get_int("axis", 0) == -1);
    CHECK(softmax.graph.value(softmax.graph.main.nodes[3].output(0)).name == "y");
    sort_and_validate(softmax.graph);
  }

  TEST_CASE("softmax over the last dimension stays one node") {
    for (const int64_t axis : {-1, 2}) {
      CAPTURE(axis);
      Single softmax("LogSoftmax", 11, {{"axis", axis}});
      softmax.set_type(DType::f32, 3);
      upgrade(softmax.graph, softmax.opsets);
      CHECK(softmax.op_types() == std::vector<std::string>{"LogSoftmax"});
      CHECK(softmax.graph.main.nodes[0].get_int("axis", 0) == -1);
    }
  }

  TEST_CASE("an even split says into how many parts") {
    Single split("Split", 13, {});
    split.graph.main.nodes[0].outputs.push_back(split.graph.add("z"));
    upgrade(split.graph, split.opsets);
    CHECK(split.graph.main.nodes[0].get_int("num_outputs", 0) == 2);
  }

  TEST_CASE("subgraphs are upgraded, other domains are not") {
    Single outer("If", 11, {});
    auto branch = std::make_shared<Block>();
    const ValueId z = outer.graph.add("z");
    branch->nodes = {{.op_type = "Squeeze", .inputs = {0}, .outputs = {z}, .attributes = {{"axes", Ints{0}}}},
                     {.domain = "d", .op_type = "Squeeze", .inputs = {z}, .attributes = {{"axes", Ints{0}}}}};
    branch->outputs = {z};
    outer.graph.main.nodes[0].set("then_branch", branch);
    upgrade(outer.graph, outer.opsets);
    CHECK(branch->nodes[0].inputs.size() == 2);
    CHECK(outer.graph.value(branch->nodes[0].inputs[1]).name == "z/axes");
    CHECK(branch->nodes[1].inputs.size() == 1);
  }

  TEST_CASE("a graph can be raised part of the way") {
    Single groups("GroupNormalization", 18, {});
    upgrade(groups.graph, groups.opsets, 20);
    CHECK(groups.opsets.at("") == 20);
  }

  TEST_CASE("what has no equal form is an error that names the node") {
    Single groups("GroupNormalization", 18, {});
    CHECK_THROWS_WITH_AS(upgrade(groups.graph, groups.opsets),
                         "node 'n': GroupNormalization is of a form that later opsets do not have", Error);
    Single old("Add", 6, {});
    CHECK_THROWS_WITH_AS(upgrade(old.graph, old.opsets), "opset 6, expected 7 or newer", Error);
  }

  TEST_CASE("a newer graph is left alone") {
    Single squeeze("Squeeze", 25, {});
    upgrade(squeeze.graph, squeeze.opsets);
    CHECK(squeeze.opsets.at("") == 25);
  }
}

}  // namespace
}  // namespace terse::onnx
