#include "calibration/tokenizers/normalizers.h"

#include <algorithm>
#include <array>

#include "calibration/tokenizers/byte_alphabet.h"
#include "calibration/tokenizers/characters.h"
#include "calibration/tokenizers/pattern.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

/// Rewrites character by character: `write(point, character, out)`; a character may vanish.
template <typename Write>
void rewrite(NormalizedText& text, Write&& write) {
  std::string out;
  out.reserve(text.bytes.size());
  utf8::for_each(text.bytes, [&](char32_t point, size_t begin, size_t end) {
    write(point, std::string_view(text.bytes).substr(begin, end - begin), out);
    text.starts = text.starts && (begin != 0 || !out.empty());
  });
  text.bytes = std::move(out);
}

/// A step that is one function of the text.
template <typename Function>
class FunctionStep : public NormalizerStep {
 public:
  explicit FunctionStep(Function function) : function_(std::move(function)) {}
  void apply(NormalizedText& text) const override { function_(text); }

 private:
  Function function_;
};

template <typename Function>
std::unique_ptr<const NormalizerStep> step(Function function) {
  return std::make_unique<FunctionStep<Function>>(std::move(function));
}

void strip(NormalizedText& text, const normalizers::Strip& sides) {
  size_t begin = 0, end = text.bytes.size();
  while (sides.left && begin < end && characters::is_whitespace(utf8::decode(text.bytes, begin))) {
    begin += utf8::length(text.bytes[begin]);
  }
  while (sides.right && begin < end &&
         characters::is_whitespace(utf8::decode(text.bytes, utf8::before(text.bytes, end)))) {
    end = utf8::before(text.bytes, end);
  }
  text.starts = text.starts && begin == 0;
  text.bytes = text.bytes.substr(begin, end - begin);
}

class Replace : public NormalizerStep {
 public:
  explicit Replace(const normalizers::Replace& description)
      : pattern_(description.pattern), content_(description.content) {}

  void apply(NormalizedText& text) const override {
    if (text.bytes.empty()) {
      return;
    }
    Pattern::Search search(pattern_);
    search.start(text.bytes);
    std::string out;
    size_t done = 0;
    while (const auto found = search.next()) {
      if (found->begin == 0) {
        text.starts = text.starts && !content_.empty() && found->end <= utf8::length(text.bytes[0]);
      }
      out.append(text.bytes, done, found->begin - done).append(content_);
      done = found->end;
    }
    if (done != 0 || !out.empty()) {
      text.bytes = out.append(text.bytes, done);
    }
  }

 private:
  Pattern pattern_;
  std::string content_;
};

/// What NMT models take for white space, and for nothing. Source: SentencePiece's nmt_nfkc, as Hugging Face's Nmt has
/// it.
void clean_nmt(NormalizedText& text) {
  static constexpr std::array<characters::Range, 6> kNothing = {
      {{0x1, 0x8}, {0xb, 0xb}, {0xe, 0x1f}, {0x7f, 0x7f}, {0x8f, 0x8f}, {0x9f, 0x9f}}};
  static constexpr std::array<characters::Range, 8> kSpace = {{{0x9, 0xa},
                                                               {0xc, 0xd},
                                                               {0x1680, 0x1680},
                                                               {0x200b, 0x200f},
                                                               {0x2028, 0x2029},
                                                               {0x2581, 0x2581},
                                                               {0xfeff, 0xfeff},
                                                               {0xfffd, 0xfffd}}};
  rewrite(text, [](char32_t point, std::string_view character, std::string& out) {
    if (characters::contains(kSpace, point)) {
      out += ' ';
    } else if (!characters::contains(kNothing, point)) {
      out += character;
    }
  });
}

struct Make {
  using Step = std::unique_ptr<const NormalizerStep>;
  const Vocabulary& vocabulary;

  Step operator()(const normalizers::Unicode& it) const {
    return step([form = it.form](NormalizedText& text) { normalize_form(text.bytes, form); });
  }
  Step operator()(const normalizers::Lowercase&) const {
    return step([](NormalizedText& text) { lowercase(text.bytes); });
  }
  Step operator()(const normalizers::StripAccents&) const {
    return step([](NormalizedText& text) {
      rewrite(text, [](char32_t point, std::string_view character, std::string& out) {
        out += point >= 0x300 && characters::contains(characters::combining_marks(), point) ? "" : character;
      });
    });
  }
  Step operator()(const normalizers::Strip& it) const {
    return step([it](NormalizedText& text) { strip(text, it); });
  }
  Step operator()(const normalizers::Bert& it) const { return make_bert_normalizer(it); }
  Step operator()(const normalizers::Prepend& it) const {
    return step([prefix = it.text](NormalizedText& text) { text.bytes.insert(0, text.bytes.empty() ? "" : prefix); });
  }
  Step operator()(const normalizers::Replace& it) const { return std::make_unique<Replace>(it); }
  Step operator()(const normalizers::Precompiled& it) const {
    return it.charsmap.empty() ? step([](NormalizedText&) {}) : make_precompiled(it);
  }
  Step operator()(const normalizers::Nmt&) const { return step(clean_nmt); }
  Step operator()(const normalizers::ByteLevel&) const {
    return step([](NormalizedText& text) {
      std::string out;
      append_as_characters(text.bytes, out);
      text.bytes = std::move(out);
    });
  }
  Step operator()(const normalizers::SentencePiece& it) const { return make_sentencepiece_normalizer(it, vocabulary); }
};

}  // namespace

std::unique_ptr<const NormalizerStep> make_normalizer(const Normalizer& description, const Vocabulary& vocabulary) {
  return std::visit(Make{vocabulary}, description);
}

}  // namespace terse::calibration
