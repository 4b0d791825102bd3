#include "calibration/tokenizers/split.h"

namespace terse::calibration {

void Splitter::start(const Span& text) {
  text_ = text;
  done_ = text.begin;
}

void Splitter::match(const Span& span) {
  if (done_ != span.begin) {
    part({done_, span.begin}, !match_);
  }
  part(span, match_);
  done_ = span.end;
}

void Splitter::finish() {
  if (done_ != text_.end) {
    part({done_, text_.end}, !match_);
  }
  close();
}

void Splitter::part(const Span& span, bool is_match) {
  switch (behavior_) {
    case SplitBehavior::removed:
      if (!is_match) {
        push(span);
      }
      break;
    case SplitBehavior::isolated:
      push(span);
      break;
    case SplitBehavior::contiguous:
      if (open_ && open_is_match_ == is_match) {
        open_->end = span.end;
      } else {
        open(span, is_match);
      }
      break;
    case SplitBehavior::merged_with_previous:
      if (!is_match) {
        open(span, false);
      } else if (open_) {
        open_->end = span.end;
        close();
      } else {
        push(span);
      }
      break;
    case SplitBehavior::merged_with_next:
      if (is_match) {
        open(span, true);
      } else if (open_) {
        open_->end = span.end;
        close();
      } else {
        push(span);
      }
      break;
  }
}

void Splitter::open(const Span& span, bool is_match) {
  close();
  open_ = span;
  open_is_match_ = is_match;
}

void Splitter::close() {
  if (open_) {
    push(*open_);
    open_.reset();
  }
}

void Splitter::push(const Span& span) {
  if (span.begin != span.end) {
    out_.push_back(span);
  }
}

}  // namespace terse::calibration
