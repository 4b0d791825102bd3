#pragma once

#include <string_view>
#include <vector>

#include "formats/error.h"
#include "formats/gguf/metadata.h"
#include "formats/vocabulary.h"

namespace terse::gguf {

/// U+2581, which stands for a space in the tokens of a GGUF file.
inline constexpr std::string_view kSpace = "\u2581";

/// nullptr if there is no such key. Error input, calling the elements what is `expected`, if they are of another type.
template <typename T>
const std::vector<T>* find_values(const Metadata& metadata, std::string_view key, std::string_view expected) {
  const MetadataArray* array = metadata.find_array(key);
  if (array == nullptr) {
    return nullptr;
  }
  const auto* values = std::get_if<std::vector<T>>(&array->values);
  if (values == nullptr) {
    throw Error(Kind::input, "metadata '{}' is of type {}, expected an array of {}", key,
                type_name(*metadata.find(key)), expected);
  }
  return values;
}

/// The tokens by id, with the scores and types that the file has. Ids that its converter filled up have no text.
/// Errors: input, naming the key, for arrays of different lengths, texts that are not UTF-8, scores that are no
/// numbers.
std::vector<Vocabulary::Token> read_tokens(const Metadata& metadata);

}  // namespace terse::gguf
