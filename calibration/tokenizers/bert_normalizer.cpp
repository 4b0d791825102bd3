#include <algorithm>
#include <array>

#include "calibration/tokenizers/characters.h"
#include "calibration/tokenizers/normalizers.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

using characters::Range;

/// Source: BERT's tokenization.py, _is_chinese_char, with the one mistyped bound (0x2b920) that Hugging Face's has.
constexpr std::array<Range, 8> kChinese = {{{0x3400, 0x4dbf},
                                            {0x4e00, 0x9fff},
                                            {0xf900, 0xfaff},
                                            {0x20000, 0x2a6df},
                                            {0x2a700, 0x2b73f},
                                            {0x2b740, 0x2b81f},
                                            {0x2b920, 0x2ceaf},
                                            {0x2f800, 0x2fa1f}}};

bool is_control(char32_t point) {
  if (point >= ' ' && point < 0x7f) {
    return false;
  }
  return characters::contains(characters::controls(), point);
}

/// What the uncased and cased BERT models do to a text.
/// Source: Devlin et al. 2018, BERT, tokenization.py, as Hugging Face's BertNormalizer does it.
class BertNormalizer : public NormalizerStep {
 public:
  explicit BertNormalizer(const normalizers::Bert& options) : options_(options) {}

  void apply(NormalizedText& text) const override {
    if (options_.clean_text) {
      clean(text);
    }
    if (options_.handle_chinese_chars) {
      isolate_chinese(text.bytes);
    }
    if (options_.strip_accents) {
      strip_accents(text);
    }
    if (options_.lowercase) {
      lowercase(text.bytes);
    }
  }

 private:
  static void clean(NormalizedText& text) {
    std::string out;
    out.reserve(text.bytes.size());
    utf8::for_each(text.bytes, [&](char32_t point, size_t begin, size_t end) {
      if (is_control(point)) {
        text.starts = text.starts && begin != 0;
      } else if (characters::is_whitespace(point)) {
        out += ' ';
      } else {
        out.append(text.bytes, begin, end - begin);
      }
    });
    text.bytes = std::move(out);
  }

  static void isolate_chinese(std::string& text) {
    std::string out;
    out.reserve(text.size());
    utf8::for_each(text, [&](char32_t point, size_t begin, size_t end) {
      const bool chinese = point >= kChinese[0].first && characters::contains(kChinese, point);
      out.append(chinese ? " " : "").append(text, begin, end - begin).append(chinese ? " " : "");
    });
    text = std::move(out);
  }

  static void strip_accents(NormalizedText& text) {
    normalize_form(text.bytes, normalizers::Form::nfd);
    std::string out;
    out.reserve(text.bytes.size());
    utf8::for_each(text.bytes, [&](char32_t point, size_t begin, size_t end) {
      if (point >= 0x300 && characters::contains(characters::nonspacing_marks(), point)) {
        text.starts = text.starts && begin != 0;
      } else {
        out.append(text.bytes, begin, end - begin);
      }
    });
    text.bytes = std::move(out);
  }

  normalizers::Bert options_;
};

}  // namespace

std::unique_ptr<const NormalizerStep> make_bert_normalizer(const normalizers::Bert& description) {
  return std::make_unique<BertNormalizer>(description);
}

}  // namespace terse::calibration
