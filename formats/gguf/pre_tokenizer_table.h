#pragma once

#include <array>
#include <span>
#include <string_view>

namespace terse::gguf {

// The ways to cut texts that llama.cpp knows by name.

/// One step of cutting. Those of different spelling and equal meaning are one.
struct CutStep {
  enum class Kind {
    none,
    split,             ///< matches of the pattern are pieces, and what is between them
    digits,            ///< each digit
    digit_runs,        ///< neighbouring digits
    punctuation_runs,  ///< neighbouring characters of punctuation
    bytes_gpt2,        ///< at kGpt2Pattern, and from here on the text is one in GPT-2's alphabet of bytes
  };
  Kind kind = Kind::none;
  std::string_view pattern;
  bool operator==(const CutStep&) const = default;
};

using CutSteps = std::array<CutStep, 7>;  ///< up to the first that is none

/// Splitting at GPT-2's pattern, which is part of `bytes_gpt2`.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

struct PreTokenizerRow {
  std::string_view name;
  const CutSteps& steps;
  bool nfc = false;  ///< the models' tokenizers compose characters first; llama.cpp leaves texts as they are
  bool ignore_merges = false, adds_bos = false;
  bool byte_level = true;
};

/// One row a name; a second one where models of the name come in two forms, of which the first is what is read. Of rows
/// with equal steps the first one is written.
std::span<const PreTokenizerRow> pre_tokenizer_rows();

}  // namespace terse::gguf
