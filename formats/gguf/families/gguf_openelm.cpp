#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "formats/architectures/openelm_sizes.h"
#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

constexpr std::array kNames = {
    NameRow{"transformer.token_embeddings", "token_embd"},
    NameRow{"transformer.layers.{}.attn_norm", "blk.{}.attn_norm"},
    NameRow{"transformer.layers.{}.attn.qkv_proj", "blk.{}.attn_qkv"},
    NameRow{"transformer.layers.{}.attn.q_norm", "blk.{}.attn_q_norm"},
    NameRow{"transformer.layers.{}.attn.k_norm", "blk.{}.attn_k_norm"},
    NameRow{"transformer.layers.{}.attn.out_proj", "blk.{}.attn_output"},
    NameRow{"transformer.layers.{}.ffn_norm", "blk.{}.ffn_norm"},
    NameRow{"transformer.layers.{}.ffn.proj_1", "blk.{}.ffn_gate", NameRow::Kind::weight, "blk.{}.ffn_up"},
    NameRow{"transformer.layers.{}.ffn.proj_2", "blk.{}.ffn_down"},
    NameRow{"transformer.norm", "output_norm"},
};

constexpr std::array kKeys = {
    KeyRow{"block_count", "num_transformer_layers"},
    KeyRow{"context_length", "max_context_length", KeyRow::Type::integer, 2048},
    KeyRow{"embedding_length", "model_dim"},
    KeyRow{"attention.key_length", "head_dim"},
    KeyRow{"rope.freq_base", "rope_freq_constant", KeyRow::Type::number, 10000},
};

constexpr std::array kFixed = {
    FixedRow{"activation_fn_name", "\"swish\"", "\"silu\""},
    FixedRow{"share_input_output_layers", "true"},
};

constexpr std::string_view kHeads = "attention.head_count", kKvHeads = "attention.head_count_kv",
                           kInner = "feed_forward_length";
constexpr float kEpsilon = 1e-6F;

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  std::vector<int32_t> heads, kv_heads, inner;
  for (const architectures::OpenelmLayer& layer : architectures::read_openelm_layers(config)) {
    heads.push_back(static_cast<int32_t>(layer.heads));
    kv_heads.push_back(static_cast<int32_t>(layer.kv_heads));
    inner.push_back(static_cast<int32_t>(layer.inner));
  }
  keys.set(kHeads, MetadataArray{heads});
  keys.set(kKvHeads, MetadataArray{kv_heads});
  keys.set(kInner, MetadataArray{inner});
  const auto head_size = static_cast<uint32_t>(get_size(config, "head_dim"));
  keys.set("attention.value_length", head_size);
  keys.set("rope.dimension_count", head_size);
  keys.set("attention.layer_norm_rms_epsilon", kEpsilon);
}

/// A list of a number for each layer, of either sign of integers.
std::vector<int64_t> get_list(const ArchitectureKeys& keys, Metadata& metadata, std::string_view key) {
  const MetadataArray* array = metadata.find_array(keys.full(key));
  const auto* is_signed = array == nullptr ? nullptr : std::get_if<std::vector<int32_t>>(&array->values);
  const auto* is_unsigned = array == nullptr ? nullptr : std::get_if<std::vector<uint32_t>>(&array->values);
  if (is_signed == nullptr && is_unsigned == nullptr) {
    throw Error(Kind::input, "metadata '{}' is no list of integers, expected one for each layer", keys.full(key));
  }
  return is_signed != nullptr ? std::vector<int64_t>(is_signed->begin(), is_signed->end())
                              : std::vector<int64_t>(is_unsigned->begin(), is_unsigned->end());
}

/// Multipliers that give just these widths, by a divisor that they have in common.
void set_widths(const std::vector<int64_t>& widths, int64_t hidden, nlohmann::ordered_json& config) {
  int64_t divisor = 256;
  std::vector<double> multipliers;
  for (const int64_t width : widths) {
    if (width < 1 || hidden < 1) {
      throw Error(Kind::input, "a feed-forward of width {} beside {}, expected more than 0", width, hidden);
    }
    divisor = std::gcd(divisor, width);
    multipliers.push_back(static_cast<double>(width) / static_cast<double>(hidden));
  }
  config["ffn_multipliers"] = multipliers;
  config["ffn_dim_divisor"] = divisor;
}

void read(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  Metadata metadata = file.metadata;
  config["num_query_heads"] = get_list(keys, metadata, kHeads);
  config["num_kv_heads"] = get_list(keys, metadata, kKvHeads);
  set_widths(get_list(keys, metadata, kInner), keys.find_integer("embedding_length").value_or(0), config);
}

}  // namespace

constinit const FamilyRow kOpenelm = {.model_type = "openelm",
                                      .architecture = "openelm",
                                      .checkpoint_class = "OpenELMForCausalLM",
                                      .signature = "",
                                      .names = kNames,
                                      .keys = kKeys,
                                      .fixed = kFixed,
                                      .write = write,
                                      .read = read,
                                      .derive = nullptr};

}  // namespace terse::gguf
