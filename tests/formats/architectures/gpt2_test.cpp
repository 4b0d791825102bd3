#include <doctest/doctest.h>

#include <algorithm>

#include "formats/architectures/architecture.h"

namespace terse::architectures {
namespace {

constexpr std::string_view kConfig = R"({"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "vocab_size": 7,
    "n_embd": 8, "n_head": 2, "n_layer": 2, "n_positions": 5, "n_inner": null})";

/// GPT-2 with names as in the family's first files, which leave out `transformer.`.
std::map<std::string, Shape> tensors() {
  std::map<std::string, Shape> shapes = {
      {"wte.weight", {7, 8}}, {"wpe.weight", {5, 8}}, {"ln_f.weight", {8}}, {"ln_f.bias", {8}}};
  for (const std::string layer : {"h.0.", "h.1."}) {
    for (const std::string norm : {"ln_1", "ln_2"}) {
      shapes[layer + norm + ".weight"] = shapes[layer + norm + ".bias"] = {8};
    }
    shapes[layer + "attn.c_attn.weight"] = {8, 24};
    shapes[layer + "attn.c_attn.bias"] = {24};
    shapes[layer + "attn.c_proj.weight"] = {8, 8};
    shapes[layer + "attn.c_proj.bias"] = {8};
    shapes[layer + "mlp.c_fc.weight"] = {8, 32};
    shapes[layer + "mlp.c_fc.bias"] = {32};
    shapes[layer + "mlp.c_proj.weight"] = {32, 8};
    shapes[layer + "mlp.c_proj.bias"] = {8};
  }
  return shapes;
}

Model open(std::string config, const std::map<std::string, Shape>& shapes) {
  NamedTensors named;
  for (const auto& [name, shape] : shapes) {
    named.tensors[name] = Tensor::make(DType::f32, shape);
  }
  return build("folder", std::move(config), std::move(named), {});
}

std::vector<const Node*> nodes_of(const Graph& graph, std::string_view op) {
  std::vector<const Node*> nodes;
  for (const Node& node : graph.main.nodes) {
    if (node.op_type == op) {
      nodes.push_back(&node);
    }
  }
  return nodes;
}

}  // namespace

TEST_SUITE("formats/architectures/gpt2") {
  TEST_CASE("weights that are stored [in, out] have their logical shape") {
    const Model model = open(std::string(kConfig), tensors());
    const Encoding& weight = *model.graph.value(model.graph.find("h.0.mlp.c_fc.weight").value()).constant;
    CHECK(weight.shape == Shape{32, 8});
    CHECK(weight.dense()->transposed);
  }

  TEST_CASE("buffers of old files and a second copy of the table are left out") {
    auto shapes = tensors();
    shapes["h.0.attn.bias"] = {1, 1, 5, 5};
    shapes["h.0.attn.masked_bias"] = {};
    shapes["lm_head.weight"] = {7, 8};
    const Model model = open(std::string(kConfig), shapes);
    CHECK(model.checkpoint->unused ==
          std::vector<std::string>{"h.0.attn.bias", "h.0.attn.masked_bias", "lm_head.weight"});
    CHECK(model.graph.value(model.graph.main.nodes.back().inputs[1]).name == "wte.weight");
  }

  TEST_CASE("scores are scaled as the configuration says, layer by layer") {
    const auto scales = [](std::string_view settings) {
      std::string config(kConfig);
      config.insert(1, settings);
      const Model model = open(config, tensors());
      std::vector<float> all;
      for (const Node* attention : nodes_of(model.graph, "Attention")) {
        all.push_back(attention->get_float("scale", 0));
      }
      return all;
    };
    CHECK(scales("") == std::vector<float>{0.5F, 0.5F});
    CHECK(scales(R"("scale_attn_weights": false,)") == std::vector<float>{1, 1});
    CHECK(scales(R"("scale_attn_by_inverse_layer_idx": true,)") == std::vector<float>{0.5F, 0.25F});
  }

  TEST_CASE("the family of a configuration without model_type is told by its tensors") {
    std::string config(kConfig);
    config.erase(config.find(R"("model_type": "gpt2", )"), 22);
    CHECK(open(config, tensors()).checkpoint->family == "gpt2");
  }
}

}  // namespace terse::architectures
