#include "formats/error.h"
#include "formats/gguf/families/gguf_llama_like.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

constexpr auto kNames = llama_like_names(kNeighbourRows);
constexpr auto kGraniteKeys = rms_keys(std::array{
    KeyRow{"attention.scale", "attention_multiplier", KeyRow::Type::number, 1},
    KeyRow{"embedding_scale", "embedding_multiplier", KeyRow::Type::number, 1},
    KeyRow{"residual_scale", "residual_multiplier", KeyRow::Type::number, 1},
    KeyRow{"logit_scale", "logits_scaling", KeyRow::Type::number, 1},
});

constexpr std::array kExpertKeys = {KeyRow{"expert_count", "num_local_experts"},
                                    KeyRow{"expert_used_count", "num_experts_per_tok"}};
constexpr auto kMixtralKeys = rms_keys(kExpertKeys);
constexpr auto kMixtralNames = llama_like_names(std::array{
    kNeighbourRows[0],
    kNeighbourRows[1],
    NameRow{"model.layers.{}.block_sparse_moe.gate", "blk.{}.ffn_gate_inp", NameRow::Kind::float_table},
    NameRow{"model.layers.{}.block_sparse_moe.experts.{}.w1", "blk.{}.ffn_gate_exps", NameRow::Kind::expert},
    NameRow{"model.layers.{}.block_sparse_moe.experts.{}.w3", "blk.{}.ffn_up_exps", NameRow::Kind::expert},
    NameRow{"model.layers.{}.block_sparse_moe.experts.{}.w2", "blk.{}.ffn_down_exps", NameRow::Kind::expert},
});

constexpr auto kGraniteMoeKeys = rms_keys(
    std::array{kGraniteKeys[6], kGraniteKeys[7], kGraniteKeys[8], kGraniteKeys[9], kExpertKeys[0], kExpertKeys[1]});
constexpr auto kGraniteMoeNames = llama_like_names(std::array{
    kNeighbourRows[0],
    kNeighbourRows[1],
    NameRow{"model.layers.{}.block_sparse_moe.router.layer", "blk.{}.ffn_gate_inp", NameRow::Kind::float_table},
    NameRow{"model.layers.{}.block_sparse_moe.input_linear.{}.gate", "blk.{}.ffn_gate_exps", NameRow::Kind::expert},
    NameRow{"model.layers.{}.block_sparse_moe.input_linear.{}.up", "blk.{}.ffn_up_exps", NameRow::Kind::expert},
    NameRow{"model.layers.{}.block_sparse_moe.output_linear.{}", "blk.{}.ffn_down_exps", NameRow::Kind::expert},
});

/// Rows of pairs are neighbours in whole heads, so whole heads are turned.
void check_whole(const ArchitectureKeys& keys) {
  const auto turned = keys.find_integer("rope.dimension_count");
  const int64_t size = head_size_of(keys);
  if (turned && *turned != size) {
    throw Error(Kind::unsupported, "metadata '{}': a llama turns whole heads, {} of {} dimensions were asked for",
                keys.full("rope.dimension_count"), *turned, size);
  }
}

void write(const JsonField& config, const std::filesystem::path& folder, ArchitectureKeys& keys) {
  write_llama_like(config, folder, keys);
  check_whole(keys);
}

void read(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  check_whole(keys);
  read_llama_like(file, keys, config);
}

constexpr FamilyRow row(std::string_view model_type, std::string_view architecture, std::string_view checkpoint_class) {
  return {.model_type = model_type,
          .architecture = architecture,
          .checkpoint_class = checkpoint_class,
          .signature = "",
          .names = kNames,
          .keys = kRmsKeys,
          .fixed = kSilu,
          .write = write,
          .read = read,
          .derive = derive_llama_like};
}

constexpr std::array kMistralLost = {
    LostRow{"sliding_window", "llama.cpp's llama has none, longer sequences see all of themselves"}};

constexpr FamilyRow mistral_row() {
  FamilyRow mistral = row("mistral", "llama", "MistralForCausalLM");
  mistral.lost = kMistralLost;
  return mistral;
}

constexpr FamilyRow granite_row() {
  FamilyRow granite = row("granite", "granite", "GraniteForCausalLM");
  granite.keys = kGraniteKeys;
  return granite;
}

constexpr FamilyRow mixtral_row() {
  FamilyRow mixtral = row("mixtral", "llama", "MixtralForCausalLM");
  mixtral.signature = "blk.0.ffn_gate_inp.weight";
  mixtral.names = kMixtralNames;
  mixtral.keys = kMixtralKeys;
  mixtral.lost = kMistralLost;
  return mixtral;
}

constexpr FamilyRow granitemoe_row() {
  FamilyRow granitemoe = row("granitemoe", "granitemoe", "GraniteMoeForCausalLM");
  granitemoe.names = kGraniteMoeNames;
  granitemoe.keys = kGraniteMoeKeys;
  return granitemoe;
}

}  // namespace

constinit const FamilyRow kLlama = row("llama", "llama", "LlamaForCausalLM");
constinit const FamilyRow kMistral = mistral_row();
constinit const FamilyRow kMixtral = mixtral_row();
constinit const FamilyRow kGranite = granite_row();
constinit const FamilyRow kGraniteMoe = granitemoe_row();

}  // namespace terse::gguf
