#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/tokenizers/characters.h"

namespace terse::calibration {

/// A character class of a pattern, as the union of general categories and ranges. Categories are kept apart because
/// PCRE2 tests them faster than some hundred ranges, and its patterns have a largest size.
class CharacterClass {
 public:
  void add(characters::Range range) { ranges_.push_back(range); }
  void add(const characters::Set& set) { ranges_.insert(ranges_.end(), set.begin(), set.end()); }
  void add(const CharacterClass& other);
  /// "L", "Nd": a general category.
  void add_category(std::string_view name) { categories_.emplace_back(name); }
  void negate() { negated_ = !negated_; }
  void intersect(const CharacterClass& other);

  characters::Set set() const;
  /// As PCRE2 writes it.
  std::string text() const;

 private:
  std::vector<std::string> categories_;
  std::vector<characters::Range> ranges_;
  bool negated_ = false;
};

/// What \p{name} means: a general category or a few more. nullopt for a name that terse does not know.
std::optional<CharacterClass> property_class(std::string_view name);

/// \s, \d, \w, \h. nullopt for another letter; capitals are the complements.
std::optional<CharacterClass> shorthand_class(char letter);

/// [:alpha:] and its like, without the brackets and colons.
std::optional<CharacterClass> posix_class(std::string_view name);

}  // namespace terse::calibration
