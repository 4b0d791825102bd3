#include <doctest/doctest.h>

#include <random>

#include "calibration/executor.h"
#include "formats/architectures/architecture.h"
#include "formats/architectures/mixture.h"
#include "formats/error.h"
#include "passes/pipeline.h"

namespace terse::passes {
namespace {

/// A Mixtral of two layers of five experts, of which each token goes through two; expert 3 of the first layer and
/// expert 0 of the second hardly say anything.
Model tiny_mixtral() {
  const std::string config = R"({"model_type": "mixtral", "vocab_size": 11, "hidden_size": 8, "intermediate_size": 12,
      "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1, "num_experts_per_tok": 2,
      "num_local_experts": 5, "architectures": ["MixtralForCausalLM"]})";
  std::mt19937 random(3);
  NamedTensors tensors;
  const auto add = [&](const std::string& name, Shape shape, float scale = 1) {
    Tensor values = Tensor::make(DType::f32, std::move(shape));
    std::normal_distribution<float> normal(0, scale);
    for (float& x : values.mutable_values<float>()) {
      x = normal(random);
    }
    tensors.tensors[name] = values;
  };
  add("model.embed_tokens.weight", {11, 8});
  add("lm_head.weight", {11, 8});
  add("model.norm.weight", {8});
  for (int layer = 0; layer < 2; ++layer) {
    const std::string name = fmt::format("model.layers.{}.", layer);
    add(name + "input_layernorm.weight", {8});
    add(name + "post_attention_layernorm.weight", {8});
    add(name + "self_attn.q_proj.weight", {8, 8});
    add(name + "self_attn.k_proj.weight", {4, 8});
    add(name + "self_attn.v_proj.weight", {4, 8});
    add(name + "self_attn.o_proj.weight", {8, 8});
    add(name + "block_sparse_moe.gate.weight", {5, 8});
    for (int expert = 0; expert < 5; ++expert) {
      const std::string of_expert = fmt::format("{}block_sparse_moe.experts.{}.", name, expert);
      add(of_expert + "w1.weight", {12, 8});
      add(of_expert + "w3.weight", {12, 8});
      add(of_expert + "w2.weight", {8, 12}, expert == (layer == 0 ? 3 : 0) ? 1e-3F : 1.0F);
    }
  }
  Model model = architectures::build("", config, std::move(tensors), {});
  assign_roles(model.graph);
  return model;
}

std::vector<calibration::Sample> samples() {
  std::vector<calibration::Sample> all;
  for (int64_t i = 0; i < 6; ++i) {
    std::vector<int64_t> ids;
    for (int64_t token = 0; token < 12; ++token) {
      ids.push_back((token * 7 + i * 3) % 11);
    }
    all.push_back({{"input_ids", Tensor::of<int64_t>({1, 12}, ids)},
                   {"attention_mask", Tensor::of<int64_t>({1, 12}, std::vector<int64_t>(12, 1))}});
  }
  return all;
}

std::vector<float> numbers(const Model& model, const std::string& name) {
  const auto id = model.graph.find(name);
  REQUIRE(id);
  const Tensor values = decode(*model.graph.value(*id).constant);
  return {values.values<float>().begin(), values.values<float>().end()};
}

PipelineReport run(Model& model, const std::string& recipe, const std::vector<calibration::Sample>* data) {
  return run_pipeline(parse_recipe(recipe), model, {.samples = data});
}

std::string message(const std::string& recipe, const std::vector<calibration::Sample>* data) {
  Model model = tiny_mixtral();
  try {
    (void)run(model, recipe, data);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("passes/prune_experts") {
  TEST_CASE("the experts that count least go, those that stay are numbered anew, and routers lose their rows") {
    const Model before = tiny_mixtral();
    Model model = tiny_mixtral();
    const auto data = samples();
    const PipelineReport report = run(model, "prune,experts=20%", &data);
    CHECK(architectures::count_experts(model).all == 4);
    const std::string first = "model.layers.0.block_sparse_moe.", second = "model.layers.1.block_sparse_moe.";
    CHECK(numbers(model, first + "experts.2.w1.weight") == numbers(before, first + "experts.2.w1.weight"));
    CHECK(numbers(model, first + "experts.3.w2.weight") == numbers(before, first + "experts.4.w2.weight"));
    CHECK(numbers(model, second + "experts.0.w3.weight") == numbers(before, second + "experts.1.w3.weight"));
    CHECK_FALSE(model.graph.find(first + "experts.4.w1.weight"));
    std::vector<float> rows = numbers(before, first + "gate.weight");
    rows.erase(rows.begin() + 3 * 8, rows.begin() + 4 * 8);
    CHECK(numbers(model, first + "gate.weight") == rows);
    const auto router = std::ranges::find(report.weights, first + "gate.weight", &WeightReport::name);
    CHECK(router->note.starts_with("prune: left out experts 3, to which went "));
    CHECK(router->note.ends_with("and 0.0 % of the squared outputs"));
  }

  TEST_CASE("a model that keeps all of its experts computes what it did") {
    const Model model = tiny_mixtral();
    const std::vector<int64_t> all = {0, 1, 2, 3, 4};
    const Model same = architectures::keep_experts(model, {{"model.layers.0.", all}, {"model.layers.1.", all}});
    const auto logits = [](const Model& of) { return calibration::Executor(of).run(samples()[0])[0]; };
    CHECK(std::ranges::equal(logits(model).bytes(), logits(same).bytes()));
  }

  TEST_CASE("other passes go on with the smaller model") {
    Model model = tiny_mixtral();
    const auto data = samples();
    const PipelineReport report = run(model, "prune,experts=2\nquantize,bits=4,block=16", &data);
    const auto of_experts = std::ranges::count_if(
        report.weights, [](const WeightReport& weight) { return weight.name.find(".experts.") != std::string::npos; });
    CHECK(of_experts == 2 * 3 * 3);
    CHECK(std::ranges::all_of(report.weights, [](const WeightReport& weight) {
      return weight.name.find(".experts.") == std::string::npos || weight.after.starts_with("int4");
    }));
  }

  TEST_CASE("planning needs no data and gives the same sizes") {
    Model planned = tiny_mixtral(), done = tiny_mixtral();
    const auto data = samples();
    (void)run_pipeline(parse_recipe("prune,experts=40%"), planned, {.plan_only = true});
    (void)run(done, "prune,experts=40%", &data);
    REQUIRE(planned.checkpoint->tensors == done.checkpoint->tensors);
  }

  TEST_CASE("what makes no sense is refused") {
    const auto data = samples();
    CHECK(message("prune,experts=4", &data) == "prune: experts=4 leaves 1 of 5 experts, and each token goes through 2");
    CHECK(message("prune,experts=90%", &data).find("leaves 0 of 5") != std::string::npos);
    CHECK(message("prune,experts=1", nullptr).find("--data") != std::string::npos);
    CHECK(message("prune,experts=1,ratio=0.5", &data).find("leave out ratio=") != std::string::npos);
    CHECK(message("prune,experts=0", &data).find("experts") != std::string::npos);
  }
}

}  // namespace terse::passes
