#include "calibration/chat_template/lexer.h"

#include <algorithm>
#include <array>

#include "calibration/chat_template/strings.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

using Kind = Token::Kind;

/// Line feeds alone end lines, and one at the end of the template does not count.
std::string normalized(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    const bool is_pair = source[i] == '\r' && i + 1 < source.size() && source[i + 1] == '\n';
    if (!is_pair) {
      out.push_back(source[i] == '\r' ? '\n' : source[i]);
    }
  }
  if (out.ends_with('\n')) {
    out.pop_back();
  }
  return utf8::made_valid(std::move(out));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

constexpr std::array<std::string_view, 27> kSymbols = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "*",
                                                       "/",  "%",  "~",  "(",  ")",  "[",  "]", "{", "}",
                                                       "<",  ">",  "=",  ".",  ":",  "|",  ",", ";", "!"};

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) {
      read_outside();
    }
    add(Kind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void fail(std::string_view message) const {
    throw Error(terse::Kind::input, "line {}: {}", line_, message);
  }

  void add(Kind kind, std::string text) { tokens_.push_back({kind, std::move(text), line_}); }

  bool sees(std::string_view text) const { return source_.substr(at_).starts_with(text); }

  void advance(size_t bytes) {
    line_ += std::ranges::count(source_.substr(at_, bytes), '\n');
    at_ += bytes;
  }

  /// Text up to the next tag, then the tag.
  void read_outside() {
    size_t open = source_.find('{', at_);
    while (open != std::string_view::npos && open + 1 < source_.size() &&
           std::string_view("{%#").find(source_[open + 1]) == std::string_view::npos) {
      open = source_.find('{', open + 1);
    }
    if (open == std::string_view::npos || open + 1 >= source_.size()) {
      add(Kind::text, std::string(source_.substr(at_)));
      advance(source_.size() - at_);
      return;
    }
    const char kind = source_[open + 1];
    const char sign = open + 2 < source_.size() ? source_[open + 2] : ' ';
    if (const auto text = stripped(source_.substr(at_, open - at_), kind, sign); !text.empty()) {
      add(Kind::text, std::string(text));
    }
    advance(open + 2 - at_);
    if (sign == '-' || sign == '+') {
      advance(1);
    }
    kind == '#' ? skip_comment() : read_tag(kind == '{' ? Kind::print_begin : Kind::block_begin);
  }

  /// The text in front of a tag without what the tag takes of it.
  std::string_view stripped(std::string_view text, char kind, char sign) const {
    if (sign == '-') {
      return strip(text, Side::right);
    }
    const size_t line_start = text.rfind('\n') + 1;  // 0 if there is none
    if (sign != '+' && kind != '{' && (line_start > 0 || starts_line_) &&
        strip(text.substr(line_start), Side::left).empty()) {
      return text.substr(0, line_start);
    }
    return text;
  }

  /// What stands behind a tag and belongs to it.
  void finish_tag(char sign, bool trims) {
    const size_t begin = at_;
    if (sign == '-') {
      advance(source_.size() - at_ - strip(source_.substr(at_), Side::left).size());
    } else if (trims && sign != '+' && sees("\n")) {
      advance(1);
    }
    starts_line_ = at_ > begin && source_[at_ - 1] == '\n';
  }

  void skip_comment() {
    const size_t end = source_.find("#}", at_);
    if (end == std::string_view::npos) {
      fail("a comment does not end");
    }
    const char sign = end > at_ ? source_[end - 1] : ' ';
    advance(end + 2 - at_);
    finish_tag(sign, true);
  }

  void read_tag(Kind begin) {
    const bool prints = begin == Kind::print_begin;
    const std::string_view close = prints ? "}}" : "%}";
    add(begin, "");
    std::vector<char> open;  // brackets
    while (true) {
      skip_spaces();
      if (at_ >= source_.size()) {
        fail(prints ? "'{{' without '}}'" : "'{%' without '%}'");
      }
      const bool has_sign = sees("-") || (!prints && sees("+"));
      if (open.empty() && source_.substr(at_ + (has_sign ? 1 : 0)).starts_with(close)) {
        const char sign = has_sign ? source_[at_] : ' ';
        add(prints ? Kind::print_end : Kind::block_end, "");
        advance(close.size() + (has_sign ? 1 : 0));
        finish_tag(sign, !prints);
        return;
      }
      read_token(open);
    }
  }

  void skip_spaces() {
    const size_t rest = strip(source_.substr(at_), Side::left).size();
    advance(source_.size() - at_ - rest);
  }

  void read_token(std::vector<char>& open) {
    const char c = source_[at_];
    if (is_name_start(c)) {
      read_name();
    } else if (is_digit(c)) {
      read_number();
    } else if (c == '"' || c == '\'') {
      read_string(c);
    } else {
      read_symbol(open);
    }
  }

  void read_name() {
    size_t end = at_;
    while (end < source_.size() && (is_name_start(source_[end]) || is_digit(source_[end]))) {
      ++end;
    }
    add(Kind::name, std::string(source_.substr(at_, end - at_)));
    advance(end - at_);
  }

  size_t digits_from(size_t begin) const {
    size_t end = begin;
    while (end < source_.size() && is_digit(source_[end])) {
      ++end;
    }
    return end;
  }

  /// Where the digits of an exponent begin, or `begin` if there is none.
  size_t exponent_from(size_t begin) const {
    const size_t sign = begin + 1;
    if (begin >= source_.size() || (source_[begin] | 0x20) != 'e' || sign >= source_.size()) {
      return begin;
    }
    const size_t digits = source_[sign] == '-' || source_[sign] == '+' ? sign + 1 : sign;
    return digits < source_.size() && is_digit(source_[digits]) ? digits : begin;
  }

  void read_number() {
    size_t end = digits_from(at_);
    Kind kind = Kind::integer;
    if (end + 1 < source_.size() && source_[end] == '.' && is_digit(source_[end + 1])) {
      kind = Kind::real;
      end = digits_from(end + 1);
    }
    if (const size_t digits = exponent_from(end); digits != end) {
      kind = Kind::real;
      end = digits_from(digits);
    }
    if (end < source_.size() && (is_name_start(source_[end]))) {
      fail("terse reads only plain decimal numbers");
    }
    if (end - at_ > 30) {
      fail("a number of more than 30 digits");
    }
    add(kind, std::string(source_.substr(at_, end - at_)));
    advance(end - at_);
  }

  void read_symbol(std::vector<char>& open) {
    const auto* symbol = std::ranges::find_if(kSymbols, [&](std::string_view it) { return sees(it); });
    if (symbol == kSymbols.end()) {
      fail(fmt::format("unexpected '{}'", source_.substr(at_, utf8::length(source_[at_]))));
    }
    const char c = symbol->front();
    if (std::string_view("([{").find(c) != std::string_view::npos) {
      open.push_back(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (std::string_view(")]}").find(c) != std::string_view::npos) {
      if (open.empty() || open.back() != c) {
        fail(fmt::format("'{}' without its opening bracket", c));
      }
      open.pop_back();
    }
    add(Kind::symbol, std::string(*symbol));
    advance(symbol->size());
  }

  void read_string(char quote) {
    const int64_t line = line_;
    std::string text;
    size_t i = at_ + 1;
    for (; i < source_.size() && source_[i] != quote;) {
      if (source_[i] == '\\' && i + 1 < source_.size()) {
        i = read_escape(i + 1, text);
      } else {
        text.push_back(source_[i++]);
      }
    }
    if (i >= source_.size()) {
      fail("a string does not end");
    }
    tokens_.push_back({Kind::string, std::move(text), line});
    advance(i + 1 - at_);
  }

  /// Python's escapes; `i` is behind the backslash. Where to go on.
  size_t read_escape(size_t i, std::string& out) const {
    constexpr std::string_view kPlain = "\\'\"abfnrtv", kMeaning = "\\'\"\a\b\f\n\r\t\v";
    const char c = source_[i];
    if (const size_t index = kPlain.find(c); index != std::string_view::npos) {
      out.push_back(kMeaning[index]);
      return i + 1;
    }
    if (c == '\n') {
      return i + 1;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
      return read_code(i + 1, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
    }
    if (is_digit(c) || c == 'N') {
      fail(fmt::format("terse does not know the escape '\\{}'", c));
    }
    out.push_back('\\');
    return i;
  }

  size_t read_code(size_t begin, size_t digits, std::string& out) const {
    uint32_t code = 0;
    for (size_t i = begin; i < begin + digits; ++i) {
      const size_t digit = i < source_.size()
                               ? std::string_view("0123456789abcdef")
                                     .find(static_cast<char>(is_digit(source_[i]) ? source_[i] : source_[i] | 0x20))
                               : std::string_view::npos;
      if (digit == std::string_view::npos) {
        fail(fmt::format("an escape with less than {} hexadecimal digits", digits));
      }
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
      fail("an escape that is no character");
    }
    utf8::append(out, static_cast<char32_t>(code));
    return begin + digits;
  }

  std::string_view source_;
  size_t at_ = 0;
  int64_t line_ = 1;
  bool starts_line_ = true;  ///< what comes next is the start of a line
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  const std::string text = normalized(source);
  return Lexer(text).run();
}

}  // namespace terse::calibration::jinja
