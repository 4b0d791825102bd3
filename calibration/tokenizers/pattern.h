#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "formats/vocabulary.h"

namespace terse::calibration {

/// Bytes [begin, end) of a text.
struct Span {
  size_t begin = 0, end = 0;
  bool operator==(const Span&) const = default;
};

/// A pattern of a tokenizer, ready to search. The one door to PCRE2. Immutable: any number of threads may search.
class Pattern {
 public:
  /// Error unsupported for what Oniguruma knows and terse does not translate, with the pattern and the place; Error
  /// input for a pattern that is none.
  explicit Pattern(const TextPattern& pattern);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  /// Walks through the matches of one text after another. Not to be shared between threads.
  class Search {
   public:
    explicit Search(const Pattern& pattern);
    ~Search();
    Search(const Search&) = delete;
    Search& operator=(const Search&) = delete;

    /// `text` is valid UTF-8 and stays where it is.
    void start(std::string_view text);
    /// The next match; an empty one never right behind another. Error unsupported if the pattern backtracks without
    /// end.
    std::optional<Span> next();

   private:
    std::optional<Span> find(size_t from);
    const Pattern& pattern_;
    struct Room;
    std::unique_ptr<Room> room_;
    std::string_view text_;
    size_t from_ = 0;
    std::optional<size_t> last_end_;
  };

 private:
  struct Compiled;
  std::string literal_;
  std::unique_ptr<Compiled> compiled_;  ///< null for a literal
};

/// The PCRE2 pattern (options UTF and MULTILINE, newline LF) that matches what `pattern` does in Oniguruma's Ruby
/// syntax. Classes become explicit: PCRE2 knows another Unicode. Errors as Pattern's.
std::string translate_pattern(std::string_view pattern);

}  // namespace terse::calibration
