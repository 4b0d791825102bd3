#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"

// Phi-2 with queries, keys and values in one matrix: as its first checkpoints have them, and the files that were made
// of these.

namespace terse::gguf {
namespace {

constexpr std::array kNames = {
    NameRow{"transformer.embd.wte", "token_embd"},
    NameRow{"transformer.h.{}.ln", "blk.{}.attn_norm"},
    NameRow{"transformer.h.{}.mixer.Wqkv", "blk.{}.attn_qkv"},
    NameRow{"transformer.h.{}.mixer.out_proj", "blk.{}.attn_output"},
    NameRow{"transformer.h.{}.mlp.fc1", "blk.{}.ffn_up"},
    NameRow{"transformer.h.{}.mlp.fc2", "blk.{}.ffn_down"},
    NameRow{"lm_head.ln", "output_norm"},
    NameRow{"lm_head.linear", "output"},
};

constexpr std::array kKeys = {
    KeyRow{"block_count", "n_layer"},
    KeyRow{"context_length", "n_positions", KeyRow::Type::integer, 2048},
    KeyRow{"embedding_length", "n_embd"},
    KeyRow{"attention.head_count", "n_head"},
    KeyRow{"rope.dimension_count", "rotary_dim"},
    KeyRow{"attention.layer_norm_epsilon", "layer_norm_epsilon", KeyRow::Type::number, 1e-5},
};

constexpr std::array kFixed = {FixedRow{"activation_function", "\"gelu_new\"", "\"gelu_pytorch_tanh\""}};

constexpr std::string_view kInner = "feed_forward_length", kKvHeads = "attention.head_count_kv",
                           kBase = "rope.freq_base";

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  keys.set(kInner, static_cast<uint32_t>(size_or(config, "n_inner", 4 * get_size(config, "n_embd"))));
  keys.set(kKvHeads, static_cast<uint32_t>(get_size(config, "n_head")));
}

void read(const File& /*file*/, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  if (const auto inner = keys.find_integer(kInner)) {
    config["n_inner"] = *inner;
  }
  if (const auto heads = keys.find_integer(kKvHeads)) {
    config["n_head_kv"] = *heads;
  }
  if (const double base = keys.find_number(kBase).value_or(10000); base != 10000) {
    throw Error(Kind::unsupported, "metadata '{}' is {}, expected 10000, which alone phi-msft has", keys.full(kBase),
                base);
  }
}

}  // namespace

constinit const FamilyRow kPhiMsft = {.model_type = "phi-msft",
                                      .architecture = "phi2",
                                      .checkpoint_class = "PhiForCausalLM",
                                      .signature = "blk.0.attn_qkv.weight",
                                      .names = kNames,
                                      .keys = kKeys,
                                      .fixed = kFixed,
                                      .write = write,
                                      .read = read,
                                      .derive = nullptr};

}  // namespace terse::gguf
