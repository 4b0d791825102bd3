#include "formats/architectures/decoder.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/error.h"

namespace terse::architectures {
namespace {

using nlohmann::json;

/// A Llama of one layer, as its files have it; tests change what they are about.
struct Checkpoint {
  json config = json::parse(R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 7,
      "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "num_attention_heads": 4,
      "num_key_value_heads": 2, "pad_token_id": 0, "tie_word_embeddings": true})");
  std::map<std::string, Shape> shapes = {
      {"model.embed_tokens.weight", {7, 8}},
      {"model.layers.0.input_layernorm.weight", {8}},
      {"model.layers.0.self_attn.q_proj.weight", {8, 8}},
      {"model.layers.0.self_attn.k_proj.weight", {4, 8}},
      {"model.layers.0.self_attn.v_proj.weight", {4, 8}},
      {"model.layers.0.self_attn.o_proj.weight", {8, 8}},
      {"model.layers.0.post_attention_layernorm.weight", {8}},
      {"model.layers.0.mlp.gate_proj.weight", {12, 8}},
      {"model.layers.0.mlp.up_proj.weight", {12, 8}},
      {"model.layers.0.mlp.down_proj.weight", {8, 12}},
      {"model.norm.weight", {8}},
  };

  Model open(const OpenOptions& options = {}) const {
    NamedTensors tensors;
    for (const auto& [name, shape] : shapes) {
      tensors.tensors[name] = Tensor::make(DType::f32, shape);
    }
    return build("folder", config.dump(), std::move(tensors), options);
  }

  std::string message() const {
    try {
      (void)open();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
};

std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string all;
  for (const ValueId id : ids) {
    all += (all.empty() ? "" : " ") + graph.value(id).name;
  }
  return all;
}

std::string shape_of(const Graph& graph, std::string_view name) {
  std::string text;
  for (const Dimension& dimension : *graph.value(graph.find(name).value()).type->shape) {
    text += fmt::format("{}{}", text.empty() ? "" : ",",
                        dimension.symbol.empty() ? fmt::format("{}", dimension.size) : dimension.symbol);
  }
  return text;
}

const Node& node_of(const Graph& graph, std::string_view op) {
  const auto found = std::ranges::find(graph.main.nodes, op, &Node::op_type);
  REQUIRE(found != graph.main.nodes.end());
  return *found;
}

/// The weight that a graph's output is multiplied by.
std::string last_weight(const Graph& graph) { return graph.value(graph.main.nodes.back().inputs[1]).name; }

}  // namespace

TEST_SUITE("formats/architectures/decoder") {
  TEST_CASE("a language model maps tokens and their mask to logits") {
    const Model model = Checkpoint().open();
    CHECK(names(model.graph, model.graph.main.inputs) == "input_ids attention_mask");
    CHECK(names(model.graph, model.graph.main.outputs) == "logits");
    CHECK(shape_of(model.graph, "input_ids") == "batch,sequence");
    CHECK(shape_of(model.graph, "logits") == "batch,sequence,7");
  }

  TEST_CASE("a plain model gives its last hidden state, and its files leave out the prefix") {
    Checkpoint checkpoint;
    checkpoint.config["architectures"] = {"LlamaModel"};
    std::map<std::string, Shape> shapes;
    for (const auto& [name, shape] : checkpoint.shapes) {
      shapes[name.substr(std::string_view("model.").size())] = shape;
    }
    checkpoint.shapes = shapes;
    const Model model = checkpoint.open();
    CHECK(shape_of(model.graph, "last_hidden_state") == "batch,sequence,8");
  }

  TEST_CASE("a classifier reads the last token") {
    Checkpoint checkpoint;
    checkpoint.config["architectures"] = {"LlamaForSequenceClassification"};
    checkpoint.config["id2label"] = {{"0", "no"}, {"1", "yes"}, {"2", "well"}};
    checkpoint.shapes["score.weight"] = {3, 8};
    const Model model = checkpoint.open();
    CHECK(shape_of(model.graph, "logits") == "batch,3");
    CHECK(last_weight(model.graph) == "score.weight");
  }

  TEST_CASE("with a cache, keys and values of earlier tokens go in and come out") {
    const Model model = Checkpoint().open({.cache = KeyValueCache::inputs_and_outputs});
    CHECK(names(model.graph, model.graph.main.inputs) ==
          "input_ids attention_mask position_ids past_key_values.0.key past_key_values.0.value");
    CHECK(names(model.graph, model.graph.main.outputs) == "logits present.0.key present.0.value");
    CHECK(shape_of(model.graph, "attention_mask") == "batch,total");
    CHECK(shape_of(model.graph, "past_key_values.0.key") == "batch,2,past,2");
    CHECK(shape_of(model.graph, "present.0.value") == "batch,2,total,2");
  }

  TEST_CASE("heads of queries share keys and values as the configuration says") {
    const Model model = Checkpoint().open();
    const Node& attention = node_of(model.graph, "Attention");
    CHECK(attention.get_int("q_num_heads", 0) == 4);
    CHECK(attention.get_int("kv_num_heads", 0) == 2);
    CHECK(attention.get_int("is_causal", 0) == 1);
  }

  TEST_CASE("the head is the table where it is tied, absent, or the same") {
    const struct {
      bool is_tied, has_head;
      std::string_view expected;
    } rows[] = {
        {true, false, "model.embed_tokens.weight"},
        {true, true, "model.embed_tokens.weight"},
        {false, false, "model.embed_tokens.weight"},
        {false, true, "lm_head.weight"},
    };
    for (const auto& row : rows) {
      CAPTURE(row.is_tied);
      CAPTURE(row.has_head);
      Checkpoint checkpoint;
      checkpoint.config["tie_word_embeddings"] = row.is_tied;
      if (row.has_head) {
        checkpoint.shapes["lm_head.weight"] = {7, 8};
      }
      CHECK(last_weight(checkpoint.open().graph) == row.expected);
    }
  }

  TEST_CASE("biases are there as the configuration says") {
    Checkpoint checkpoint;
    checkpoint.config["attention_bias"] = true;
    CHECK(checkpoint.message() ==
          "tensors are missing: model.layers.0.self_attn.k_proj.bias, "
          "model.layers.0.self_attn.o_proj.bias, model.layers.0.self_attn.q_proj.bias, "
          "model.layers.0.self_attn.v_proj.bias");
    checkpoint.config["attention_bias"] = false;
    checkpoint.config["mlp_bias"] = true;
    CHECK(checkpoint.message() ==
          "tensors are missing: model.layers.0.mlp.down_proj.bias, "
          "model.layers.0.mlp.gate_proj.bias, model.layers.0.mlp.up_proj.bias");
  }

  TEST_CASE("projections may be one tensor, and norms stand behind both halves") {
    Checkpoint fused;
    fused.config["model_type"] = "phi3";
    fused.config["architectures"] = {"Phi3ForCausalLM"};
    std::erase_if(fused.shapes, [](const auto& entry) { return entry.first.find("_proj") != std::string::npos; });
    CHECK(fused.message() ==
          "tensors are missing: model.layers.0.mlp.down_proj.weight, model.layers.0.mlp.gate_up_proj.weight, "
          "model.layers.0.self_attn.o_proj.weight, model.layers.0.self_attn.qkv_proj.weight");
    Checkpoint normed;
    normed.config["model_type"] = "gemma2";
    normed.config["architectures"] = {"Gemma2ForCausalLM"};
    CHECK(normed.message() ==
          "tensors are missing: model.layers.0.post_feedforward_layernorm.weight, "
          "model.layers.0.pre_feedforward_layernorm.weight");
  }

  TEST_CASE("scores with a soft cap are spelled out, with a cache too") {
    Checkpoint checkpoint;
    checkpoint.config["model_type"] = "gemma2";
    checkpoint.config["architectures"] = {"Gemma2ForCausalLM"};
    checkpoint.shapes["model.layers.0.post_feedforward_layernorm.weight"] = {8};
    checkpoint.shapes["model.layers.0.pre_feedforward_layernorm.weight"] = {8};
    const Model model = checkpoint.open({.cache = KeyValueCache::inputs_and_outputs});
    CHECK(names(model.graph, model.graph.main.outputs) == "logits present.0.key present.0.value");
    CHECK(std::ranges::count(model.graph.main.nodes, "Attention", &Node::op_type) == 0);
    CHECK(std::ranges::count(model.graph.main.nodes, "Tanh", &Node::op_type) == 2);
  }

  TEST_CASE("buffers that old files carry are left out, other tensors are not") {
    Checkpoint checkpoint;
    checkpoint.shapes["model.layers.0.self_attn.rotary_emb.inv_freq"] = {1};
    CHECK(checkpoint.open().checkpoint->unused ==
          std::vector<std::string>{"model.layers.0.self_attn.rotary_emb.inv_freq"});
    checkpoint.shapes["model.layers.1.mlp.up_proj.weight"] = {12, 8};
    CHECK(checkpoint.message() == "tensors belong to no part of the model: model.layers.1.mlp.up_proj.weight");
  }

  TEST_CASE("a configuration that contradicts the weights is an error that names both") {
    const struct {
      std::string_view key;
      json value;
      std::string_view message;
    } rows[] = {
        {"vocab_size", 9,
         "config.json: tensor model.embed_tokens.weight has shape [7,8], expected [9,8] by vocab_size, "
         "hidden_size"},
        {"num_key_value_heads", 4,
         "config.json: tensor model.layers.0.self_attn.k_proj.weight has shape [4,8], expected [8,8] by "
         "num_key_value_heads * head_dim, hidden_size"},
        {"intermediate_size", 16,
         "config.json: tensor model.layers.0.mlp.gate_proj.weight has shape [12,8], expected [16,8] by "
         "intermediate_size, hidden_size"},
        {"hidden_act", "gulu", "config.json: activation 'gulu' is none that this version knows: "},
        {"architectures",
         {"LlamaForTea"},
         "config.json: architectures: 'LlamaForTea' is none of family llama's that this version knows: "
         "LlamaForCausalLM, LlamaForSequenceClassification, LlamaModel"},
        {"rope_scaling",
         {{"rope_type", "spiral"}},
         "config.json: rope_scaling: 'spiral' is no scaling of rotary positions that this version knows: default, "
         "dynamic, linear, llama3, longrope, yarn"},
        {"head_dim", 3, "config.json: rotary positions turn 3 of a head's 3 dimensions, expected an even number"},
    };
    for (const auto& row : rows) {
      CAPTURE(row.key);
      Checkpoint checkpoint;
      checkpoint.config[std::string(row.key)] = row.value;
      CHECK(checkpoint.message().starts_with(row.message));
    }
  }
}

}  // namespace terse::architectures
