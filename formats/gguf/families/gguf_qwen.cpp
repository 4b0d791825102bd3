#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

constexpr auto kQwen2Names = llama_like_names(kPlainRows);
constexpr auto kQwen3Names = llama_like_names(std::array{
    kPlainRows[0],
    kPlainRows[1],
    NameRow{"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
    NameRow{"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
});

constexpr auto kQwen3MoeNames = llama_like_names(std::array{
    kPlainRows[0],
    kPlainRows[1],
    NameRow{"model.layers.{}.self_attn.q_norm", "blk.{}.attn_q_norm"},
    NameRow{"model.layers.{}.self_attn.k_norm", "blk.{}.attn_k_norm"},
    NameRow{"model.layers.{}.mlp.gate", "blk.{}.ffn_gate_inp", NameRow::Kind::float_table},
    NameRow{"model.layers.{}.mlp.experts.{}.gate_proj", "blk.{}.ffn_gate_exps", NameRow::Kind::expert},
    NameRow{"model.layers.{}.mlp.experts.{}.up_proj", "blk.{}.ffn_up_exps", NameRow::Kind::expert},
    NameRow{"model.layers.{}.mlp.experts.{}.down_proj", "blk.{}.ffn_down_exps", NameRow::Kind::expert},
});
constexpr auto kQwen3MoeKeys = rms_keys(std::array{
    KeyRow{"expert_used_count", "num_experts_per_tok"},
    KeyRow{"expert_feed_forward_length", "moe_intermediate_size"},
});

constexpr std::array kFixed = {kSilu[0], FixedRow{"use_sliding_window", "false"}};

constexpr std::array kQwen3MoeFixed = {kFixed[0], kFixed[1], FixedRow{"norm_topk_prob", "true"},
                                       FixedRow{"decoder_sparse_step", "1"}, FixedRow{"mlp_only_layers", "[]"}};

constexpr FamilyRow row(std::string_view model_type, std::string_view checkpoint_class,
                        std::span<const NameRow> names) {
  return {.model_type = model_type,
          .architecture = model_type,
          .checkpoint_class = checkpoint_class,
          .signature = "",
          .names = names,
          .keys = kRmsKeys,
          .fixed = kFixed,
          .write = write_llama_like,
          .read = read_llama_like,
          .derive = derive_llama_like};
}

/// transformers 5 says num_local_experts, its older versions num_experts.
void write_experts(const JsonField& config, const std::filesystem::path& folder, ArchitectureKeys& keys) {
  write_llama_like(config, folder, keys);
  const auto count = config.find("num_local_experts");
  keys.set("expert_count", static_cast<uint32_t>((count ? *count : config.get("num_experts")).whole(1, UINT32_MAX)));
}

void read_experts(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  read_llama_like(file, keys, config);
  config["num_experts"] = config["num_local_experts"] = keys.find_integer("expert_count").value_or(0);
}

constexpr FamilyRow qwen3_moe_row() {
  FamilyRow moe = row("qwen3_moe", "Qwen3MoeForCausalLM", kQwen3MoeNames);
  moe.architecture = "qwen3moe";
  moe.keys = kQwen3MoeKeys;
  moe.fixed = kQwen3MoeFixed;
  moe.write = write_experts;
  moe.read = read_experts;
  return moe;
}

}  // namespace

constinit const FamilyRow kQwen2 = row("qwen2", "Qwen2ForCausalLM", kQwen2Names);
constinit const FamilyRow kQwen3 = row("qwen3", "Qwen3ForCausalLM", kQwen3Names);
constinit const FamilyRow kQwen3Moe = qwen3_moe_row();

}  // namespace terse::gguf
