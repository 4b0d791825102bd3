#pragma once

#include <memory>

#include "calibration/tokenizers/pieces.h"
#include "formats/vocabulary.h"

namespace terse::calibration {

/// One way to cut text into the pieces that the model sees. Immutable.
class PreTokenizerStep {
 public:
  virtual ~PreTokenizerStep() = default;
  /// Cuts every piece further, each as if it were alone; may rewrite them.
  virtual void apply(Pieces& pieces) const = 0;
};

/// Errors: as Pattern's.
std::unique_ptr<const PreTokenizerStep> make_pre_tokenizer(const PreTokenizer& description);

/// ByteLevel for a model that takes bytes as they are: without the detour through the alphabet.
std::unique_ptr<const PreTokenizerStep> make_byte_level(const pre_tokenizers::ByteLevel& description);

}  // namespace terse::calibration
