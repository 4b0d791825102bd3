#include <array>

#include "formats/architectures/llama_like.h"
#include "formats/architectures/rows.h"
#include "formats/config.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"MixtralForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"MixtralForSequenceClassification", Head::sequence_classification, "score.weight"},
    HeadRow{"MixtralModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

constexpr ExpertNames kExperts = {.router = "block_sparse_moe.gate",
                                  .gate = "block_sparse_moe.experts.{}.w1",
                                  .up = "block_sparse_moe.experts.{}.w3",
                                  .down = "block_sparse_moe.experts.{}.w2"};

/// transformers 5 has them so in memory, and saves them one by one; files made of its state_dict have stacks.
constexpr std::array kStacks = {
    StackRow{".mlp.experts.gate_up_proj", ".block_sparse_moe.experts.{}.w1.weight",
             ".block_sparse_moe.experts.{}.w3.weight", false},
    StackRow{".mlp.experts.down_proj", ".block_sparse_moe.experts.{}.w2.weight", {}, false},
};

/// Source: Jiang et al. 2024, Mixtral of Experts, arXiv:2401.04088.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_llama_like(config, {.theta = 1e6});
  set_experts(traits, read_experts(config, kExperts, "num_local_experts"));
  set_windows(traits, read_windows(config, std::ssize(traits.layers)));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kMixtral = {.model_type = "mixtral",
                                      .heads = kHeads,
                                      .signature = ".block_sparse_moe.experts.0.w1.weight",
                                      .prefix = "model.",
                                      .ignored = kIgnored,
                                      .stacks = kStacks,
                                      .experts = &kExperts,
                                      .build = build};

}  // namespace terse::architectures
