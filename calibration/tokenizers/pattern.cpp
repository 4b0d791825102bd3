#include "calibration/tokenizers/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>

#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration {

struct Pattern::Compiled {
  struct Free {
    void operator()(pcre2_code* it) const { pcre2_code_free(it); }
  };
  std::unique_ptr<pcre2_code, Free> code;
};

struct Pattern::Search::Room {
  struct Free {
    void operator()(pcre2_match_data* it) const { pcre2_match_data_free(it); }
  };
  std::unique_ptr<pcre2_match_data, Free> data;
};

Pattern::Pattern(const TextPattern& pattern) {
  if (pattern.kind == TextPattern::Kind::literal) {
    literal_ = pattern.text;
    return;
  }
  const std::string translated = translate_pattern(pattern.text);
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  int error = 0;
  size_t offset = 0;
  compiled_ = std::make_unique<Compiled>();
  compiled_->code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                                      PCRE2_UTF | PCRE2_MULTILINE, &error, &offset, context.get()));
  if (compiled_->code == nullptr) {
    std::array<unsigned char, 200> message{};
    pcre2_get_error_message(error, message.data(), message.size());
    throw Error(Kind::unsupported, "the pattern '{}' cannot be used: {}", pattern.text,
                reinterpret_cast<const char*>(message.data()));
  }
  pcre2_jit_compile(compiled_->code.get(), PCRE2_JIT_COMPLETE);  // without it, matching is slower and the same
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

Pattern::Search::Search(const Pattern& pattern) : pattern_(pattern), room_(std::make_unique<Room>()) {
  if (pattern_.compiled_ != nullptr) {
    room_->data.reset(pcre2_match_data_create_from_pattern(pattern_.compiled_->code.get(), nullptr));
  }
}

Pattern::Search::~Search() = default;

void Pattern::Search::start(std::string_view text) {
  text_ = text;
  from_ = 0;
  last_end_.reset();
}

std::optional<Span> Pattern::Search::next() {
  while (from_ <= text_.size()) {
    const auto found = find(from_);
    if (!found) {
      break;
    }
    if (found->begin == found->end && last_end_ == found->end) {
      from_ += from_ < text_.size() ? utf8::length(text_[from_]) : 1;
      continue;
    }
    from_ = found->end;
    last_end_ = found->end;
    return found;
  }
  return std::nullopt;
}

std::optional<Span> Pattern::Search::find(size_t from) {
  if (pattern_.compiled_ == nullptr) {
    const size_t begin = text_.find(pattern_.literal_, from);
    return begin == std::string_view::npos ? std::nullopt
                                           : std::optional(Span{begin, begin + pattern_.literal_.size()});
  }
  const pcre2_code* code = pattern_.compiled_->code.get();
  const auto match = [&](uint32_t options) {
    return pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from,
                       PCRE2_NO_UTF_CHECK | options, room_->data.get(), nullptr);
  };
  int result = match(0);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
    result = match(PCRE2_NO_JIT);
  }
  if (result == PCRE2_ERROR_NOMATCH) {
    return std::nullopt;
  }
  if (result < 0) {
    throw Error(Kind::unsupported, "the tokenizer's pattern gives up on a text of {} bytes (PCRE2 error {})",
                text_.size(), result);
  }
  const size_t* ends = pcre2_get_ovector_pointer(room_->data.get());
  return Span{ends[0], ends[1]};
}

}  // namespace terse::calibration
