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

constexpr std::array kFixed = {kSilu[0], FixedRow{"use_sliding_window", "false"}};

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

}  // namespace

constinit const FamilyRow kQwen2 = row("qwen2", "Qwen2ForCausalLM", kQwen2Names);
constinit const FamilyRow kQwen3 = row("qwen3", "Qwen3ForCausalLM", kQwen3Names);

}  // namespace terse::gguf
