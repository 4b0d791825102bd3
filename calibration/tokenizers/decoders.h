#pragma once

#include <memory>
#include <string>
#include <vector>

#include "formats/vocabulary.h"

namespace terse::calibration {

/// One step from the texts of tokens back to a text. Immutable.
class DecoderStep {
 public:
  virtual ~DecoderStep() = default;
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

/// Errors: as Pattern's. What is not supported says so when it is applied.
std::unique_ptr<const DecoderStep> make_decoder(const Decoder& description);

}  // namespace terse::calibration
