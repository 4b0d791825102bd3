#pragma once

#include <memory>
#include <string>

#include "formats/vocabulary.h"

namespace terse::calibration {

/// A text on its way through the normalizers.
struct NormalizedText {
  std::string bytes;   ///< valid UTF-8
  bool starts = true;  ///< the first byte stands for the first character of the text as it was given
};

/// One rewriting of a text. Immutable.
class NormalizerStep {
 public:
  virtual ~NormalizerStep() = default;
  virtual void apply(NormalizedText& text) const = 0;
};

/// Errors: as Pattern's; input for a charsmap that is none.
std::unique_ptr<const NormalizerStep> make_normalizer(const Normalizer& description, const Vocabulary& vocabulary);

/// Rewrites `text` in one of Unicode's normalization forms, as Unicode 9 had them: so does Hugging Face's library.
void normalize_form(std::string& text, normalizers::Form form);

/// Every character in lower case by itself (a final sigma is like any other), as of Unicode 17.
void lowercase(std::string& text);

std::unique_ptr<const NormalizerStep> make_bert_normalizer(const normalizers::Bert& description);
std::unique_ptr<const NormalizerStep> make_precompiled(const normalizers::Precompiled& description);
std::unique_ptr<const NormalizerStep> make_sentencepiece_normalizer(const normalizers::SentencePiece& description,
                                                                    const Vocabulary& vocabulary);

}  // namespace terse::calibration
