#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace terse::calibration::characters {

// What Hugging Face's tokenizers think of each code point. Its parts know different versions of Unicode, so a set
// stands here for every part that asks (unicode_data.py reads them off the library).

/// Code points first to last.
struct Range {
  char32_t first = 0, last = 0;
  bool operator==(const Range&) const = default;
};

enum class Category : uint8_t {
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Cs,
  Co,
  Cn
};

/// From `first` to the next run's first.
struct CategoryRun {
  char32_t first = 0;
  Category category = Category::Cn;
};

/// Unicode 16, ascending, without gaps: what patterns call \p{Lu} and so on.
std::span<const CategoryRun> category_runs();

std::span<const Range> punctuation();       ///< what BertPreTokenizer and Punctuation isolate: Unicode 8's, and ASCII's
std::span<const Range> nonspacing_marks();  ///< what BertNormalizer's strip_accents removes: Unicode 8
std::span<const Range> combining_marks();   ///< what StripAccents removes: Unicode 9
std::span<const Range> controls();          ///< what BertNormalizer's clean_text removes: Unicode 8, NUL and U+FFFD
std::span<const Range> numeric();           ///< what Digits isolates: Unicode 17
std::span<const Range> word();              ///< what patterns call \w: Unicode 16
std::span<const Range> crate_word();        ///< what Whitespace and added tokens take for a word's: of another engine
std::span<const Range> han();               ///< what patterns call \p{Han}: Unicode 16

/// What PCRE2 10.42 takes for unassigned, and Unicode 16 does not.
std::span<const Range> since_unicode_14();

bool contains(std::span<const Range> ascending, char32_t point);

/// Unicode's White_Space, which has not changed since Unicode 6.3.
bool is_whitespace(char32_t point);

bool is_punctuation(char32_t point);
bool is_numeric(char32_t point);

/// A set of code points as ascending ranges that do not touch.
using Set = std::vector<Range>;

Set to_set(std::vector<Range> ranges);  ///< in any order, overlapping
Set complement(const Set& set);
Set intersection(const Set& a, const Set& b);

/// A general category ("Lu") or the first letter of some ("L"), as patterns write in \p{...}. Empty if there is none.
Set category(std::string_view name);

}  // namespace terse::calibration::characters
