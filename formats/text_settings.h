#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace terse {

/// What a checkpoint folder says about text beside its tokenizer.
struct TextSettings {
  std::map<std::string, std::string, std::less<>> special_tokens;  ///< "bos_token" -> "<s>"
  std::string chat_template;                                       ///< empty: none
  std::string chat_template_name;                                  ///< of the file that has it, for errors
  std::optional<int64_t> max_tokens;                               ///< of a text, special tokens included
  std::vector<int64_t> end_tokens;                                 ///< ids that end what a model writes
  std::optional<int64_t> decoder_start_token;                      ///< the id that a decoder begins with
};

/// Reads tokenizer_config.json, chat_template.jinja, generation_config.json and config.json, each from the first of the
/// folders that has it; absent files say nothing. A GGUF file among the folders says what the other files do not.
/// Errors: io; input with the file's name.
TextSettings read_text_settings(std::span<const std::filesystem::path> folders);

}  // namespace terse
