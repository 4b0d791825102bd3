#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "calibration/tokenizers/characters.h"
#include "calibration/tokenizers/normalizers.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

using characters::Range;
using normalizers::Form;

// What utf8proc's Unicode 15 knows and Hugging Face's library, whose tables are older, does not: found by asking both
// about every code point.

constexpr std::array<Range, 10> kDecomposedLater = {{{0x32ff, 0x32ff},
                                                     {0xa7f2, 0xa7f4},
                                                     {0xab69, 0xab69},
                                                     {0x10781, 0x10785},
                                                     {0x10787, 0x107b0},
                                                     {0x107b2, 0x107ba},
                                                     {0x11938, 0x11938},
                                                     {0x1e030, 0x1e06d},
                                                     {0x1f16c, 0x1f16c},
                                                     {0x1fbf0, 0x1fbf9}}};

constexpr std::array<Range, 36> kOrderedLater = {
    {{0x7fd, 0x7fd},     {0x898, 0x89f},     {0x8ca, 0x8d3},     {0x9fe, 0x9fe},     {0xc3c, 0xc3c},
     {0xd3b, 0xd3c},     {0xeba, 0xeba},     {0x1715, 0x1715},   {0x1abf, 0x1ace},   {0x1df6, 0x1dfa},
     {0xa82c, 0xa82c},   {0x10d24, 0x10d27}, {0x10eab, 0x10eac}, {0x10efd, 0x10eff}, {0x10f46, 0x10f50},
     {0x10f82, 0x10f85}, {0x11070, 0x11070}, {0x1133b, 0x1133b}, {0x1145e, 0x1145e}, {0x11839, 0x1183a},
     {0x1193d, 0x1193e}, {0x11943, 0x11943}, {0x119e0, 0x119e0}, {0x11a34, 0x11a34}, {0x11a47, 0x11a47},
     {0x11a99, 0x11a99}, {0x11d42, 0x11d42}, {0x11d44, 0x11d45}, {0x11d97, 0x11d97}, {0x11f41, 0x11f42},
     {0x16ff0, 0x16ff1}, {0x1e08f, 0x1e08f}, {0x1e130, 0x1e136}, {0x1e2ae, 0x1e2ae}, {0x1e2ec, 0x1e2ef},
     {0x1e4ec, 0x1e4ef}}};

constexpr char32_t kFirstComposed = 0xc0;  // nothing below changes canonically; below 0xa0 nothing changes at all

struct Character {
  char32_t point = 0;
  int combining_class = 0;
};

int combining_class(char32_t point) {
  return point < 0x300 || characters::contains(kOrderedLater, point)
             ? 0
             : utf8proc_get_property(static_cast<utf8proc_int32_t>(point))->combining_class;
}

void decompose(char32_t point, bool compatibly, std::vector<Character>& out) {
  if (point < 0xa0 || (point < kFirstComposed && !compatibly) || characters::contains(kDecomposedLater, point)) {
    out.push_back({point, combining_class(point)});
    return;
  }
  const int options = UTF8PROC_DECOMPOSE | UTF8PROC_STABLE | (compatibly ? UTF8PROC_COMPAT : 0);
  std::array<utf8proc_int32_t, 32> parts{};  // the longest decomposition has 18
  int boundary = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), parts.data(), parts.size(),
                                             static_cast<utf8proc_option_t>(options), &boundary);
  if (count <= 0 || static_cast<size_t>(count) > parts.size()) {
    out.push_back({point, 0});
    return;
  }
  for (const utf8proc_int32_t part : std::span(parts).first(static_cast<size_t>(count))) {
    out.push_back({static_cast<char32_t>(part), combining_class(static_cast<char32_t>(part))});
  }
}

/// Sorts each run of marks by combining class, equal ones in their order.
void order(std::vector<Character>& characters) {
  const auto is_mark = [](const Character& c) { return c.combining_class != 0; };
  for (auto at = characters.begin(); at != characters.end();) {
    const auto begin = std::find_if(at, characters.end(), is_mark);
    at = std::find_if_not(begin, characters.end(), is_mark);
    std::stable_sort(begin, at,
                     [](const Character& a, const Character& b) { return a.combining_class < b.combining_class; });
  }
}

void compose(std::vector<utf8proc_int32_t>& points) {
  const auto count = utf8proc_normalize_utf32(points.data(), static_cast<utf8proc_ssize_t>(points.size()),
                                              static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE));
  points.resize(static_cast<size_t>(std::max<utf8proc_ssize_t>(count, 0)));
}

/// Composes what stands between marks that Hugging Face's library takes for letters, for it composes nothing across
/// them.
std::string composed(const std::vector<Character>& characters) {
  std::string out;
  std::vector<utf8proc_int32_t> run;
  const auto finish = [&] {
    compose(run);
    for (const utf8proc_int32_t point : run) {
      utf8::append(out, static_cast<char32_t>(point));
    }
    run.clear();
  };
  for (const Character& character : characters) {
    if (characters::contains(kOrderedLater, character.point)) {
      finish();
      utf8::append(out, character.point);
    } else {
      run.push_back(static_cast<utf8proc_int32_t>(character.point));
    }
  }
  finish();
  return out;
}

struct CaseRange {
  char32_t first = 0, last = 0;
  int32_t to_lower = 0;
};

/// Capitals that utf8proc's Unicode 15 does not know, or maps otherwise.
constexpr std::array<CaseRange, 10> kCapitalsSince15 = {{{0x1c89, 0x1c89, 1},
                                                         {0xa7cb, 0xa7cb, 0x264 - 0xa7cb},
                                                         {0xa7cc, 0xa7cc, 1},
                                                         {0xa7ce, 0xa7ce, 1},
                                                         {0xa7d2, 0xa7d2, 1},
                                                         {0xa7d4, 0xa7d4, 1},
                                                         {0xa7da, 0xa7da, 1},
                                                         {0xa7dc, 0xa7dc, 0x19b - 0xa7dc},
                                                         {0x10d50, 0x10d65, 0x20},
                                                         {0x16ea0, 0x16eb8, 0x1b}}};

char32_t lower(char32_t point) {
  for (const CaseRange& range : kCapitalsSince15) {
    if (point >= range.first && point <= range.last) {
      return static_cast<char32_t>(static_cast<int32_t>(point) + range.to_lower);
    }
  }
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(point)));
}

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

void normalize_form(std::string& text, Form form) {
  if (is_ascii(text)) {
    return;
  }
  const bool compatibly = form == Form::nfkc || form == Form::nfkd;
  std::vector<Character> characters;
  characters.reserve(text.size());
  utf8::for_each(text, [&](char32_t point, size_t, size_t) { decompose(point, compatibly, characters); });
  order(characters);
  if (form == Form::nfc || form == Form::nfkc) {
    text = composed(characters);
    return;
  }
  text.clear();
  for (const Character& character : characters) {
    utf8::append(text, character.point);
  }
}

void lowercase(std::string& text) {
  if (is_ascii(text)) {
    for (char& c : text) {
      c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    }
    return;
  }
  std::string out;
  out.reserve(text.size());
  utf8::for_each(text, [&](char32_t point, size_t, size_t) {
    if (point == 0x130) {  // the one capital whose small letter is two characters: i and a dot above
      out += "i\u0307";
    } else {
      utf8::append(out, point < 0x80 ? (point >= 'A' && point <= 'Z' ? point | 0x20 : point) : lower(point));
    }
  });
  text = std::move(out);
}

}  // namespace terse::calibration
