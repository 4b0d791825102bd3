#include <array>
#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/family_rows.h"
#include "formats/gguf/rope_metadata.h"

namespace terse::gguf {
namespace {

constexpr std::array kNames = {
    NameRow{"model.embed_tokens", "token_embd"},
    NameRow{"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    NameRow{"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q", NameRow::Kind::query},
    NameRow{"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k", NameRow::Kind::key},
    NameRow{"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
    NameRow{"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    NameRow{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    NameRow{"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
    NameRow{"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    NameRow{"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    NameRow{"model.norm", "output_norm"},
    NameRow{"lm_head", "output"},
};

constexpr std::array kKeys = {
    KeyRow{"block_count", "num_hidden_layers"},
    KeyRow{"context_length", "max_position_embeddings", KeyRow::Type::integer, 2048},
    KeyRow{"embedding_length", "hidden_size"},
    KeyRow{"feed_forward_length", "intermediate_size"},
    KeyRow{"attention.head_count", "num_attention_heads"},
    KeyRow{"attention.layer_norm_rms_epsilon", "rms_norm_eps", KeyRow::Type::number, 1e-6},
};

constexpr std::array kFixed = {FixedRow{"hidden_act", "\"silu\"", "\"swish\""}};

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  const HeadSizes heads = read_heads(config);
  keys.set("attention.head_count_kv", static_cast<uint32_t>(heads.kv_heads));
  keys.set("attention.key_length", static_cast<uint32_t>(heads.head_size));
  keys.set("attention.value_length", static_cast<uint32_t>(heads.head_size));
  keys.set("vocab_size", static_cast<uint32_t>(get_size(config, "vocab_size")));
  write_rope(read_rope(config), heads.head_size, keys);
}

/// Biases are traits of a configuration, and there or not in a file.
bool has_bias(const File& file, std::string_view module) {
  return file.find(fmt::format("blk.0.{}.bias", module)) != nullptr;
}

void read(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  const auto heads = keys.find_integer("attention.head_count").value_or(1);
  const auto hidden = keys.find_integer("embedding_length").value_or(0);
  const auto head_size = keys.find_integer("attention.key_length").value_or(heads > 0 ? hidden / heads : 0);
  if (const auto values = keys.find_integer("attention.value_length").value_or(head_size); values != head_size) {
    throw Error(Kind::unsupported, "metadata '{}' is {}, expected {} as keys have", keys.full("attention.value_length"),
                values, head_size);
  }
  config["num_key_value_heads"] = keys.find_integer("attention.head_count_kv").value_or(heads);
  config["head_dim"] = head_size;
  config["attention_bias"] = has_bias(file, "attn_q");
  config["mlp_bias"] = has_bias(file, "ffn_up");
  read_rope(file, keys, head_size, config);
}

std::vector<DerivedTensor> derive(const JsonField& config) {
  return rope_tensors(read_rope(config), read_heads(config).head_size);
}

constexpr FamilyRow row(std::string_view model_type, std::string_view checkpoint_class,
                        std::span<const LostRow> lost = {}) {
  return {.model_type = model_type,
          .architecture = "llama",
          .checkpoint_class = checkpoint_class,
          .signature = "",
          .names = kNames,
          .keys = kKeys,
          .fixed = kFixed,
          .lost = lost,
          .write = write,
          .read = read,
          .derive = derive};
}

constexpr std::array kMistralLost = {
    LostRow{"sliding_window", "llama.cpp's llama has none, longer sequences see all of themselves"}};

}  // namespace

constinit const FamilyRow kLlama = row("llama", "LlamaForCausalLM");
constinit const FamilyRow kMistral = row("mistral", "MistralForCausalLM", kMistralLost);

}  // namespace terse::gguf
