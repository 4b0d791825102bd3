#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/architectures/t5_scale.h"
#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

using Kind = NameRow::Kind;

template <size_t... N>
constexpr auto join(const std::array<NameRow, N>&... parts) {
  std::array<NameRow, (N + ...)> all{};
  auto* to = all.begin();
  ((to = std::ranges::copy(parts, to).out), ...);
  return all;
}

// Of the relative bias llama.cpp takes the first block's for all, as T5 does.
constexpr std::array kEncoder = {
    NameRow{"shared", "token_embd"},
    NameRow{"encoder.block.{}.layer.0.layer_norm", "enc.blk.{}.attn_norm"},
    NameRow{"encoder.block.{}.layer.0.SelfAttention.q", "enc.blk.{}.attn_q"},
    NameRow{"encoder.block.{}.layer.0.SelfAttention.k", "enc.blk.{}.attn_k"},
    NameRow{"encoder.block.{}.layer.0.SelfAttention.v", "enc.blk.{}.attn_v"},
    NameRow{"encoder.block.{}.layer.0.SelfAttention.o", "enc.blk.{}.attn_o"},
    NameRow{"encoder.block.{}.layer.0.SelfAttention.relative_attention_bias", "enc.blk.{}.attn_rel_b"},
    NameRow{"encoder.block.{}.layer.1.layer_norm", "enc.blk.{}.ffn_norm"},
    NameRow{"encoder.block.{}.layer.1.DenseReluDense.wo", "enc.blk.{}.ffn_down"},
    NameRow{"encoder.final_layer_norm", "enc.output_norm"},
};
constexpr std::array kEncoderPlain = {
    NameRow{"encoder.block.{}.layer.1.DenseReluDense.wi", "enc.blk.{}.ffn_up"},
};
constexpr std::array kEncoderGated = {
    NameRow{"encoder.block.{}.layer.1.DenseReluDense.wi_0", "enc.blk.{}.ffn_gate"},
    NameRow{"encoder.block.{}.layer.1.DenseReluDense.wi_1", "enc.blk.{}.ffn_up"},
};

constexpr std::array kDecoder = {
    NameRow{"decoder.block.{}.layer.0.layer_norm", "dec.blk.{}.attn_norm"},
    NameRow{"decoder.block.{}.layer.0.SelfAttention.q", "dec.blk.{}.attn_q"},
    NameRow{"decoder.block.{}.layer.0.SelfAttention.k", "dec.blk.{}.attn_k"},
    NameRow{"decoder.block.{}.layer.0.SelfAttention.v", "dec.blk.{}.attn_v"},
    NameRow{"decoder.block.{}.layer.0.SelfAttention.o", "dec.blk.{}.attn_o"},
    NameRow{"decoder.block.{}.layer.0.SelfAttention.relative_attention_bias", "dec.blk.{}.attn_rel_b"},
    NameRow{"decoder.block.{}.layer.1.layer_norm", "dec.blk.{}.cross_attn_norm"},
    NameRow{"decoder.block.{}.layer.1.EncDecAttention.q", "dec.blk.{}.cross_attn_q"},
    NameRow{"decoder.block.{}.layer.1.EncDecAttention.k", "dec.blk.{}.cross_attn_k"},
    NameRow{"decoder.block.{}.layer.1.EncDecAttention.v", "dec.blk.{}.cross_attn_v"},
    NameRow{"decoder.block.{}.layer.1.EncDecAttention.o", "dec.blk.{}.cross_attn_o"},
    // The first version's files have it; nothing is computed with it.
    NameRow{"decoder.block.{}.layer.1.EncDecAttention.relative_attention_bias", "dec.blk.{}.cross_attn_rel_b"},
    NameRow{"decoder.block.{}.layer.2.layer_norm", "dec.blk.{}.ffn_norm"},
    NameRow{"decoder.block.{}.layer.2.DenseReluDense.wo", "dec.blk.{}.ffn_down"},
    NameRow{"decoder.final_layer_norm", "dec.output_norm", Kind::scaled_norm},
    NameRow{"lm_head", "output"},
};
constexpr std::array kDecoderPlain = {
    NameRow{"decoder.block.{}.layer.2.DenseReluDense.wi", "dec.blk.{}.ffn_up"},
};
constexpr std::array kDecoderGated = {
    NameRow{"decoder.block.{}.layer.2.DenseReluDense.wi_0", "dec.blk.{}.ffn_gate"},
    NameRow{"decoder.block.{}.layer.2.DenseReluDense.wi_1", "dec.blk.{}.ffn_up"},
};

constexpr auto kNames = join(kEncoder, kEncoderPlain, kDecoder, kDecoderPlain);
constexpr auto kGatedNames = join(kEncoder, kEncoderGated, kDecoder, kDecoderGated);
constexpr auto kEncoderNames = join(kEncoder, kEncoderPlain);
constexpr auto kGatedEncoderNames = join(kEncoder, kEncoderGated);

constexpr std::array kKeys = {
    KeyRow{"block_count", "num_layers"},
    KeyRow{"context_length", "n_positions", KeyRow::Type::integer, 512},
    KeyRow{"embedding_length", "d_model"},
    KeyRow{"feed_forward_length", "d_ff"},
    KeyRow{"attention.head_count", "num_heads"},
    KeyRow{"attention.key_length", "d_kv"},
    KeyRow{"attention.value_length", "d_kv"},
    KeyRow{"attention.layer_norm_epsilon", "layer_norm_epsilon", KeyRow::Type::number, 1e-6},
    KeyRow{"attention.layer_norm_rms_epsilon", "layer_norm_epsilon", KeyRow::Type::number, 1e-6},
    KeyRow{"attention.relative_buckets_count", "relative_attention_num_buckets"},
};

constexpr FixedRow kDistance = {"relative_attention_max_distance", "128"};
constexpr std::array kFixed = {kDistance, FixedRow{"feed_forward_proj", "\"relu\""}};
constexpr std::array kGatedFixed = {kDistance, FixedRow{"feed_forward_proj", "\"gated-gelu\"", "\"gated-gelu_new\""}};

/// llama.cpp has a cache for as many layers as the encoder's.
void check_depths(int64_t encoder, int64_t decoder) {
  if (decoder > encoder) {
    throw Error(terse::Kind::unsupported,
                "the decoder has {} layers, the encoder {}: llama.cpp computes no decoder that is the deeper one, onnx "
                "can hold it",
                decoder, encoder);
  }
}

void write(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  const int64_t encoder = get_layers(config, "num_layers");
  const int64_t decoder = config.find("num_decoder_layers") ? get_layers(config, "num_decoder_layers") : encoder;
  check_depths(encoder, decoder);
  keys.set("decoder_block_count", static_cast<uint32_t>(decoder));
  const int64_t start = find_token(config, "decoder_start_token_id").value_or(0);
  keys.set("decoder_start_token_id", static_cast<uint32_t>(start));
}

/// Both stacks read one table, and in the first version the head too, whose input is scaled; see T5Config.
void read(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  const int64_t layers = config["num_layers"].get<int64_t>();
  config["num_decoder_layers"] = keys.find_integer("decoder_block_count").value_or(layers);
  config["decoder_start_token_id"] = keys.find_integer("decoder_start_token_id").value_or(0);
  config["scale_decoder_outputs"] = file.find("output.weight") == nullptr;
  config["is_encoder_decoder"] = true;
}

void read_encoder(const File& /*file*/, const ArchitectureKeys& /*keys*/, nlohmann::ordered_json& config) {
  config["is_encoder_decoder"] = false;
}

constexpr FamilyRow row(std::string_view signature, std::span<const NameRow> names, std::span<const FixedRow> fixed) {
  return {.model_type = "t5",
          .architecture = "t5",
          .checkpoint_class = "T5ForConditionalGeneration",
          .signature = signature,
          .names = names,
          .keys = kKeys,
          .fixed = fixed,
          .write = write,
          .read = read,
          .scale = architectures::t5_logits_scale};
}

constexpr FamilyRow encoder_row(std::string_view signature, std::span<const NameRow> names,
                                std::span<const FixedRow> fixed) {
  FamilyRow encoder = row(signature, names, fixed);
  encoder.architecture = "t5encoder";
  encoder.checkpoint_class = "T5EncoderModel";
  encoder.write = nullptr;
  encoder.read = read_encoder;
  encoder.scale = nullptr;
  return encoder;
}

}  // namespace

constinit const FamilyRow kT5 = row("dec.blk.0.ffn_up.weight", kNames, kFixed);
constinit const FamilyRow kT5Gated = row("dec.blk.0.ffn_gate.weight", kGatedNames, kGatedFixed);
constinit const FamilyRow kT5Encoder = encoder_row("", kEncoderNames, kFixed);
constinit const FamilyRow kT5EncoderGated = encoder_row("enc.blk.0.ffn_gate.weight", kGatedEncoderNames, kGatedFixed);

}  // namespace terse::gguf
