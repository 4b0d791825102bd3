#pragma once

#include <array>

#include "formats/gguf/family.h"

namespace terse::gguf {

// What most decoders share with Llama.

/// Rows of a family's own behind those that all of them have: all but queries and keys, which lie in one order or the
/// other.
template <size_t N>
constexpr std::array<NameRow, 10 + N> llama_like_names(const std::array<NameRow, N>& own) {
  constexpr std::array<NameRow, 10> kShared = {
      NameRow{"model.embed_tokens", "token_embd"},
      NameRow{"model.layers.{}.input_layernorm", "blk.{}.attn_norm"},
      NameRow{"model.layers.{}.self_attn.v_proj", "blk.{}.attn_v"},
      NameRow{"model.layers.{}.self_attn.o_proj", "blk.{}.attn_output"},
      NameRow{"model.layers.{}.post_attention_layernorm", "blk.{}.ffn_norm"},
      NameRow{"model.layers.{}.mlp.gate_proj", "blk.{}.ffn_gate"},
      NameRow{"model.layers.{}.mlp.up_proj", "blk.{}.ffn_up"},
      NameRow{"model.layers.{}.mlp.down_proj", "blk.{}.ffn_down"},
      NameRow{"model.norm", "output_norm"},
      NameRow{"lm_head", "output"},
  };
  std::array<NameRow, 10 + N> all{};
  for (size_t i = 0; i < all.size(); ++i) {
    all[i] = i < kShared.size() ? kShared[i] : own[i - kShared.size()];
  }
  return all;
}

/// Queries and keys whose rotary pairs GGUF has as neighbours, and those that it leaves half a head apart.
inline constexpr std::array<NameRow, 2> kNeighbourRows = {
    NameRow{"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q", NameRow::Kind::query},
    NameRow{"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k", NameRow::Kind::key}};
inline constexpr std::array<NameRow, 2> kPlainRows = {NameRow{"model.layers.{}.self_attn.q_proj", "blk.{}.attn_q"},
                                                      NameRow{"model.layers.{}.self_attn.k_proj", "blk.{}.attn_k"}};

inline constexpr std::array<KeyRow, 5> kLlamaLikeKeys = {
    KeyRow{"block_count", "num_hidden_layers"},
    KeyRow{"context_length", "max_position_embeddings", KeyRow::Type::integer, 2048},
    KeyRow{"embedding_length", "hidden_size"},
    KeyRow{"feed_forward_length", "intermediate_size"},
    KeyRow{"attention.head_count", "num_attention_heads"},
};

/// The same with the epsilon of RMS norms, and rows of a family's own.
template <size_t N>
constexpr std::array<KeyRow, 6 + N> rms_keys(const std::array<KeyRow, N>& own) {
  std::array<KeyRow, 6 + N> all{};
  for (size_t i = 0; i < kLlamaLikeKeys.size(); ++i) {
    all[i] = kLlamaLikeKeys[i];
  }
  all[5] = KeyRow{"attention.layer_norm_rms_epsilon", "rms_norm_eps", KeyRow::Type::number, 1e-6};
  for (size_t i = 0; i < N; ++i) {
    all[6 + i] = own[i];
  }
  return all;
}
inline constexpr std::array<KeyRow, 6> kRmsKeys = rms_keys(std::array<KeyRow, 0>{});

inline constexpr std::array<FixedRow, 1> kSilu = {FixedRow{"hidden_act", "\"silu\"", "\"swish\""}};

/// Dimensions of a head by a file's metadata: what it says, else an even share of the width.
int64_t head_size_of(const ArchitectureKeys& keys);

// The members of a FamilyRow: sizes of heads, vocabulary, rotary positions; there also the flags attention_bias and
// mlp_bias, by the tensors of the file's first layer.
void write_llama_like(const JsonField& config, const std::filesystem::path& folder, ArchitectureKeys& keys);
void read_llama_like(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config);
std::vector<DerivedTensor> derive_llama_like(const JsonField& config);

}  // namespace terse::gguf
