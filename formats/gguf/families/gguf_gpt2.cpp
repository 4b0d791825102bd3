#include <array>
#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

constexpr std::array kNames = {
    NameRow{"transformer.wte", "token_embd"},
    NameRow{"transformer.wpe", "position_embd", NameRow::Kind::float_table},
    NameRow{"transformer.h.{}.ln_1", "blk.{}.attn_norm"},
    NameRow{"transformer.h.{}.attn.c_attn", "blk.{}.attn_qkv"},
    NameRow{"transformer.h.{}.attn.c_proj", "blk.{}.attn_output"},
    NameRow{"transformer.h.{}.ln_2", "blk.{}.ffn_norm"},
    NameRow{"transformer.h.{}.mlp.c_fc", "blk.{}.ffn_up"},
    NameRow{"transformer.h.{}.mlp.c_proj", "blk.{}.ffn_down"},
    NameRow{"transformer.ln_f", "output_norm"},
    NameRow{"lm_head", "output"},
};

constexpr std::array kKeys = {
    KeyRow{"block_count", "n_layer"},
    KeyRow{"context_length", "n_positions"},
    KeyRow{"embedding_length", "n_embd"},
    KeyRow{"attention.head_count", "n_head"},
    KeyRow{"attention.layer_norm_epsilon", "layer_norm_epsilon", KeyRow::Type::number, 1e-5},
};

constexpr std::array kFixed = {
    FixedRow{"activation_function", "\"gelu_new\"", "\"gelu_pytorch_tanh\""},
    FixedRow{"scale_attn_weights", "true"},
    FixedRow{"scale_attn_by_inverse_layer_idx", "false"},
};

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  const int64_t inner = size_or(config, "n_inner", 4 * get_size(config, "n_embd"));
  keys.set("feed_forward_length", static_cast<uint32_t>(inner));
}

void read(const File& /*file*/, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  if (const auto inner = keys.find_integer("feed_forward_length")) {
    config["n_inner"] = *inner;
  }
}

}  // namespace

constinit const FamilyRow kGpt2 = {.model_type = "gpt2",
                                   .architecture = "gpt2",
                                   .checkpoint_class = "GPT2LMHeadModel",
                                   .signature = "",
                                   .names = kNames,
                                   .keys = kKeys,
                                   .fixed = kFixed,
                                   .write = write,
                                   .read = read,
                                   .derive = nullptr};

}  // namespace terse::gguf
