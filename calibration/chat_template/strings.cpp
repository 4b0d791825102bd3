#include "calibration/chat_template/strings.h"

#include <algorithm>
#include <array>

#include "calibration/chat_template/value.h"
#include "calibration/tokenizers/characters.h"
#include "calibration/tokenizers/normalizers.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

using characters::Category;

Category category(char32_t point) {
  const auto runs = characters::category_runs();
  const auto next = std::ranges::upper_bound(runs, point, {}, &characters::CategoryRun::first);
  return next == runs.begin() ? Category::Cn : (next - 1)->category;
}

bool is_ascii_letter(char32_t point) { return (point | 0x20) >= 'a' && (point | 0x20) <= 'z'; }

/// Letters that have cases, and the few other characters that change with them.
bool is_cased(char32_t point) {
  const Category found = category(point);
  return found == Category::Lu || found == Category::Ll || found == Category::Lt ||
         (found == Category::Lm && point < 0x2000) || (point >= 0x2160 && point <= 0x2188) ||
         (point >= 0x24b6 && point <= 0x24e9) || point == 0x345;
}

template <typename Removed>
std::string_view strip_if(std::string_view text, Side side, Removed&& is_removed) {
  while (side != Side::right && !text.empty() && is_removed(text.substr(0, utf8::length(text.front())))) {
    text.remove_prefix(utf8::length(text.front()));
  }
  while (side != Side::left && !text.empty()) {
    const size_t last = utf8::before(text, text.size());
    if (!is_removed(text.substr(last))) {
      break;
    }
    text.remove_suffix(text.size() - last);
  }
  return text;
}

std::string upper_character(std::string_view character) {
  const char32_t point = utf8::decode(character, 0);
  if (point >= 0x80 && is_cased(point)) {
    throw Error(Kind::unsupported, "terse puts only ASCII into upper case, found '{}'", character);
  }
  return std::string(1, point >= 'a' && point <= 'z' ? static_cast<char>(point - 0x20) : character.front()) +
         std::string(character.substr(1));
}

}  // namespace

bool is_space(char32_t point) { return characters::is_whitespace(point) || (point >= 0x1c && point <= 0x1f); }

bool is_printable(char32_t point) {
  const Category found = category(point);
  static constexpr std::array kHidden = {Category::Zs, Category::Zl, Category::Zp, Category::Cc,
                                         Category::Cf, Category::Cs, Category::Co, Category::Cn};
  return point == ' ' || std::ranges::find(kHidden, found) == kHidden.end();
}

std::string_view strip(std::string_view text, Side side) {
  return strip_if(text, side, [](std::string_view character) { return is_space(utf8::decode(character, 0)); });
}

std::string_view strip(std::string_view text, Side side, std::string_view characters) {
  const auto set = characters_of(characters);
  return strip_if(text, side,
                  [&](std::string_view character) { return std::ranges::find(set, character) != set.end(); });
}

std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> found;
  utf8::for_each(text, [&](char32_t, size_t begin, size_t end) { found.push_back(text.substr(begin, end - begin)); });
  return found;
}

int64_t length(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::vector<std::string> split(std::string_view text, int64_t most) {
  std::vector<std::string> pieces;
  for (text = strip(text, Side::left); !text.empty(); text = strip(text, Side::left)) {
    size_t end = 0;
    while (end < text.size() && !is_space(utf8::decode(text, end))) {
      end += utf8::length(text[end]);
    }
    if (most >= 0 && std::ssize(pieces) == most) {
      pieces.emplace_back(strip(text, Side::right));
      break;
    }
    pieces.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return pieces;
}

std::vector<std::string> split(std::string_view text, std::string_view separator, int64_t most) {
  if (separator.empty()) {
    throw Error(Kind::input, "split: the separator is empty");
  }
  std::vector<std::string> pieces;
  for (size_t end = text.find(separator); end != std::string_view::npos && (most < 0 || std::ssize(pieces) < most);
       end = text.find(separator)) {
    pieces.emplace_back(text.substr(0, end));
    text.remove_prefix(end + separator.size());
  }
  pieces.emplace_back(text);
  return pieces;
}

std::string replace(std::string_view text, std::string_view what, std::string_view by, int64_t most) {
  std::string out;
  int64_t done = 0;
  if (what.empty()) {  // between all characters, as Python does it
    for (const std::string_view character : characters_of(text)) {
      out.append(most < 0 || done < most ? by : "").append(character);
      check_size(out.size());
      ++done;
    }
    return out.append(most < 0 || done < most ? by : "");
  }
  for (size_t at = text.find(what); at != std::string_view::npos && (most < 0 || done < most); at = text.find(what)) {
    out.append(text.substr(0, at)).append(by);
    text.remove_prefix(at + what.size());
    check_size(out.size());
    ++done;
  }
  return out.append(text);
}

std::string upper(std::string_view text) {
  std::string out;
  for (const std::string_view character : characters_of(text)) {
    out += upper_character(character);
  }
  return out;
}

std::string lower(std::string_view text) {
  for (const std::string_view odd : {"\u03a3", "\u0130"}) {  // their lower case depends on what stands around them
    if (text.find(odd) != std::string_view::npos) {
      throw Error(Kind::unsupported, "terse does not put '{}' into lower case", odd);
    }
  }
  std::string out(text);
  lowercase(out);
  return out;
}

std::string capitalize(std::string_view text) {
  const size_t first = text.empty() ? 0 : utf8::length(text.front());
  return upper(text.substr(0, first)) + lower(text.substr(first));
}

std::string title(std::string_view text, Words words) {
  constexpr std::string_view kEnds = "-({[<";  // of words in Jinja's eyes, and white space
  std::string out;
  bool starts = true;
  for (const std::string_view character : characters_of(text)) {
    const char32_t point = utf8::decode(character, 0);
    const bool is_end = words == Words::python ? !is_ascii_letter(point) && !is_cased(point)
                                               : is_space(point) || kEnds.find(character) != std::string_view::npos;
    out += is_end ? std::string(character) : starts ? upper_character(character) : lower(character);
    starts = is_end;
  }
  return out;
}

}  // namespace terse::calibration::jinja
