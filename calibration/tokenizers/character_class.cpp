#include "calibration/tokenizers/character_class.h"

#include <fmt/format.h>

#include <algorithm>

namespace terse::calibration {
namespace {

using characters::Range;
using characters::Set;

Set whitespace() {
  return {{0x9, 0xd},       {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
          {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000}};
}

Set to_set(std::span<const Range> ranges) { return {ranges.begin(), ranges.end()}; }

CharacterClass class_of(const Set& set) {
  CharacterClass result;
  result.add(set);
  return result;
}

CharacterClass category_class(std::string_view name) {
  CharacterClass result;
  result.add_category(name);
  return result;
}

std::string spell(const Range& range) {
  return range.first == range.last ? fmt::format("\\x{{{:x}}}", static_cast<uint32_t>(range.first))
                                   : fmt::format("\\x{{{:x}}}-\\x{{{:x}}}", static_cast<uint32_t>(range.first),
                                                 static_cast<uint32_t>(range.last));
}

/// U+1171E went from Mn to Mc in Unicode 15: PCRE2's own notion of these two is not asked.
bool is_known_to_pcre2(std::string_view category) { return category != "Mn" && category != "Mc" && category[0] != 'C'; }

/// What to write beside \p{name}: what PCRE2 does not know of it, and what its bitmap for bytes then answers at once.
Set beside_property(std::string_view name) {
  Set extra = characters::intersection(characters::category(name), to_set(characters::since_unicode_14()));
  const Set bytes = characters::intersection(characters::category(name), {{0, 0xff}});
  extra.insert(extra.end(), bytes.begin(), bytes.end());
  return extra;
}

}  // namespace

void CharacterClass::add(const CharacterClass& other) {
  if (other.negated_) {
    add(other.set());
  } else {
    add(other.ranges_);
    categories_.insert(categories_.end(), other.categories_.begin(), other.categories_.end());
  }
}

void CharacterClass::intersect(const CharacterClass& other) {
  ranges_ = characters::intersection(set(), other.set());
  categories_.clear();
  negated_ = false;
}

Set CharacterClass::set() const {
  std::vector<Range> all = ranges_;
  for (const std::string& name : categories_) {
    const Set more = characters::category(name);
    all.insert(all.end(), more.begin(), more.end());
  }
  const Set united = characters::to_set(std::move(all));
  return negated_ ? characters::complement(united) : united;
}

std::string CharacterClass::text() const {
  std::string properties;
  std::vector<Range> ranges = ranges_;
  for (const std::string& name : categories_) {
    const bool known = is_known_to_pcre2(name);
    const Set more = known ? beside_property(name) : characters::category(name);
    ranges.insert(ranges.end(), more.begin(), more.end());
    properties += known ? fmt::format("\\p{{{}}}", name) : "";
  }
  Set set = characters::to_set(std::move(ranges));
  if (set.empty() && properties.empty()) {
    return negated_ ? "(?s:.)" : "(?!)";
  }
  // PCRE2 asks one range after another: large ones first.
  std::ranges::stable_sort(set, std::ranges::greater{}, [](const Range& range) { return range.last - range.first; });
  std::string text = negated_ ? "[^" : "[";
  for (const Range& range : set) {
    text += spell(range);
  }
  return text + properties + "]";
}

std::optional<CharacterClass> property_class(std::string_view name) {
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (lower == "han") {
    return class_of(to_set(characters::han()));
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kLongNames = {{{"letter", "L"},
                                                                                               {"mark", "M"},
                                                                                               {"number", "N"},
                                                                                               {"punctuation", "P"},
                                                                                               {"punct", "P"},
                                                                                               {"symbol", "S"},
                                                                                               {"separator", "Z"},
                                                                                               {"other", "C"}}};
  for (const auto& [long_name, short_name] : kLongNames) {
    if (lower == long_name) {
      return category_class(short_name);
    }
  }
  lower[0] = static_cast<char>(lower.empty() ? 0 : lower[0] & ~0x20);
  if (characters::category(lower).empty()) {
    return std::nullopt;
  }
  return category_class(lower);
}

std::optional<CharacterClass> shorthand_class(char letter) {
  const char lower = static_cast<char>(letter | 0x20);
  CharacterClass result;
  switch (lower) {
    case 's':
      result.add(whitespace());
      break;
    case 'd':
      result.add_category("Nd");
      break;
    case 'w':
      result.add(to_set(characters::word()));
      break;
    case 'h':
      result.add(Set{{'0', '9'}, {'A', 'F'}, {'a', 'f'}});
      break;
    default:
      return std::nullopt;
  }
  if (letter != lower) {
    result.negate();
  }
  return result;
}

std::optional<CharacterClass> posix_class(std::string_view name) {
  if (name == "space") {
    return shorthand_class('s');
  }
  if (name == "digit") {
    return shorthand_class('d');
  }
  if (name == "word") {
    return shorthand_class('w');
  }
  if (name == "punct") {  // since Oniguruma 6.9.5
    CharacterClass result;
    result.add_category("P");
    result.add_category("S");
    return result;
  }
  return std::nullopt;
}

}  // namespace terse::calibration
