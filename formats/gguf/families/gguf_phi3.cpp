#include <cmath>
#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"
#include "formats/gguf/rope_metadata.h"

namespace terse::gguf {
namespace {

constexpr std::array kNames = {
    NameRow{"model.embed_tokens", "token_embd"},
    NameRow{"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
    NameRow{"model.layers.{}.self_attn.qkv_proj", "blk.{}.attn_qkv"},
    NameRow{"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
    NameRow{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
    NameRow{"model.layers.{}.mlp.gate_up_proj", "blk.{}.ffn_up"},
    NameRow{"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
    NameRow{"model.norm", "output_norm"},
    NameRow{"lm_head", "output"},
};

// llama.cpp 0.5.0 reads the window and computes without (PR 13676).
constexpr std::array kLost = {
    LostRow{"sliding_window", "llama.cpp computes Phi-3 without, longer sequences see all of themselves"}};

constexpr std::string_view kOriginalPositions = "rope.scaling.original_context_length",
                           kAttentionFactor = "rope.scaling.attn_factor", kWindow = "attention.sliding_window";
constexpr float kTolerance = 1e-6F;  // of a factor that was rounded to f32, relative

int64_t original_positions(const JsonField& config, const RopeConfig& rope) {
  return rope.original_positions > 0
             ? rope.original_positions
             : size_or(config, "original_max_position_embeddings", size_or(config, "max_position_embeddings", 4096));
}

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  const HeadSizes heads = read_heads(config);
  if (const int64_t hidden = get_size(config, "hidden_size"); heads.heads * heads.head_size != hidden) {
    throw Error(Kind::unsupported, "head_dim is {}, llama.cpp computes Phi-3 with hidden_size {} over {} heads only",
                heads.head_size, hidden, heads.heads);
  }
  const RopeConfig rope = read_rope(config);
  keys.set("attention.head_count_kv", static_cast<uint32_t>(heads.kv_heads));
  keys.set(kWindow, static_cast<uint32_t>(read_windows(config, 1).front()));
  keys.set(kOriginalPositions, static_cast<uint32_t>(original_positions(config, rope)));
  RopeConfig base = rope;
  if (rope.type == "longrope") {
    keys.set(kAttentionFactor, static_cast<float>(rope.attention_factor));
    base.type = "default";
  }
  write_rope(base, heads.head_size, keys);
}

std::vector<DerivedTensor> derive(const JsonField& config) {
  const RopeConfig rope = read_rope(config);
  if (rope.type != "longrope") {
    return {};
  }
  return {{.name = std::string(kLongFactors), .values = rope.long_factors},
          {.name = std::string(kShortFactors), .values = rope.short_factors}};
}

std::vector<float> factors_of(const FileTensor& tensor) {
  const Tensor numbers = to_f32(tensor.data.aligned());
  return {numbers.values<float>().begin(), numbers.values<float>().end()};
}

/// Leaves the factor of sines and cosines out where it is what readers work out.
void read_longrope(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  const FileTensor *longer = file.find(kLongFactors), *shorter = file.find(kShortFactors);
  if (longer == nullptr || shorter == nullptr) {
    return;
  }
  nlohmann::ordered_json scaling = {
      {"type", "longrope"}, {"short_factor", factors_of(*shorter)}, {"long_factor", factors_of(*longer)}};
  const auto given = keys.find_number(kAttentionFactor);
  config["rope_scaling"] = scaling;
  const nlohmann::json document = nlohmann::json::parse(config.dump());
  const double meant = read_rope(JsonField(document, "")).attention_factor;
  if (const double factor = given.value_or(1); std::abs(factor - meant) > kTolerance * meant) {
    config["rope_scaling"]["attention_factor"] = factor;
  }
}

void read(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  read_llama_like(file, keys, config);
  if (const auto window = keys.find_integer(kWindow); window && *window > 0) {
    config["sliding_window"] = *window;
  } else {
    config["sliding_window"] = nullptr;
  }
  if (const auto positions = keys.find_integer(kOriginalPositions)) {
    config["original_max_position_embeddings"] = *positions;
  }
  read_longrope(file, keys, config);
}

}  // namespace

constinit const FamilyRow kPhi3 = {.model_type = "phi3",
                                   .architecture = "phi3",
                                   .checkpoint_class = "Phi3ForCausalLM",
                                   .signature = "",
                                   .names = kNames,
                                   .keys = kRmsKeys,
                                   .fixed = kSilu,
                                   .lost = kLost,
                                   .write = write,
                                   .read = read,
                                   .derive = derive};

}  // namespace terse::gguf
