#include "formats/graph.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse {
namespace {

Node node(std::string op, std::vector<ValueId> inputs, std::vector<ValueId> outputs) {
  return {.op_type = std::move(op), .name = "", .inputs = std::move(inputs), .outputs = std::move(outputs)};
}

/// x -> Neg -> a -> Abs -> y, the nodes in the wrong order, and a dead branch.
struct Chain {
  Graph graph;
  ValueId x = graph.add("x"), a = graph.add("a"), y = graph.add("y"), unused = graph.add("unused");
  Chain() {
    graph.main.inputs = {x};
    graph.main.outputs = {y};
    graph.main.nodes = {node("Abs", {a}, {y}), node("Neg", {x}, {a}), node("Exp", {a}, {unused})};
  }
};

TEST_SUITE("formats/graph") {
  TEST_CASE("sorting puts makers before readers") {
    Chain chain;
    sort_and_validate(chain.graph);
    CHECK(chain.graph.main.nodes[0].op_type == "Neg");
    CHECK(chain.graph.main.nodes[1].op_type == "Abs");
  }

  TEST_CASE("a cycle, a missing value, a value made twice and two equal names are errors that name them") {
    Chain cycle;
    cycle.graph.main.nodes[1].inputs = {cycle.y};
    CHECK_THROWS_WITH_AS(sort_and_validate(cycle.graph), "node Neg -> 'a' takes part in a cycle", Error);

    Chain missing;
    missing.graph.main.nodes[1].inputs = {missing.graph.add("z")};
    CHECK_THROWS_WITH_AS(sort_and_validate(missing.graph),
                         "node Neg -> 'a': input 'z' is made by no node and is no initialiser", Error);

    Chain twice;
    twice.graph.main.nodes[2].outputs = {twice.a};
    CHECK_THROWS_WITH_AS(sort_and_validate(twice.graph), "value 'a' is made twice", Error);

    Chain same_name;
    same_name.graph.value(same_name.y).name = "x";
    CHECK_THROWS_WITH_AS(sort_and_validate(same_name.graph), "two values are called 'x'", Error);
  }

  TEST_CASE("a chain of a hundred thousand nodes in reverse order is sorted without recursion") {
    Graph graph;
    constexpr int kLength = 100000;
    for (int i = 0; i <= kLength; ++i) {
      graph.values.push_back({.name = "v" + std::to_string(i)});
    }
    graph.main.inputs = {0};
    graph.main.outputs = {kLength};
    for (int i = kLength; i > 0; --i) {
      graph.main.nodes.push_back(node("Neg", {i - 1}, {i}));
    }
    sort_and_validate(graph);
    CHECK(graph.main.nodes.front().inputs[0] == 0);
  }

  TEST_CASE("subgraphs read outer values, and order themselves") {
    Chain chain;
    auto branch = std::make_shared<Block>();
    const ValueId inner = chain.graph.add("inner");
    branch->nodes = {node("Neg", {chain.a}, {inner})};
    branch->outputs = {inner};
    Node choice = node("If", {chain.x}, {chain.graph.add("chosen")});
    choice.set("then_branch", branch);
    choice.set("else_branch", branch);
    chain.graph.main.outputs = choice.outputs;
    chain.graph.main.nodes.insert(chain.graph.main.nodes.begin(), choice);
    sort_and_validate(chain.graph);
    CHECK(chain.graph.main.nodes.front().op_type == "Neg");

    remove_dead(chain.graph);
    CHECK(chain.graph.main.nodes.size() == 2);
    CHECK(chain.graph.find("inner"));
    CHECK_FALSE(chain.graph.find("y"));
  }

  TEST_CASE("dead nodes and values go, inputs stay") {
    Chain chain;
    sort_and_validate(chain.graph);
    remove_dead(chain.graph);
    CHECK(chain.graph.main.nodes.size() == 2);
    CHECK(chain.graph.values.size() == 3);
    CHECK(chain.graph.find("x"));
    CHECK(Dataflow(chain.graph).producer(*chain.graph.find("y"))->op_type == "Abs");
  }

  TEST_CASE("uses are replaced in nodes and outputs") {
    Chain chain;
    const ValueId b = chain.graph.add("a");
    CHECK(chain.graph.value(b).name == "a_1");
    replace_uses(chain.graph, chain.a, b);
    replace_uses(chain.graph, chain.y, b);
    CHECK(chain.graph.main.nodes[0].inputs[0] == b);
    CHECK(chain.graph.main.outputs[0] == b);
  }

  TEST_CASE("a deep copy shares no subgraph") {
    Chain chain;
    auto branch = std::make_shared<Block>();
    branch->name = "before";
    chain.graph.main.nodes[0].set("body", branch);
    const Graph copy = deep_copy(chain.graph);
    branch->name = "after";
    CHECK(std::get<std::shared_ptr<Block>>(copy.main.nodes[0].find("body")->value)->name == "before");
  }

  TEST_CASE("attributes have defaults and a type") {
    Node n = node("Softmax", {}, {});
    CHECK(n.get_int("axis", -1) == -1);
    n.set("axis", int64_t{2});
    CHECK(n.get_int("axis", -1) == 2);
    CHECK_THROWS_WITH_AS((void)n.get_float("axis", 0), "attribute 'axis' has an unexpected type", Error);
    n.erase("axis");
    CHECK(n.find("axis") == nullptr);
  }
}

}  // namespace
}  // namespace terse
