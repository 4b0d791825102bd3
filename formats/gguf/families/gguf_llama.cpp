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

}  // namespace

constinit const FamilyRow kLlama = row("llama", "llama", "LlamaForCausalLM");
constinit const FamilyRow kMistral = mistral_row();
constinit const FamilyRow kGranite = granite_row();

}  // namespace terse::gguf
