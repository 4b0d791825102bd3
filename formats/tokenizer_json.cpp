#include "formats/tokenizer_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "formats/error.h"
#include "formats/tokenizer_json_parts.h"

namespace terse {
namespace {

using Ids = std::unordered_map<std::string_view, int32_t>;

int32_t read_id(const JsonField& field) { return static_cast<int32_t>(field.whole(0, kMostTokens - 1)); }

void set_token(Vocabulary& out, int32_t id, std::string_view text, std::string_view where) {
  const auto index = static_cast<size_t>(id);
  if (index >= out.tokens.size()) {
    out.tokens.resize(index + 1);
  }
  if (!out.tokens[index].text.empty()) {
    throw Error(Kind::input, "{}: id {} belongs to '{}' and to '{}'", where, id, out.tokens[index].text, text);
  }
  out.tokens[index].text = text;
}

/// {"token": id, ...}; the texts stay in the document.
Ids read_vocab(const JsonField& field, Vocabulary& out) {
  Ids ids;
  ids.reserve(field.object_size());
  for (const auto& [text, value] : field.value().items()) {
    const int32_t id = read_id(JsonField(value, fmt::format("{}['{}']", field.where(), text)));
    if (!text.empty()) {
      set_token(out, id, text, field.where());
    }
  }
  for (size_t id = 0; id < out.tokens.size(); ++id) {
    if (!out.tokens[id].text.empty()) {
      ids.emplace(out.tokens[id].text, static_cast<int32_t>(id));
    }
  }
  return ids;
}

int32_t get_id(const Ids& ids, std::string_view text, std::string_view where) {
  const auto found = ids.find(text);
  if (found == ids.end()) {
    throw Error(Kind::input, "{}: token '{}' is not in the vocabulary", where, text);
  }
  return found->second;
}

/// ["a", "b"], or in older files "a b".
std::pair<std::string_view, std::string_view> read_merge(const JsonField& field) {
  if (field.value().is_string()) {
    const std::string_view text = field.text();
    const size_t space = text.find(' ');
    if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos) {
      throw Error(Kind::input, "{}: found '{}', expected two tokens with a space between them", field.where(), text);
    }
    return {text.substr(0, space), text.substr(space + 1)};
  }
  if (field.array_size() != 2) {
    throw Error(Kind::input, "{}: found {} elements, expected two tokens", field.where(), field.array_size());
  }
  return {field.at(0).text(), field.at(1).text()};
}

void read_merges(const JsonField& field, const Ids& ids, Vocabulary& out) {
  const std::string& prefix = out.continuing_subword_prefix;
  out.merges.reserve(field.array_size());
  for (size_t i = 0; i < field.array_size(); ++i) {
    const JsonField merge = field.at(i);
    const auto [left, right] = read_merge(merge);
    if (right.size() < prefix.size()) {
      throw Error(Kind::input, "{}: token '{}' is shorter than the prefix '{}'", merge.where(), right, prefix);
    }
    const std::string merged = std::string(left).append(right.substr(prefix.size()));
    out.merges.push_back({.left = get_id(ids, left, merge.where()),
                          .right = get_id(ids, right, merge.where()),
                          .merged = get_id(ids, merged, merge.where())});
  }
}

void read_unknown(const JsonField& model, const Ids& ids, Vocabulary& out) {
  const auto unknown = model.find("unk_token");
  if (unknown && !unknown->text().empty()) {
    const auto found = ids.find(unknown->text());
    if (found != ids.end()) {
      out.unknown = found->second;
    }
  }
}

void read_bpe(const JsonField& model, Vocabulary& out) {
  if (const auto dropout = model.find("dropout"); dropout && dropout->number() != 0) {
    throw Error(Kind::unsupported, "{}: ids would be random (dropout {}), expected none", dropout->where(),
                dropout->number());
  }
  out.model = TokenizerModel::bpe;
  out.continuing_subword_prefix = model.text_or("continuing_subword_prefix", "");
  out.end_of_word_suffix = model.text_or("end_of_word_suffix", "");
  out.byte_fallback = model.flag_or("byte_fallback", false);
  out.fuse_unknown = model.flag_or("fuse_unk", false);
  out.ignore_merges = model.flag_or("ignore_merges", false);
  const Ids ids = read_vocab(model.get("vocab"), out);
  read_merges(model.get("merges"), ids, out);
  read_unknown(model, ids, out);
}

void read_wordpiece(const JsonField& model, Vocabulary& out) {
  out.model = TokenizerModel::wordpiece;
  out.continuing_subword_prefix = model.text_or("continuing_subword_prefix", "##");
  if (const auto most = model.find("max_input_chars_per_word")) {
    out.max_word_characters = most->whole(0, INT32_MAX);
  }
  read_unknown(model, read_vocab(model.get("vocab"), out), out);
}

void read_wordlevel(const JsonField& model, Vocabulary& out) {
  out.model = TokenizerModel::wordlevel;
  read_unknown(model, read_vocab(model.get("vocab"), out), out);
}

/// [["token", score], ...]
void read_unigram(const JsonField& model, Vocabulary& out) {
  out.model = TokenizerModel::unigram;
  out.byte_fallback = model.flag_or("byte_fallback", false);
  const JsonField vocab = model.get("vocab");
  const size_t count = vocab.array_size();
  if (count > static_cast<size_t>(kMostTokens)) {
    throw Error(Kind::input, "{}: {} tokens, expected {} at most", vocab.where(), count, kMostTokens);
  }
  out.tokens.resize(count);
  for (size_t i = 0; i < count; ++i) {
    const JsonField row = vocab.at(i);
    if (row.array_size() != 2) {
      throw Error(Kind::input, "{}: found {} elements, expected a token and its score", row.where(), row.array_size());
    }
    out.tokens[i] = {.text = row.at(0).text(), .score = row.at(1).number()};
  }
  if (const auto unknown = model.find("unk_id")) {
    out.unknown = read_id(*unknown);
  }
}

/// The model's type; very old files do not say it.
std::string model_type(const JsonField& model) {
  if (const auto type = model.find("type")) {
    return type->text();
  }
  if (model.find("merges")) {
    return "BPE";
  }
  if (model.get("vocab").value().is_array()) {
    return "Unigram";
  }
  return model.find("continuing_subword_prefix") ? "WordPiece" : "WordLevel";
}

void read_model(const JsonField& model, Vocabulary& out) {
  struct Row {
    std::string_view type;
    void (*read)(const JsonField& model, Vocabulary& out);
  };
  static constexpr std::array<Row, 4> kModels = {
      {{"BPE", read_bpe}, {"Unigram", read_unigram}, {"WordPiece", read_wordpiece}, {"WordLevel", read_wordlevel}}};
  const std::string type = model_type(model);
  const auto* row = std::ranges::find(kModels, type, &Row::type);
  if (row == kModels.end()) {
    throw Error(Kind::unsupported, "{}: terse does not know the type '{}'", model.where(), type);
  }
  row->read(model, out);
}

Vocabulary::AddedToken read_added_token(const JsonField& field) {
  return {.id = read_id(field.get("id")),
          .content = field.text("content"),
          .single_word = field.flag_or("single_word", false),
          .lstrip = field.flag_or("lstrip", false),
          .rstrip = field.flag_or("rstrip", false),
          .normalized = field.flag_or("normalized", true),
          .special = field.flag_or("special", false)};
}

/// An added token may be one of the model's too, with the same id.
void read_added_tokens(const JsonField& field, Vocabulary& out) {
  std::unordered_map<std::string_view, int32_t> known;
  for (size_t id = 0; id < out.tokens.size(); ++id) {
    known.insert_or_assign(out.tokens[id].text, static_cast<int32_t>(id));
  }
  for (size_t i = 0; i < field.array_size(); ++i) {
    auto token = read_added_token(field.at(i));
    if (token.content.empty()) {
      continue;
    }
    if (const auto found = known.find(token.content); found != known.end() && found->second != token.id) {
      throw Error(Kind::input, "{}: '{}' has id {}, but id {} in the vocabulary", field.at(i).where(), token.content,
                  token.id, found->second);
    }
    const auto same = std::ranges::find(out.added, token.id, &Vocabulary::AddedToken::id);
    if (same != out.added.end()) {
      throw Error(Kind::input, "{}: id {} belongs to '{}' and to '{}'", field.at(i).where(), token.id, same->content,
                  token.content);
    }
    out.added.push_back(std::move(token));
  }
}

void read_truncation(const JsonField& field, Vocabulary& out) {
  const std::string direction = field.text_or("direction", "Right");
  out.truncation = {
      .max_length = field.get("max_length").whole(0, INT64_MAX),
      .side = direction == "Left" ? Vocabulary::Truncation::Side::left : Vocabulary::Truncation::Side::right};
}

}  // namespace

Vocabulary read_tokenizer_json(std::string_view text) {
  const nlohmann::json document = parse_json(text);
  const JsonField root(document, "");
  Vocabulary out;
  read_model(root.get("model"), out);
  if (const auto field = root.find("added_tokens")) {
    read_added_tokens(*field, out);
  }
  if (const auto field = root.find("normalizer")) {
    read_normalizer(*field, out.normalizers);
  }
  if (const auto field = root.find("pre_tokenizer")) {
    read_pre_tokenizer(*field, out.pre_tokenizers);
  }
  if (const auto field = root.find("decoder")) {
    read_decoder(*field, out.decoders);
  }
  if (const auto field = root.find("post_processor")) {
    read_post_processor(*field, out);
  }
  if (const auto field = root.find("truncation")) {
    read_truncation(*field, out);
  }
  validate(out);
  return out;
}

}  // namespace terse
