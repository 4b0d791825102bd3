#include "formats/architectures/experts.h"

#include <algorithm>

#include "formats/checkpoint_weights.h"
#include "formats/safetensors/lowering.h"
#include "tests/formats/architectures/tiny_checkpoint.h"

namespace terse::architectures {
namespace {

/// One layer of four experts, of which each token goes through two; what the layer has beside them is Llama's.
TinyCheckpoint with_experts(const std::string& model_type, const std::string& config,
                            const std::map<std::string, Shape>& experts) {
  TinyCheckpoint checkpoint{
      .config = R"({"model_type": ")" + model_type +
                R"(", "vocab_size": 7, "hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 1,
                   "num_attention_heads": 2, "num_key_value_heads": 1, "num_experts_per_tok": 2, )" +
                config + "}",
      .shapes = {{"model.embed_tokens.weight", {7, 8}},
                 {"model.layers.0.input_layernorm.weight", {8}},
                 {"model.layers.0.self_attn.q_proj.weight", {8, 8}},
                 {"model.layers.0.self_attn.k_proj.weight", {4, 8}},
                 {"model.layers.0.self_attn.v_proj.weight", {4, 8}},
                 {"model.layers.0.self_attn.o_proj.weight", {8, 8}},
                 {"model.layers.0.post_attention_layernorm.weight", {8}},
                 {"model.norm.weight", {8}}}};
  for (const auto& [name, shape] : experts) {
    checkpoint.shapes["model.layers.0." + name] = shape;
  }
  return checkpoint;
}

TinyCheckpoint mixtral() {
  std::map<std::string, Shape> experts = {{"block_sparse_moe.gate.weight", {4, 8}}};
  for (size_t expert = 0; expert < 4; ++expert) {
    experts[numbered("block_sparse_moe.experts.{}.w1.weight", expert)] = {6, 8};
    experts[numbered("block_sparse_moe.experts.{}.w3.weight", expert)] = {6, 8};
    experts[numbered("block_sparse_moe.experts.{}.w2.weight", expert)] = {8, 6};
  }
  return with_experts("mixtral", R"("num_local_experts": 4)", experts);
}

TinyCheckpoint granitemoe() {
  return with_experts("granitemoe", R"("num_local_experts": 4)",
                      {{"block_sparse_moe.router.layer.weight", {4, 8}},
                       {"block_sparse_moe.input_linear.weight", {4, 12, 8}},
                       {"block_sparse_moe.output_linear.weight", {4, 8, 6}}});
}

/// "gate 0, up 0, ..." in the order of the graph.
std::string roles_of_experts(Model model) {
  assign_roles(model.graph);
  std::string text;
  for (const Value& value : model.graph.values) {
    for (const Role& role : value.roles) {
      if (role.expert >= 0) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(role.kind), role.expert);
      }
    }
  }
  return text;
}

std::string stored_tensors(const Model& model, std::string_view part) {
  std::string text;
  for (const StoredTensor& tensor : safetensors::lower(model).tensors) {
    if (tensor.name.find(part) != std::string::npos) {
      text += fmt::format("{}{} {}", text.empty() ? "" : ", ", tensor.name.substr(tensor.name.find(part) + part.size()),
                          to_string(tensor.shape));
    }
  }
  return text;
}

}  // namespace

TEST_SUITE("formats/architectures/experts") {
  TEST_CASE("experts are linears of their own with roles, whichever way the files have them") {
    const std::string expected =
        "gate 0, up 0, down 0, gate 1, up 1, down 1, gate 2, up 2, down 2, gate 3, up 3, down 3";
    CHECK(roles_of_experts(mixtral().build()) == expected);
    CHECK(roles_of_experts(granitemoe().build()) == expected);
  }

  TEST_CASE("the router keeps its role, and experts are no others' gates") {
    Model model = mixtral().build();
    assign_roles(model.graph);
    const auto id = model.graph.find("model.layers.0.block_sparse_moe.gate.weight");
    CHECK(model.graph.value(id.value()).roles == std::vector<Role>{{RoleKind::router, 0}});
  }

  TEST_CASE("stacks go back into folders as they came") {
    CHECK(stored_tensors(granitemoe().build(), "block_sparse_moe.") ==
          "router.layer.weight [4,8], input_linear.weight [4,12,8], output_linear.weight [4,8,6]");
  }

  TEST_CASE("what transformers has in memory alone is written as published") {
    TinyCheckpoint fused = with_experts(
        "mixtral", R"("num_local_experts": 4)",
        {{"mlp.gate.weight", {4, 8}}, {"mlp.experts.gate_up_proj", {4, 12, 8}}, {"mlp.experts.down_proj", {4, 8, 6}}});
    CHECK(stored_tensors(fused.build(), ".w2.weight") == " [8,6],  [8,6],  [8,6],  [8,6]");
  }

  TEST_CASE("one of a stack's parts in codes is refused by name") {
    Model model = granitemoe().build();
    const auto id = model.graph.find("model.layers.0.block_sparse_moe.output_linear.1.weight");
    model.graph.value(id.value()).constant = std::make_shared<const Encoding>(
        Encoding{.shape = {8, 6}, .form = AffineEncoding{.bits = 8, .group_columns = 6}});
    CHECK_THROWS_WITH_AS((void)safetensors::lower(model), doctest::Contains("output_linear.weight"), Error);
  }

  TEST_CASE("configurations and tensors that contradict each other are refused") {
    TinyCheckpoint flat = granitemoe(), odd = granitemoe(), more = granitemoe(), few = mixtral();
    flat.shapes["model.layers.0.block_sparse_moe.output_linear.weight"] = {8, 6};
    odd.shapes["model.layers.0.block_sparse_moe.input_linear.weight"] = {4, 11, 8};
    more.shapes["model.layers.0.block_sparse_moe.output_linear.weight"] = {5, 8, 6};
    few.configure("\"num_local_experts\": 4", "\"num_local_experts\": 1");
    const std::vector<std::pair<TinyCheckpoint, std::string>> cases = {
        {flat, "expected the matrices of all experts"},
        {odd, "with an even number of rows"},
        {more, "tensors belong to no part of the model: model.layers.0.block_sparse_moe.output_linear.4.weight"},
        {few, "num_experts_per_tok"},
    };
    for (const auto& [checkpoint, expected] : cases) {
      CAPTURE(expected);
      CHECK_THROWS_WITH_AS((void)checkpoint.build(), doctest::Contains(expected.c_str()), Error);
    }
  }

  TEST_CASE("Qwen3's list and step say which layers have experts") {
    std::map<std::string, Shape> experts = {{"mlp.gate.weight", {3, 8}}};
    for (size_t expert = 0; expert < 3; ++expert) {
      experts[numbered("mlp.experts.{}.gate_proj.weight", expert)] = {4, 8};
      experts[numbered("mlp.experts.{}.up_proj.weight", expert)] = {4, 8};
      experts[numbered("mlp.experts.{}.down_proj.weight", expert)] = {8, 4};
    }
    experts["self_attn.q_norm.weight"] = experts["self_attn.k_norm.weight"] = {4};
    TinyCheckpoint sparse = with_experts("qwen3_moe", R"("num_experts": 3, "moe_intermediate_size": 4)", experts);
    CHECK(roles_of_experts(sparse.build()).ends_with("down 2"));

    TinyCheckpoint plain = sparse;
    std::erase_if(plain.shapes, [](const auto& entry) { return entry.first.find(".mlp.") != std::string::npos; });
    plain.shapes["model.layers.0.mlp.gate_proj.weight"] = plain.shapes["model.layers.0.mlp.up_proj.weight"] = {6, 8};
    plain.shapes["model.layers.0.mlp.down_proj.weight"] = {8, 6};
    for (const std::string key : {R"("mlp_only_layers": [0])", R"("decoder_sparse_step": 2)"}) {
      CAPTURE(key);
      TinyCheckpoint listed = plain;
      listed.configure("\"num_experts\": 3", key + ", \"num_experts\": 3");
      CHECK(roles_of_experts(listed.build()).empty());
    }
  }
}

}  // namespace terse::architectures
