#include <array>

#include "formats/architectures/granite_like.h"
#include "formats/architectures/rows.h"

namespace terse::architectures {
namespace {

constexpr std::array kHeads = {
    HeadRow{"GraniteMoeForCausalLM", Head::causal_lm, "lm_head.weight"},
    HeadRow{"GraniteMoeModel", Head::features, ""},
};

constexpr std::array<std::string_view, 2> kIgnored = {"rotary_emb.inv_freq", "lm_head."};

constexpr ExpertNames kExperts = {.router = "block_sparse_moe.router.layer",
                                  .gate = "block_sparse_moe.input_linear.{}.gate",
                                  .up = "block_sparse_moe.input_linear.{}.up",
                                  .down = "block_sparse_moe.output_linear.{}"};

/// The first two are the public files', the others transformers 5's in memory.
constexpr std::array kStacks = {
    StackRow{".block_sparse_moe.input_linear.weight", ".block_sparse_moe.input_linear.{}.gate.weight",
             ".block_sparse_moe.input_linear.{}.up.weight"},
    StackRow{".block_sparse_moe.output_linear.weight", ".block_sparse_moe.output_linear.{}.weight"},
    StackRow{".block_sparse_moe.experts.gate_up_proj", ".block_sparse_moe.input_linear.{}.gate.weight",
             ".block_sparse_moe.input_linear.{}.up.weight", false},
    StackRow{".block_sparse_moe.experts.down_proj", ".block_sparse_moe.output_linear.{}.weight", {}, false},
};

/// Source: Granite Team 2024, Granite 3.0 Language Models.
Graph build(const JsonField& config, Weights& weights, Head head, const OpenOptions& options) {
  DecoderTraits traits = read_granite_like(config);
  set_experts(traits, read_experts(config, kExperts, "num_local_experts"));
  return build_decoder(traits, weights, head, options);
}

}  // namespace

constinit const FamilyRow kGraniteMoe = {.model_type = "granitemoe",
                                         .heads = kHeads,
                                         .prefix = "model.",
                                         .ignored = kIgnored,
                                         .stacks = kStacks,
                                         .experts = &kExperts,
                                         .build = build};

}  // namespace terse::architectures
