#include "calibration/tokenizers/added_tokens.h"

#include "calibration/tokenizers/characters.h"
#include "calibration/tokenizers/utf8.h"

namespace terse::calibration {
namespace {

std::vector<Trie::Entry> trie_entries(const std::vector<AddedTokens::Entry>& entries) {
  std::vector<Trie::Entry> out;
  for (size_t i = 0; i < entries.size(); ++i) {
    out.push_back({.text = entries[i].text, .id = static_cast<int32_t>(i)});
  }
  return out;
}

bool is_word(char32_t point) { return characters::contains(characters::crate_word(), point); }

/// No word's character touches the span.
bool stands_alone(std::string_view text, const Span& span) {
  return (span.begin == 0 || !is_word(utf8::decode(text, utf8::before(text, span.begin)))) &&
         (span.end == text.size() || !is_word(utf8::decode(text, span.end)));
}

size_t skip_whitespace_left(std::string_view text, size_t begin, size_t least) {
  while (begin > least && characters::is_whitespace(utf8::decode(text, utf8::before(text, begin)))) {
    begin = utf8::before(text, begin);
  }
  return begin;
}

size_t skip_whitespace_right(std::string_view text, size_t end) {
  while (end < text.size() && characters::is_whitespace(utf8::decode(text, end))) {
    end += utf8::length(text[end]);
  }
  return end;
}

}  // namespace

AddedTokens::AddedTokens(const std::vector<Entry>& entries) : trie_(trie_entries(entries)) {
  for (const Entry& entry : entries) {
    tokens_.push_back(*entry.token);
    if (!entry.text.empty()) {
      begins_[static_cast<unsigned char>(entry.text[0])] = true;
    }
  }
}

AddedTokens::Found AddedTokens::find(std::string_view text, size_t from) const {
  for (; from < text.size(); ++from) {
    if (!begins_[static_cast<unsigned char>(text[from])]) {
      continue;
    }
    if (const auto match = trie_.longest(text.substr(from)); match.length != 0) {
      return {{from, from + match.length}, &tokens_[static_cast<size_t>(match.id)]};
    }
  }
  return {};
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text) const {
  std::vector<Part> parts;
  size_t done = 0;
  const auto push_text = [&](size_t end) {
    if (done < end) {
      parts.push_back({.span = {done, end}});
    }
  };
  for (Found found = find(text, 0); found.token != nullptr; found = find(text, found.span.end)) {
    Span span = found.span;
    if (found.token->single_word && !stands_alone(text, span)) {
      continue;
    }
    if (found.token->lstrip) {
      span.begin = skip_whitespace_left(text, span.begin, done);
    }
    if (found.token->rstrip) {
      span.end = skip_whitespace_right(text, span.end);
    }
    // A token of white space that the one before took with it still counts: so it does in Hugging Face's library.
    push_text(span.begin);
    parts.push_back({.span = span, .id = found.token->id});
    done = span.end;
  }
  push_text(text.size());
  return parts;
}

}  // namespace terse::calibration
