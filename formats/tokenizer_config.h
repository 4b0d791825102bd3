#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/vocabulary.h"

namespace terse {

/// What tokenizer_config.json says beside a vocabulary that does not say it itself.
struct TokenizerConfig {
  std::string tokenizer_class;  ///< without "Fast"
  std::optional<bool> add_bos_token, add_eos_token;
  std::string bos_token, eos_token;  ///< empty: not said
  normalizers::Bert bert;
};

/// Errors: as read_tokenizer_json's.
TokenizerConfig read_tokenizer_config(std::string_view text);

/// Puts the special tokens around a SentencePiece vocabulary's texts that its configuration asks for, or else those
/// that transformers' class of that name adds.
void add_special_tokens(const TokenizerConfig& config, Vocabulary& vocabulary);

}  // namespace terse
