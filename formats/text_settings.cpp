#include "formats/text_settings.h"

#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/reader.h"
#include "formats/gguf/tokenizer_reader.h"
#include "formats/json_fields.h"

namespace terse {
namespace {

using Folders = std::span<const std::filesystem::path>;

constexpr int64_t kMostId = INT32_MAX;

std::optional<std::filesystem::path> find_file(Folders folders, std::string_view name) {
  for (const auto& folder : folders) {
    if (std::filesystem::exists(folder / name)) {
      return folder / name;
    }
  }
  return std::nullopt;
}

template <typename Read>
void read_json_file(Folders folders, std::string_view name, Read&& read) {
  if (const auto path = find_file(folders, name)) {
    const std::string text = read_text(*path);
    with_context(path->string(), [&] {
      const nlohmann::json document = parse_json(text);
      read(JsonField(document, ""));
    });
  }
}

/// "bos_token": "<s>", or {"content": "<s>", ...}.
void read_special_tokens(const JsonField& root, TextSettings& out) {
  for (const auto& [name, value] : root.value().items()) {
    if (!name.ends_with("_token")) {
      continue;
    }
    if (value.is_string()) {
      out.special_tokens[name] = value.get<std::string>();
    } else if (value.is_object() && value.contains("content")) {
      out.special_tokens[name] = JsonField(value, name).text("content");
    }
  }
}

/// One template, or named ones of which "default" is for conversations.
void read_chat_template(const JsonField& field, TextSettings& out) {
  if (!field.value().is_array()) {
    out.chat_template = field.text();
    return;
  }
  for (size_t i = 0; i < field.array_size(); ++i) {
    if (field.at(i).text("name") == "default") {
      out.chat_template = field.at(i).text("template");
    }
  }
}

void read_tokenizer_settings(const JsonField& root, TextSettings& out) {
  root.object_size();  // it must be one
  read_special_tokens(root, out);
  if (const auto field = root.find("chat_template")) {
    read_chat_template(*field, out);
    out.chat_template_name = "tokenizer_config.json: chat_template";
  }
  // Transformers writes 1e30 for "no limit".
  if (const auto field = root.find("model_max_length"); field && field->number() < 1e9) {
    out.max_tokens = field->whole(1, 1'000'000'000);
  }
}

/// An id or a list of them.
void read_end_tokens(const JsonField& root, TextSettings& out) {
  const auto field = root.find("eos_token_id");
  if (!field || !out.end_tokens.empty()) {
    return;
  }
  const size_t count = field->value().is_array() ? field->array_size() : 1;
  for (size_t i = 0; i < count; ++i) {
    out.end_tokens.push_back((field->value().is_array() ? field->at(i) : *field).whole(0, kMostId));
  }
}

void read_model_settings(const JsonField& root, TextSettings& out) {
  read_end_tokens(root, out);
  if (const auto field = root.find("decoder_start_token_id"); field && !out.decoder_start_token) {
    out.decoder_start_token = field->whole(0, kMostId);
  }
}

/// What has not been said yet.
void fill_up(TextSettings more, TextSettings& out) {
  out.special_tokens.merge(more.special_tokens);
  if (out.chat_template.empty()) {
    out.chat_template = std::move(more.chat_template);
    out.chat_template_name = std::move(more.chat_template_name);
  }
  if (out.end_tokens.empty()) {
    out.end_tokens = std::move(more.end_tokens);
  }
  out.max_tokens = out.max_tokens ? out.max_tokens : more.max_tokens;
}

}  // namespace

TextSettings read_text_settings(Folders folders) {
  TextSettings out;
  read_json_file(folders, "tokenizer_config.json", [&](const JsonField& root) { read_tokenizer_settings(root, out); });
  for (const std::string_view name : {"generation_config.json", "config.json"}) {  // what the first says counts
    read_json_file(folders, name, [&](const JsonField& root) { read_model_settings(root, out); });
  }
  if (const auto path = find_file(folders, "chat_template.jinja")) {  // goes before the older place
    out.chat_template = read_text(*path);
    out.chat_template_name = path->filename().string();
  }
  for (const auto& path : folders) {
    if (path.extension() == ".gguf") {
      const gguf::File file = gguf::read(path);
      fill_up(with_context(path.string(), [&] { return gguf::read_text_settings(file.metadata); }), out);
    }
  }
  return out;
}

}  // namespace terse
