#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "calibration/tokenizers/tokenizer.h"
#include "formats/error.h"

namespace terse {

/// Makes a tokenizer of what `read` gives and lets it encode texts of every kind.
template <typename Read>
void try_tokenizer(Read&& read) {
  static constexpr std::array<std::string_view, 5> kTexts = {
      "", "It's 123  words, <s>and\n\n more </s>",
      "\u00e9e\u0301 \u4e2d\u6587 \u0627\u0644 \U0001f468\u200d\U0001f469 \u2581x", "\xff\xe2\x82",
      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbb"};
  try {
    const calibration::Tokenizer tokenizer(read());
    for (const std::string_view text : kTexts) {
      for (const int32_t id : tokenizer.encode(text)) {
        if (id < 0 || id >= tokenizer.size()) {
          throw Error(Kind::internal, "id {} of {}", id, tokenizer.size());
        }
      }
    }
  } catch (const Error& error) {
    if (error.kind() == Kind::internal) {
      throw;
    }
  }
}

}  // namespace terse
