#include <utf8proc.h>

#include "calibration/tokenizers/charsmap.h"
#include "calibration/tokenizers/normalizers.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

/// The end of the grapheme (what a reader takes for one character) that begins at `begin`.
size_t grapheme_end(std::string_view text, size_t begin) {
  utf8proc_int32_t state = 0;
  size_t at = begin;
  auto last = static_cast<utf8proc_int32_t>(utf8::decode(text, at));
  at += utf8::length(text[at]);
  while (at < text.size()) {
    const auto next = static_cast<utf8proc_int32_t>(utf8::decode(text, at));
    if (utf8proc_grapheme_break_stateful(last, next, &state)) {
      break;
    }
    last = next;
    at += utf8::length(text[at]);
  }
  return at;
}

/// A charsmap as Hugging Face's library applies it, which is not as SentencePiece does: a grapheme of less than 6 bytes
/// that begins like an entry is replaced as a whole; else character after character is looked up.
class Precompiled : public NormalizerStep {
 public:
  explicit Precompiled(const normalizers::Precompiled& description) : charsmap_(description.charsmap) {}

  void apply(NormalizedText& text) const override {
    std::string out;
    out.reserve(text.bytes.size() * 5 / 4);
    const std::string_view in = text.bytes;
    for (size_t at = 0; at < in.size();) {
      const size_t end = grapheme_end(in, at);
      append(in.substr(at, end - at), out);
      at = end;
    }
    text.bytes = utf8::made_valid(std::move(out));
  }

 private:
  void append(std::string_view grapheme, std::string& out) const {
    constexpr size_t kShort = 6;
    if (grapheme.size() < kShort) {
      if (const auto found = charsmap_.shortest(grapheme)) {
        out += found->replacement;
        return;
      }
    }
    for (size_t at = 0; at < grapheme.size();) {
      const std::string_view character = grapheme.substr(at, utf8::length(grapheme[at]));
      const auto found = charsmap_.shortest(character);
      out += found ? found->replacement : character;
      at += character.size();
    }
  }

  Charsmap charsmap_;
};

}  // namespace

std::unique_ptr<const NormalizerStep> make_precompiled(const normalizers::Precompiled& description) {
  return std::make_unique<Precompiled>(description);
}

}  // namespace terse::calibration
