#include "calibration/tokenizers/characters.h"

#include <algorithm>

namespace terse::calibration::characters {
namespace {

constexpr char32_t kLast = 0x10ffff;

constexpr std::array<std::string_view, 30> kNames = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl",
                                                     "No", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Sm", "Sc",
                                                     "Sk", "So", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Cn"};

}  // namespace

bool contains(std::span<const Range> ascending, char32_t point) {
  const auto after = std::ranges::upper_bound(ascending, point, {}, &Range::first);
  return after != ascending.begin() && point <= std::prev(after)->last;
}

bool is_whitespace(char32_t point) {
  if (point < 0x1680) {
    return point == ' ' || (point >= '\t' && point <= '\r') || point == 0x85 || point == 0xa0;
  }
  return point == 0x1680 || (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 ||
         point == 0x202f || point == 0x205f || point == 0x3000;
}

bool is_punctuation(char32_t point) {
  if (point < 0x80) {
    const bool digit = point >= '0' && point <= '9';
    const bool letter = (point | 0x20) >= 'a' && (point | 0x20) <= 'z';
    return point > ' ' && point < 0x7f && !digit && !letter;
  }
  return contains(punctuation(), point);
}

bool is_numeric(char32_t point) { return point < 0x80 ? point >= '0' && point <= '9' : contains(numeric(), point); }

Set to_set(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::first);
  Set set;
  for (const Range& range : ranges) {
    if (!set.empty() && range.first <= set.back().last + 1) {
      set.back().last = std::max(set.back().last, range.last);
    } else {
      set.push_back(range);
    }
  }
  return set;
}

Set complement(const Set& set) {
  Set rest;
  char32_t next = 0;
  for (const Range& range : set) {
    if (range.first > next) {
      rest.push_back({next, range.first - 1});
    }
    next = range.last + 1;
  }
  if (next <= kLast) {
    rest.push_back({next, kLast});
  }
  return rest;
}

Set intersection(const Set& a, const Set& b) {
  std::vector<Range> outside = complement(a);
  const Set other = complement(b);
  outside.insert(outside.end(), other.begin(), other.end());
  return complement(to_set(std::move(outside)));
}

Set category(std::string_view name) {
  if (name.empty() || name.size() > 2) {
    return {};
  }
  std::vector<Range> ranges;
  const auto runs = category_runs();
  for (size_t i = 0; i < runs.size(); ++i) {
    if (kNames[static_cast<size_t>(runs[i].category)].starts_with(name)) {
      ranges.push_back({runs[i].first, i + 1 < runs.size() ? runs[i + 1].first - 1 : kLast});
    }
  }
  return to_set(std::move(ranges));
}

}  // namespace terse::calibration::characters
