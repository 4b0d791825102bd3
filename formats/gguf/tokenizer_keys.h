#pragma once

#include <array>
#include <string_view>

namespace terse::gguf {

// What GGUF calls the parts of a tokenizer. Source: gguf-py/gguf/constants.py, src/llama-arch.cpp.

inline constexpr std::string_view kTokenizerModelKey = "tokenizer.ggml.model";
inline constexpr std::string_view kPreTokenizerKey = "tokenizer.ggml.pre";
inline constexpr std::string_view kTokensKey = "tokenizer.ggml.tokens";
inline constexpr std::string_view kScoresKey = "tokenizer.ggml.scores";
inline constexpr std::string_view kTokenTypesKey = "tokenizer.ggml.token_type";
inline constexpr std::string_view kMergesKey = "tokenizer.ggml.merges";
inline constexpr std::string_view kAddBosKey = "tokenizer.ggml.add_bos_token";
inline constexpr std::string_view kAddEosKey = "tokenizer.ggml.add_eos_token";
inline constexpr std::string_view kAddSepKey = "tokenizer.ggml.add_sep_token";
inline constexpr std::string_view kSpacePrefixKey = "tokenizer.ggml.add_space_prefix";
inline constexpr std::string_view kExtraWhitespacesKey = "tokenizer.ggml.remove_extra_whitespaces";
inline constexpr std::string_view kCharsmapKey = "tokenizer.ggml.precompiled_charsmap";
inline constexpr std::string_view kLowercaseKey = "tokenizer.ggml.normalizer.lowercase";
inline constexpr std::string_view kStripAccentsKey = "tokenizer.ggml.normalizer.strip_accents";
inline constexpr std::string_view kTokenTypeCountKey = "tokenizer.ggml.token_type_count";
inline constexpr std::string_view kChatTemplateKey = "tokenizer.chat_template";

/// A special token: its key, and what tokenizer_config.json calls it (config.json adds "_id").
struct SpecialTokenKey {
  std::string_view key, name;
};

inline constexpr std::array<SpecialTokenKey, 7> kSpecialTokenKeys = {{
    {"tokenizer.ggml.bos_token_id", "bos_token"},
    {"tokenizer.ggml.eos_token_id", "eos_token"},
    {"tokenizer.ggml.unknown_token_id", "unk_token"},
    {"tokenizer.ggml.seperator_token_id", "sep_token"},  // as GGUF spells it
    {"tokenizer.ggml.padding_token_id", "pad_token"},
    {"tokenizer.ggml.mask_token_id", "mask_token"},
    {"tokenizer.ggml.eot_token_id", "eot_token"},
}};

/// The key of a special token that tokenizer_config.json calls so.
constexpr std::string_view special_token_key(std::string_view name) {
  for (const SpecialTokenKey& row : kSpecialTokenKeys) {
    if (row.name == name) {
      return row.key;
    }
  }
  return {};
}

}  // namespace terse::gguf
