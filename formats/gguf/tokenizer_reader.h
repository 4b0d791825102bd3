#pragma once

#include <string>
#include <vector>

#include "formats/gguf/metadata.h"
#include "formats/text_settings.h"
#include "formats/vocabulary.h"

namespace terse::gguf {

/// Whether the metadata describes a tokenizer: `tokenizer.ggml.model` is there and not "none".
bool has_tokenizer(const Metadata& metadata);

/// The tokenizer as plain data, as llama.cpp reads it (src/llama-vocab.cpp):
///   gpt2   byte-level BPE with merges, cut as `tokenizer.ggml.pre` says
///   llama  SentencePiece's BPE by score
///   bert   WordPiece; the file marks starts of words with U+2581 where checkpoints mark what continues one with "##"
///   t5     Unigram with SentencePiece's normalization
/// Tokens of the types control and user_defined are found in a text before anything else happens to it.
/// Errors:  input, naming the key, for arrays that do not fit, ids that no token has, merges of what is no token;
///          unsupported for other models and pre-tokenizers.
Vocabulary read_tokenizer(const Metadata& metadata);

/// What the metadata says about text beside the tokenizer: special tokens, chat template, tokens that end a text.
TextSettings read_text_settings(const Metadata& metadata);

/// A text file of a checkpoint folder.
struct TextFile {
  std::string name, text;
};

/// The tokenizer as files of a checkpoint folder: tokenizer.json, tokenizer_config.json and, if there is one,
/// chat_template.jinja. Transformers' AutoTokenizer loads them and gives the ids of `read_tokenizer`.
/// Errors: as read_tokenizer's.
std::vector<TextFile> tokenizer_files(const Metadata& metadata);

}  // namespace terse::gguf
