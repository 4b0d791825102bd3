#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

constexpr std::array kNames = {
    NameRow{"model.embed_tokens", "token_embd"},
    NameRow{"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    kPlainRows[0],
    kPlainRows[1],
    NameRow{"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    NameRow{"model.layers.{}.self_attn.dense", "blk.{}.attn_output"},
    NameRow{"model.layers.{}.mlp.fc1", "blk.{}.ffn_up"},
    NameRow{"model.layers.{}.mlp.fc2", "blk.{}.ffn_down"},
    NameRow{"model.final_layernorm", "output_norm"},
    NameRow{"lm_head", "output"},
};

constexpr std::array kKeys = {
    kLlamaLikeKeys[0], kLlamaLikeKeys[1],
    kLlamaLikeKeys[2], kLlamaLikeKeys[3],
    kLlamaLikeKeys[4], KeyRow{"attention.layer_norm_epsilon", "layer_norm_eps", KeyRow::Type::number, 1e-5},
};

constexpr std::array kFixed = {FixedRow{"hidden_act", "\"gelu_new\"", "\"gelu_pytorch_tanh\""},
                               FixedRow{"qk_layernorm", "false"}};

}  // namespace

constinit const FamilyRow kPhi = {.model_type = "phi",
                                  .architecture = "phi2",
                                  .checkpoint_class = "PhiForCausalLM",
                                  .signature = "",
                                  .names = kNames,
                                  .keys = kKeys,
                                  .fixed = kFixed,
                                  .write = write_llama_like,
                                  .read = read_llama_like,
                                  .derive = nullptr};

}  // namespace terse::gguf
