#pragma once

#include <vector>

#include "calibration/tokenizers/pattern.h"

namespace terse::calibration {

/// Cuts one text after another as a SplitBehavior says. Feed it every match from left to right, then `finish`.
class Splitter {
 public:
  /// Pieces are appended to `out`; empty ones are left out.
  Splitter(SplitBehavior behavior, std::vector<Span>& out) : behavior_(behavior), out_(out) {}
  /// Takes matches for the text between them, and the text between them for matches.
  void invert() { match_ = !match_; }

  void start(const Span& text);
  void match(const Span& span);
  void finish();

 private:
  void part(const Span& span, bool is_match);
  void open(const Span& span, bool is_match);
  void close();
  void push(const Span& span);

  SplitBehavior behavior_;
  bool match_ = true;  ///< what a match counts as
  std::vector<Span>& out_;
  Span text_;
  size_t done_ = 0;           ///< everything in front of it was given to `part`
  std::optional<Span> open_;  ///< may still grow
  bool open_is_match_ = false;
};

}  // namespace terse::calibration
