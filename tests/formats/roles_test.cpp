#include "formats/roles.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "formats/model.h"
#include "tests/formats/graph_sketch.h"

namespace terse {
namespace {

std::string describe(const Value& value) {
  std::string text;
  for (const Role& role : value.roles) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", name(role.kind));
    text += role.layer < 0 ? "" : fmt::format(".{}", role.layer);
    text += role.expert < 0 ? "" : fmt::format(" expert {}", role.expert);
  }
  return text;
}

using Roles = std::map<std::string, std::string>;

/// Display name -> roles of every float constant that is more than a single number.
Roles roles_of(const std::string& file) {
  const Model model = open_model(std::string(TERSE_TESTDATA) + "/" + file);
  Roles roles;
  for (const Value& value : model.graph.values) {
    if (!value.roles.empty() && value.constant->rows() * value.constant->columns() > 1) {
      CHECK(roles.emplace(value.display_name, describe(value)).second);
    }
  }
  return roles;
}

/// Rows for one layer each: a suffix of the name and the kind.
using LayerRows = std::vector<std::pair<std::string, std::string>>;

void add_layers(Roles& roles, const std::string& prefix, int count, const LayerRows& rows) {
  for (int layer = 0; layer < count; ++layer) {
    for (const auto& [suffix, kind] : rows) {
      roles[fmt::format("{}.{}.{}", prefix, layer, suffix)] = fmt::format("{}.{}", kind, layer);
    }
  }
}

void check_equal(const Roles& found, const Roles& expected) {
  for (const auto& [name, role] : expected) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name) == role);
  }
  CHECK(found.size() == expected.size());
}

constexpr int64_t kWidth = 8;

/// Transformers in a few words; canonical form, logical shapes.
struct Sketch : GraphSketch {
  ValueId linear(ValueId x, const std::string& name, int64_t out = kWidth, int64_t in = kWidth) {
    return node("MatMul", {x, weight(name, {out, in})}, name + " out", {{"transB", int64_t{1}}});
  }
  ValueId norm(ValueId x, const std::string& name) {
    return node("RMSNormalization", {x, weight(name, {kWidth})}, name + " out");
  }
  ValueId attend(ValueId q, ValueId k, ValueId v) {
    const ValueId scores = node("MatMul", {q, node("Transpose", {k}, "k turned")}, "scores");
    const ValueId masked = node("Add", {node("Mul", {scores, weight("scale", {})}, "scaled"), input("mask")}, "masked");
    return node("MatMul", {node("Softmax", {masked}, "shares"), v}, "context");
  }
  ValueId add(ValueId a, ValueId b) { return node("Add", {a, b}, "sum"); }
  /// Two pieces of the last dimension.
  std::pair<ValueId, ValueId> halves(ValueId x) {
    const ValueId first = node("Split", {x}, "first half", {{"axis", int64_t{-1}}});
    graph.main.nodes.back().outputs.push_back(graph.add("second half"));
    return {first, graph.main.nodes.back().outputs[1]};
  }
  ValueId silu(ValueId x) { return node("Mul", {x, node("Sigmoid", {x}, "sigmoid")}, "silu"); }

  std::string role(std::string_view name) const { return describe(value(name)); }
  void run() {
    sort_and_validate(graph);
    assign_roles(graph);
  }
};

TEST_SUITE("formats/roles") {
  TEST_CASE("kinds and names belong together") {
    for (int i = 0; i <= static_cast<int>(RoleKind::other); ++i) {
      const auto kind = static_cast<RoleKind>(i);
      CAPTURE(i);
      CHECK(find_role_kind(name(kind)) == kind);
    }
    CHECK_FALSE(find_role_kind("attention"));
  }

  TEST_CASE("a language model's weights have their roles and names, whichever exporter wrote it") {
    struct Row {
      const char* file;
      const char* table;
      const char* frequencies;
    };
    const std::vector<Row> rows = {
        {"lm/dynamo.onnx", "model.lm_head.weight", "model.model.rotary_emb.inv_freq"},
        {"lm/torchscript.onnx", "model.model.embed_tokens.weight", "/model/model/rotary_emb/Constant_1_output_0"}};
    for (const Row& row : rows) {
      CAPTURE(row.file);
      Roles expected = {{row.table, "embedding head"}, {row.frequencies, "other"}, {"model.model.norm.weight", "norm"}};
      add_layers(expected, "model.model.layers", 4,
                 {{"input_layernorm.weight", "norm"},
                  {"self_attn.q_proj.weight", "q"},
                  {"self_attn.k_proj.weight", "k"},
                  {"self_attn.v_proj.weight", "v"},
                  {"self_attn.o_proj.weight", "attention_output"},
                  {"post_attention_layernorm.weight", "norm"},
                  {"mlp.gate_proj.weight", "gate"},
                  {"mlp.up_proj.weight", "up"},
                  {"mlp.down_proj.weight", "down"}});
      check_equal(roles_of(row.file), expected);
    }
  }

  TEST_CASE("a classifier's weights have their roles and names, whichever exporter wrote it") {
    for (const char* file : {"classifier/dynamo.onnx", "classifier/torchscript.onnx"}) {
      CAPTURE(file);
      Roles expected = {{"model.bert.embeddings.word_embeddings.weight", "embedding"},
                        {"model.bert.embeddings.position_embeddings.weight", "position"},
                        {"model.bert.embeddings.token_type_embeddings.weight", "embedding"},
                        {"model.bert.embeddings.LayerNorm.weight", "norm"},
                        {"model.bert.embeddings.LayerNorm.bias", "norm"},
                        {"model.bert.pooler.dense.weight", "pooler"},
                        {"model.bert.pooler.dense.bias", "bias"},
                        {"model.classifier.weight", "classifier"},
                        {"model.classifier.bias", "bias"}};
      add_layers(expected, "model.bert.encoder.layer", 2,
                 {{"attention.self.query.weight", "q"},
                  {"attention.self.query.bias", "bias"},
                  {"attention.self.key.weight", "k"},
                  {"attention.self.key.bias", "bias"},
                  {"attention.self.value.weight", "v"},
                  {"attention.self.value.bias", "bias"},
                  {"attention.output.dense.weight", "attention_output"},
                  {"attention.output.dense.bias", "bias"},
                  {"attention.output.LayerNorm.weight", "norm"},
                  {"attention.output.LayerNorm.bias", "norm"},
                  {"intermediate.dense.weight", "up"},
                  {"intermediate.dense.bias", "bias"},
                  {"output.dense.weight", "down"},
                  {"output.dense.bias", "bias"},
                  {"output.LayerNorm.weight", "norm"},
                  {"output.LayerNorm.bias", "norm"}});
      check_equal(roles_of(file), expected);
    }
  }

  TEST_CASE("fused projections are told by the pieces of their outputs") {
    Sketch s;
    const ValueId x = s.node("Gather", {s.weight("table", {32, kWidth}), s.input("input_ids")}, "x");
    const ValueId qkv = s.linear(s.norm(x, "norm 1"), "qkv", 3 * kWidth);
    const auto slice = [&](int64_t begin) {
      return s.node("Slice", {qkv, s.ints("begin", {begin}), s.ints("end", {begin + kWidth})}, "slice");
    };
    const ValueId after = s.add(x, s.linear(s.attend(slice(0), slice(8), slice(16)), "output"));
    const auto [gate, up] = s.halves(s.linear(s.norm(after, "norm 2"), "gate_up", 4 * kWidth));
    const ValueId gated = s.node("Mul", {s.silu(gate), up}, "gated");
    const ValueId last = s.add(after, s.linear(gated, "down", kWidth, 2 * kWidth));
    s.output(s.linear(s.norm(last, "norm 3"), "head", 32));
    s.run();
    for (const auto& [name, role] : Roles{{"table", "embedding"},
                                          {"norm 1", "norm.0"},
                                          {"qkv", "qkv.0"},
                                          {"output", "attention_output.0"},
                                          {"norm 2", "norm.0"},
                                          {"gate_up", "gate_up.0"},
                                          {"down", "down.0"},
                                          {"norm 3", "norm"},
                                          {"head", "head"}}) {
      CAPTURE(name);
      CHECK(s.role(name) == role);
    }
  }

  TEST_CASE("a cross attention belongs to the layer of the self attention before it") {
    Sketch s;
    const auto block = [&](ValueId x, ValueId other, const std::string& name) {
      const ValueId read = s.norm(x, name + " norm");
      const ValueId from = other == kNoValue ? read : other;
      const ValueId q = s.linear(read, name + " q"), k = s.linear(from, name + " k"), v = s.linear(from, name + " v");
      return s.add(x, s.linear(s.attend(q, k, v), name + " o"));
    };
    const ValueId encoded = s.norm(block(s.input("x"), kNoValue, "encoder"), "encoder's last norm");
    const ValueId decoded = block(block(s.input("y"), kNoValue, "self"), encoded, "cross");
    s.output(block(decoded, kNoValue, "next"));
    s.run();
    CHECK(s.role("encoder q") == "q.0");
    CHECK(s.role("encoder's last norm") == "norm");
    CHECK(s.role("self k") == "k.1");
    CHECK(s.role("cross norm") == "norm.1");
    CHECK(s.role("cross k") == "k.1");
    CHECK(s.role("cross o") == "attention_output.1");
    CHECK(s.role("next v") == "v.2");
  }

  TEST_CASE("attention as one operator is attention too") {
    Sketch s;
    const ValueId x = s.norm(s.input("x"), "norm");
    const ValueId context = s.node("Attention", {s.linear(x, "a"), s.linear(x, "b"), s.linear(x, "c")}, "context");
    s.output(s.linear(context, "d"));
    s.run();
    CHECK(s.role("a") == "q.0");
    CHECK(s.role("b") == "k.0");
    CHECK(s.role("c") == "v.0");
    CHECK(s.role("d") == "attention_output.0");
  }

  TEST_CASE("a head may be the sum of two linears") {
    Sketch s;
    const auto [left, right] = s.halves(s.norm(s.input("x"), "norm"));
    s.output(s.add(s.linear(left, "first", 5000), s.linear(right, "second", 5000)));
    s.run();
    CHECK(s.role("first") == "head");
    CHECK(s.role("second") == "head");
  }

  TEST_CASE("experts are one tensor, or numbered where they are linears of their own") {
    for (const bool is_stacked : {true, false}) {
      CAPTURE(is_stacked);
      Sketch s;
      const ValueId x = s.input("x");
      const ValueId h = s.add(x, s.linear(s.attend(s.linear(x, "q"), s.linear(x, "k"), s.linear(x, "v")), "o"));
      const ValueId odds = s.node("Softmax", {s.linear(h, "router", 4)}, "odds");
      const ValueId chosen = s.node("TopK", {odds, s.ints("two", {2})}, "chosen");
      const auto pick = [&](const std::string& name, int64_t out, int64_t in) {
        return s.node("Gather", {s.weight(name, {4, out, in}), chosen}, name + " picked");
      };
      if (is_stacked) {
        const auto [gate, up] = s.halves(s.node("MatMul", {pick("stack", 2 * kWidth, kWidth), h}, "wide"));
        s.output(s.node("MatMul", {pick("stack down", kWidth, kWidth), s.node("Mul", {s.silu(gate), up}, "m")}, "y"));
      }
      for (const std::string name : {"A", "B"}) {
        const ValueId wide = s.node("Mul", {s.silu(s.linear(h, name + " gate")), s.linear(h, name + " up")}, name);
        s.output(s.linear(wide, name + " down"));
      }
      s.run();
      CHECK(s.role("router") == "router.0");
      CHECK(s.role("A gate") == (is_stacked ? "gate.0" : "gate.0 expert 0"));
      CHECK(s.role("B down") == (is_stacked ? "down.0" : "down.0 expert 1"));
      if (is_stacked) {
        CHECK(s.role("stack") == "gate_up.0");
        CHECK(s.role("stack down") == "down.0");
      }
    }
  }

  TEST_CASE("a pair of linears with an activation between is up and down only where it ends in a residual") {
    Sketch s;
    const ValueId x = s.input("x");
    const ValueId h = s.add(x, s.linear(s.attend(s.linear(x, "q"), s.linear(x, "k"), s.linear(x, "v")), "o"));
    const ValueId y = s.add(h, s.linear(s.node("Relu", {s.linear(h, "fc1")}, "r"), "fc2"));
    s.output(s.linear(s.node("Relu", {s.linear(y, "projection 1")}, "s"), "projection 2"));
    s.run();
    CHECK(s.role("fc1") == "up.0");
    CHECK(s.role("fc2") == "down.0");
    CHECK(s.role("projection 1") == "other");
    CHECK(s.role("projection 2") == "other");
  }
}

}  // namespace
}  // namespace terse
