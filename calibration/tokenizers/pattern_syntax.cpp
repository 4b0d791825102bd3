#include <fmt/format.h>

#include <array>

#include "calibration/tokenizers/character_class.h"
#include "calibration/tokenizers/pattern.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"
#include "formats/utf8.h"

namespace terse::calibration {
namespace {

/// Groups or classes nested deeper than this are hostile.
constexpr int kDeepest = 50;

/// Reads Oniguruma's Ruby syntax from left to right and writes PCRE2's.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::string run() {
    if (!is_utf8(pattern_)) {
      fail("invalid UTF-8");
    }
    alternatives(0);
    if (!at_end()) {
      fail("a closing parenthesis without an opening one");
    }
    return std::move(out_);
  }

 private:
  bool at_end() const { return at_ >= pattern_.size(); }
  bool next_is(std::string_view text) const { return pattern_.substr(at_).starts_with(text); }
  bool take(std::string_view text) {
    const bool found = next_is(text);
    at_ += found ? text.size() : 0;
    return found;
  }
  char32_t take_point() {
    if (at_end()) {
      fail("an end too early");
    }
    const char32_t point = utf8::decode(pattern_, at_);
    at_ += utf8::length(pattern_[at_]);
    return point;
  }
  [[noreturn]] void fail(std::string_view what) const {
    throw Error(Kind::unsupported, "the pattern '{}' has {} at byte {}, which terse does not translate", pattern_, what,
                at_);
  }

  void alternatives(int depth) {
    if (depth > kDeepest) {
      fail("groups nested too deep");
    }
    while (!at_end() && !next_is(")")) {
      if (take("|")) {
        out_ += '|';
      } else {
        const size_t begin = out_.size();
        if (atom(depth)) {
          quantifiers(begin);
        }
      }
    }
  }

  /// One thing that a quantifier may follow: true; an anchor or an option: false.
  bool atom(int depth) {
    if (take("(")) {
      return group(depth);
    }
    if (take("[")) {
      out_ += character_class(depth).text();
      return true;
    }
    if (take("\\")) {
      return escape();
    }
    if (take("^") || take("$")) {
      out_ += pattern_[at_ - 1];
      return false;
    }
    if (take(".")) {
      out_ += '.';
      return true;
    }
    if (next_is("*") || next_is("+") || next_is("?")) {
      fail("a quantifier of nothing");
    }
    literal(take_point());
    return true;
  }

  void literal(char32_t point) { out_ += fmt::format("\\x{{{:x}}}", static_cast<uint32_t>(point)); }

  bool group(int depth) {
    static constexpr std::array<std::string_view, 8> kKinds = {"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?-i:"};
    std::string_view opening = "?:";
    if (next_is("?")) {
      opening = {};
      for (const std::string_view kind : kKinds) {
        if (opening.empty() && take(kind)) {
          opening = kind;
        }
      }
      if (opening.empty()) {
        return option();
      }
    }
    out_.append("(").append(opening);
    alternatives(depth + 1);
    if (!take(")")) {
      fail("a group without its end");
    }
    out_ += ')';
    return true;
  }

  /// "(?i)" counts to the end of its group; in front of everything that is what PCRE2 makes of it too.
  bool option() {
    if (!out_.empty() || !take("?i)")) {
      fail("a group of a kind");
    }
    out_ += "(?i)";
    return false;
  }

  void quantifiers(size_t begin) {
    for (bool repeated = false; quantifier_follows(); repeated = true) {
      if (repeated) {  // Oniguruma repeats what is repeated
        out_.insert(begin, "(?:").append(")");
      }
      if (!interval()) {
        out_ += pattern_[at_++];
        if (take("?") || take("+")) {  // lazy, possessive
          out_ += pattern_[at_ - 1];
        }
      }
    }
  }

  bool quantifier_follows() {
    const size_t start = at_, written = out_.size();
    const bool follows = next_is("*") || next_is("+") || next_is("?") || interval();
    at_ = start;
    out_.resize(written);
    return follows;
  }

  std::optional<int> number() {
    std::optional<int> value;
    while (!at_end() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
      value = value.value_or(0) * 10 + (pattern_[at_++] - '0');
      if (*value > 10000) {
        fail("a repetition of more than 10000");
      }
    }
    return value;
  }

  /// {n}, {n,}, {,m}, {n,m}; any other brace is a literal. A plus behind it repeats it once more.
  bool interval() {
    const size_t start = at_;
    if (!take("{")) {
      return false;
    }
    const auto least = number();
    const bool comma = take(",");
    const auto most = comma ? number() : least;
    if ((!least && !most) || !take("}")) {
      at_ = start;
      return false;
    }
    out_ += fmt::format("{{{}{}{}}}", least.value_or(0), comma ? "," : "", comma && most ? std::to_string(*most) : "");
    if (next_is("?")) {
      if (!comma) {
        fail("a lazy repetition of a fixed number");
      }
      out_ += pattern_[at_++];
    }
    return true;
  }

  bool escape() {
    const char32_t point = take_point();
    switch (point) {
      case 'A':
      case 'z':
      case 'Z':
        out_.append("\\").push_back(static_cast<char>(point));
        return false;
      case 'b':
      case 'B':
        boundary(point == 'b');
        return false;
      default:
        break;
    }
    if (const auto found = escaped_class(point)) {
      out_ += found->text();
    } else {
      literal(escaped_literal(point));
    }
    return true;
  }

  /// Between a word's character and something else.
  void boundary(bool there) {
    const std::string word = shorthand_class('w')->text();
    out_ += there ? fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word)
                  : fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word);
  }

  /// \s, \p{L} and their like, behind the backslash and the letter.
  std::optional<CharacterClass> escaped_class(char32_t letter) {
    if (letter != 'p' && letter != 'P') {
      return letter < 0x80 ? shorthand_class(static_cast<char>(letter)) : std::nullopt;
    }
    const size_t close = pattern_.find('}', at_);
    if (!take("{") || close == std::string_view::npos) {
      fail("a property without braces");
    }
    const bool negated = take("^");
    const std::string_view name = pattern_.substr(at_, close - at_);
    auto found = property_class(name);
    if (!found) {
      fail(fmt::format("the property '{}'", name));
    }
    at_ = close + 1;
    if (negated != (letter == 'P')) {
      found->negate();
    }
    return found;
  }

  char32_t escaped_literal(char32_t letter) {
    static constexpr std::array<std::pair<char32_t, char32_t>, 7> kControls = {
        {{'n', 0xa}, {'r', 0xd}, {'t', 0x9}, {'f', 0xc}, {'v', 0xb}, {'a', 0x7}, {'e', 0x1b}}};
    for (const auto& [name, point] : kControls) {
      if (letter == name) {
        return point;
      }
    }
    if (letter == 'x') {
      return take("{") ? hexadecimal(1, 8, "}") : hexadecimal(2, 2, "");
    }
    if (letter == 'u') {
      return hexadecimal(4, 4, "");
    }
    const bool letter_or_digit =
        letter < 0x80 && ((letter >= '0' && letter <= '9') || ((letter | 0x20) >= 'a' && (letter | 0x20) <= 'z'));
    if (letter_or_digit) {
      fail(fmt::format("the escape '\\{}'", static_cast<char>(letter)));
    }
    return letter;
  }

  char32_t hexadecimal(size_t least, size_t most, std::string_view end) {
    char32_t value = 0;
    size_t digits = 0;
    for (; digits < most && !at_end(); ++digits, ++at_) {
      const char c = pattern_[at_];
      const char lower = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9') {
        value = value * 16 + static_cast<char32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value * 16 + static_cast<char32_t>(lower - 'a' + 10);
      } else {
        break;
      }
    }
    if (digits < least || !take(end) || value > 0x10ffff) {
      fail("a code point that is none");
    }
    return value;
  }

  /// Behind the opening bracket.
  CharacterClass character_class(int depth) {
    if (depth > kDeepest) {
      fail("classes nested too deep");
    }
    const bool negated = take("^");
    CharacterClass result;
    std::optional<CharacterClass> left;  // of "&&"
    for (bool first = true; first || !take("]"); first = false) {
      if (take("&&")) {
        if (left) {
          result.intersect(*left);
        }
        left = std::exchange(result, {});
      } else {
        class_item(result, depth);
      }
    }
    if (left) {
      result.intersect(*left);
    }
    if (negated) {
      result.negate();
    }
    return result;
  }

  void class_item(CharacterClass& result, int depth) {
    if (take("[:")) {
      posix(result);
    } else if (take("[")) {
      result.add(character_class(depth + 1));
    } else {
      const bool escaped = take("\\");
      const char32_t first = take_point();
      const auto found = escaped ? escaped_class(first) : std::nullopt;
      if (found) {
        result.add(*found);
      } else {
        range(result, escaped ? class_literal(first) : first);
      }
    }
  }

  void posix(CharacterClass& result) {
    const bool negated = take("^");
    const size_t close = pattern_.find(":]", at_);
    const std::string_view name = pattern_.substr(at_, close == std::string_view::npos ? 0 : close - at_);
    auto found = posix_class(name);
    if (!found) {
      fail(fmt::format("the class '[:{}:]'", name));
    }
    at_ = close + 2;
    if (negated) {
      found->negate();
    }
    result.add(*found);
  }

  /// \b is a backspace in a class.
  char32_t class_literal(char32_t letter) { return letter == 'b' ? 0x8 : escaped_literal(letter); }

  void range(CharacterClass& result, char32_t first) {
    if (!next_is("-") || next_is("-]")) {
      result.add({first, first});
      return;
    }
    take("-");
    if (next_is("[")) {
      fail("a range without its end");
    }
    const bool escaped = take("\\");
    const char32_t point = take_point();
    if (escaped && escaped_class(point)) {
      fail("a range without its end");
    }
    const char32_t last = escaped ? class_literal(point) : point;
    if (last < first) {
      fail("a range from high to low");
    }
    result.add({first, last});
  }

  std::string_view pattern_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string translate_pattern(std::string_view pattern) { return Translator(pattern).run(); }

}  // namespace terse::calibration
