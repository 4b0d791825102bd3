#pragma once

#include <string>
#include <vector>

#include "calibration/tokenizers/pattern.h"

namespace terse::calibration {

/// A text on its way to the model: its bytes, and how they are cut so far.
struct Pieces {
  std::string text;
  std::vector<Span> spans;  ///< ascending, none empty
  bool starts = true;       ///< the first byte stands for the first character of the text as it was given

  std::string_view at(const Span& span) const {
    return std::string_view(text).substr(span.begin, span.end - span.begin);
  }
  /// A word at the start of a text may be written unlike the others.
  bool is_first(const Span& span) const { return starts && span.begin == 0; }
};

}  // namespace terse::calibration
