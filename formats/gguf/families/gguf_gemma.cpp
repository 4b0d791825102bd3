#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

constexpr auto kNormed = NameRow::Kind::norm_plus_one;

constexpr std::array kNames = {
    NameRow{"model.embed_tokens", "token_embd"},
    NameRow{"model.layers.{}.input_layernorm", "blk.{}.attn_norm", kNormed},
    kPlainRows[0],
    kPlainRows[1],
    NameRow{"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    NameRow{"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    NameRow{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm", kNormed},
    NameRow{"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
    NameRow{"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    NameRow{"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    NameRow{"model.norm", "output_norm", kNormed},
};

/// The first files say "gelu" and mean its tanh form.
constexpr std::array kFixed = {FixedRow{"hidden_act", "\"gelu_pytorch_tanh\"", "\"gelu\""},
                               FixedRow{"hidden_activation", "\"gelu_pytorch_tanh\"", "\"gelu\""}};

}  // namespace

constinit const FamilyRow kGemma = {.model_type = "gemma",
                                    .architecture = "gemma",
                                    .checkpoint_class = "GemmaForCausalLM",
                                    .signature = "",
                                    .names = kNames,
                                    .keys = kRmsKeys,
                                    .fixed = kFixed,
                                    .write = write_llama_like,
                                    .read = read_llama_like,
                                    .derive = derive_llama_like};

}  // namespace terse::gguf
