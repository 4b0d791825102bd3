#include "formats/gguf/stripping.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "formats/gguf/token_arrays.h"
#include "formats/gguf/tokenizer_keys.h"

namespace terse::gguf {
namespace {

using AddedToken = Vocabulary::AddedToken;

constexpr std::string_view kNameKey = "general.name";
constexpr std::array<std::string_view, 2> kPhi3Names = {"phi-3", "phi3"};

// Of Phi-3's, those that leave white space on their right, and what else must be there.
constexpr std::array<std::string_view, 3> kPhi3Keeping = {"<unk>", "<s>", "<|endoftext|>"};
constexpr std::string_view kPhi3End = "</s>";

std::string lowercase_name(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(kNameKey);
  const auto* text = value == nullptr ? nullptr : std::get_if<std::string>(value);
  std::string name = text == nullptr ? "" : *text;
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return name;
}

size_t find_phi3(const std::string& name) {
  size_t first = std::string::npos;
  for (const std::string_view part : kPhi3Names) {
    first = std::min(first, name.find(part));
  }
  return first;
}

bool is_called_phi3(const Metadata& metadata) { return find_phi3(lowercase_name(metadata)) != std::string::npos; }

bool has_phi3_tokens(const Metadata& metadata) {
  const auto* texts = find_values<std::string>(metadata, kTokensKey, "string");
  const auto has = [&](std::string_view text) {
    return texts != nullptr && std::ranges::find(*texts, text) != texts->end();
  };
  return has(kPhi3End) && std::ranges::all_of(kPhi3Keeping, has);
}

/// As Phi-3's tokens are to llama.cpp.
bool strips_right(const AddedToken& token) {
  return std::ranges::find(kPhi3Keeping, token.content) == kPhi3Keeping.end();
}

bool is_lost(const AddedToken& token, bool like_phi3) {
  return token.lstrip || token.single_word || token.rstrip != (like_phi3 && strips_right(token));
}

}  // namespace

void set_stripping(const Metadata& metadata, Vocabulary& vocabulary) {
  if (is_called_phi3(metadata)) {
    for (AddedToken& token : vocabulary.added) {
      token.rstrip = strips_right(token);
    }
  }
}

void avoid_missing_tokens(Metadata& metadata) {
  if (has_phi3_tokens(metadata)) {
    return;
  }
  constexpr size_t kBeforeNumber = 3;  // "phi"
  std::string lower = lowercase_name(metadata);
  for (size_t at = find_phi3(lower); at != std::string::npos; at = find_phi3(lower)) {
    std::string name = std::get<std::string>(*metadata.find(kNameKey));
    name.replace(at + kBeforeNumber, name[at + kBeforeNumber] == '-' ? 1 : 0, "_");
    metadata.set(kNameKey, std::move(name));
    lower = lowercase_name(metadata);
  }
}

std::vector<std::string> stripping_notes(const Vocabulary& vocabulary, const Metadata& metadata) {
  const auto count_lost = [&](bool like_phi3) {
    return std::ranges::count_if(vocabulary.added, [&](const AddedToken& token) { return is_lost(token, like_phi3); });
  };
  const bool like_phi3 = is_called_phi3(metadata);
  const auto lost = count_lost(like_phi3);
  if (lost == 0) {
    return {};
  }
  const auto first =
      std::ranges::find_if(vocabulary.added, [&](const AddedToken& token) { return is_lost(token, like_phi3); });
  std::string note = fmt::format(
      "{} tokens such as '{}': GGUF cannot say which white space goes with them (lstrip, rstrip) or that they are "
      "whole words (single_word), llama.cpp cuts texts around them otherwise",
      lost, first->content);
  if (!like_phi3 && has_phi3_tokens(metadata) && count_lost(true) == 0) {
    note += "; not those of models with phi-3 in their name, as a folder of that name gives it";
  }
  return {std::move(note)};
}

}  // namespace terse::gguf
