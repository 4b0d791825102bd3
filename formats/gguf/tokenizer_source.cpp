#include "formats/gguf/tokenizer_source.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse::gguf {
namespace {

using AddedToken = Vocabulary::AddedToken;

std::optional<std::filesystem::path> find_model(const std::filesystem::path& folder) {
  for (const char* name : {"tokenizer.model", "spiece.model"}) {
    if (std::filesystem::exists(folder / name)) {
      return folder / name;
    }
  }
  return std::nullopt;
}

bool is_sentencepiece(const Vocabulary& vocabulary) {
  return vocabulary.model == TokenizerModel::sentencepiece_bpe ||
         vocabulary.model == TokenizerModel::sentencepiece_unigram;
}

/// Whether a tokenizer.json was made from a SentencePiece model.
bool is_made_of_pieces(const Vocabulary& vocabulary) {
  return vocabulary.model == TokenizerModel::unigram ||
         (vocabulary.model == TokenizerModel::bpe && vocabulary.byte_fallback);
}

int32_t id_of(const std::string& text, const JsonField& field) {
  int32_t id = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc() || end != text.data() + text.size() || id < 0 || id >= kMostTokens) {
    throw Error(Kind::input, "{}: found the id '{}'", field.where(), text);
  }
  return id;
}

/// {"0": {"content": "<unk>", "special": true}, ...}
std::vector<AddedToken> read_added(const JsonField& root) {
  std::vector<AddedToken> out;
  const auto field = root.find("added_tokens_decoder");
  if (!field) {
    return out;
  }
  field->object_size();  // it must be one
  for (const auto& [id, value] : field->value().items()) {
    const JsonField token(value, fmt::format("{}['{}']", field->where(), id));
    out.push_back({.id = id_of(id, *field),
                   .content = token.text("content"),
                   .single_word = token.flag_or("single_word", false),
                   .lstrip = token.flag_or("lstrip", false),
                   .rstrip = token.flag_or("rstrip", false),
                   .special = token.flag_or("special", false)});
  }
  return out;
}

/// Added tokens that a SentencePiece model does not know itself.
std::vector<AddedToken> added_beside(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "tokenizer_config.json";
  if (!std::filesystem::exists(path)) {
    return {};
  }
  return with_context(path.string(), [&] {
    const nlohmann::json document = parse_json(read_text(path));
    return read_added(JsonField(document, ""));
  });
}

}  // namespace

Vocabulary read_source(const std::filesystem::path& folder) {
  Vocabulary vocabulary = read_vocabulary(folder);
  if (is_sentencepiece(vocabulary)) {
    vocabulary.added = added_beside(folder);
    return vocabulary;
  }
  const auto path = is_made_of_pieces(vocabulary) ? find_model(folder) : std::nullopt;
  if (!path) {
    return vocabulary;
  }
  Vocabulary pieces = read_vocabulary(*path);
  pieces.added = std::move(vocabulary.added);
  pieces.prefix = std::move(vocabulary.prefix);
  pieces.suffix = std::move(vocabulary.suffix);
  return pieces;
}

}  // namespace terse::gguf
