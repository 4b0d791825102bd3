#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/vocabulary.h"

namespace terse::calibration {

/// The special tokens that a model expects around a text, such as BOS or [CLS] and [SEP]: whether ids get them, and
/// whether text that is made of ids shows them.
enum class SpecialTokens { add, leave_out };

/// What to do with texts longer than the tokenizer's file says. Transformers cuts nothing unless it is asked to.
enum class Truncation { off, as_saved };

struct EncodeOptions {
  SpecialTokens special_tokens = SpecialTokens::add;
  Truncation truncation = Truncation::off;
};

/// Turns text into the ids that a model was trained on: those that Hugging Face's tokenizers gives for tokenizer.json
/// and vocab.txt, and SentencePiece for its models. Never pads. Immutable: any number of threads may use one.
class Tokenizer {
 public:
  /// Errors: unsupported, naming what of the description terse does not know; input.
  explicit Tokenizer(Vocabulary vocabulary);
  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  /// Bytes that are no UTF-8 count as U+FFFD. Special tokens that are written out in the text become their ids.
  /// Errors: input for a text with unknown parts if the vocabulary has no unknown token.
  std::vector<int32_t> encode(std::string_view text, const EncodeOptions& options = {}) const;

  /// The text that `ids` stand for, as Hugging Face's decoders put it together, or SentencePiece for its models;
  /// unknown ids are left out. Errors: unsupported for decoders that terse does not know.
  std::string decode(std::span<const int32_t> ids, SpecialTokens special_tokens = SpecialTokens::leave_out) const;

  /// What `encode` puts around a text.
  std::span<const int32_t> prefix() const;
  std::span<const int32_t> suffix() const;

  /// One more than the greatest id.
  int64_t size() const;
  /// The id of a token, added ones first; its text as in the vocabulary.
  std::optional<int32_t> find(std::string_view token) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

/// Opens a tokenizer: a folder that has one, or its file. Errors as read_vocabulary's and Tokenizer's.
std::unique_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& path);

}  // namespace terse::calibration
