#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "formats/vocabulary.h"

namespace terse::gguf {

/// What `tokenizer.ggml.pre` says about a byte pair encoding: how texts are cut before it, and what goes with that.
struct PreTokenizerRule {
  std::string_view name;
  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> pre_tokenizers;
  bool byte_level = true;      ///< else bytes without a token are <0x00> to <0xFF>, and U+2581 stands for a space
  bool ignore_merges = false;  ///< as Vocabulary's
  bool adds_bos = false;       ///< unless the file says otherwise
};

/// Error unsupported, with the names that are known, for another one.
PreTokenizerRule get_pre_tokenizer(std::string_view name);

/// The name for the way in which a byte-level BPE cuts texts. Several names stand for the same: the one that stands
/// first in the table is given. Error unsupported, showing the way, if llama.cpp has no name for it.
std::string_view find_pre_tokenizer_name(const Vocabulary& vocabulary);

}  // namespace terse::gguf
