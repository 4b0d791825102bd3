#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"
#include "formats/gguf/rope_metadata.h"

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
    NameRow{"model.layers.{}.post_attention_layernorm", "blk.{}.post_attention_norm", kNormed},
    NameRow{"model.layers.{}.pre_feedforward_layernorm", "blk.{}.ffn_norm", kNormed},
    NameRow{"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
    NameRow{"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
    NameRow{"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    NameRow{"model.layers.{}.post_feedforward_layernorm", "blk.{}.post_ffw_norm", kNormed},
    NameRow{"model.norm", "output_norm", kNormed},
};

constexpr auto kKeys = rms_keys(std::array{
    KeyRow{"attention.sliding_window", "sliding_window", KeyRow::Type::integer, 4096},
    KeyRow{"attn_logit_softcapping", "attn_logit_softcapping", KeyRow::Type::number, 50},
    KeyRow{"final_logit_softcapping", "final_logit_softcapping", KeyRow::Type::number, 30},
});

constexpr std::array kFixed = {FixedRow{"hidden_activation", "\"gelu_pytorch_tanh\"", "\"gelu\""},
                               FixedRow{"attention_bias", "false"}};

/// llama.cpp tells the model of 27 billion weights by its layers, and divides its queries otherwise.
constexpr int64_t kLayersOf27B = 46;

int64_t query_scalar(int64_t layers, int64_t hidden, const HeadSizes& heads) {
  return layers == kLayersOf27B ? hidden / heads.heads : heads.head_size;
}

/// Null is none of them; llama.cpp has always one of each.
void check_there(const JsonField& config) {
  for (const std::string_view key : {"attn_logit_softcapping", "final_logit_softcapping", "sliding_window"}) {
    if (config.value().contains(key) && config.value()[std::string(key)].is_null()) {
      throw Error(Kind::unsupported, "{} is null, llama.cpp computes this family with one only: onnx can hold it", key);
    }
  }
}

void check_scale(const JsonField& config, const HeadSizes& heads) {
  const int64_t expected = query_scalar(get_size(config, "num_hidden_layers"), get_size(config, "hidden_size"), heads);
  const float found = positive_or(config, "query_pre_attn_scalar", 256);
  if (found != static_cast<float>(expected)) {
    throw Error(Kind::unsupported,
                "query_pre_attn_scalar is {}, llama.cpp computes Gemma 2 of these sizes with {} only: onnx can hold it",
                found, expected);
  }
}

void check_windows(const JsonField& config) {
  const auto types = config.find("layer_types");
  for (size_t i = 0; types && i < types->array_size(); ++i) {
    const std::string_view expected = i % 2 == 0 ? "sliding_attention" : "full_attention";
    if (types->at(i).text() != expected) {
      throw Error(Kind::unsupported, "{} is {}, llama.cpp computes Gemma 2 with {} there only: onnx can hold it",
                  types->at(i).where(), types->at(i).text(), expected);
    }
  }
}

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  const HeadSizes heads = read_heads(config);
  check_there(config);
  check_scale(config, heads);
  check_windows(config);
  keys.set("attention.head_count_kv", static_cast<uint32_t>(heads.kv_heads));
  keys.set("attention.key_length", static_cast<uint32_t>(heads.head_size));
  keys.set("attention.value_length", static_cast<uint32_t>(heads.head_size));
  const RopeConfig rope = read_rope(config);
  if (rope.type != "default" || rope.theta != RopeConfig{}.theta) {  // which llama.cpp takes unsaid
    write_rope(rope, heads.head_size, keys);
  }
}

void read(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  read_llama_like(file, keys, config);
  const HeadSizes heads{.heads = keys.find_integer("attention.head_count").value_or(1),
                        .kv_heads = 1,
                        .head_size = config.at("head_dim").get<int64_t>()};
  if (heads.heads < 1) {
    throw Error(Kind::input, "metadata '{}' is {}, expected at least 1", keys.full("attention.head_count"),
                heads.heads);
  }
  config["query_pre_attn_scalar"] = query_scalar(keys.find_integer("block_count").value_or(0),
                                                 keys.find_integer("embedding_length").value_or(0), heads);
}

}  // namespace

constinit const FamilyRow kGemma2 = {.model_type = "gemma2",
                                     .architecture = "gemma2",
                                     .checkpoint_class = "Gemma2ForCausalLM",
                                     .signature = "",
                                     .names = kNames,
                                     .keys = kKeys,
                                     .fixed = kFixed,
                                     .write = write,
                                     .read = read,
                                     .derive = derive_llama_like};

}  // namespace terse::gguf
