#include "calibration/tokenizers/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "calibration/tokenizers/added_tokens.h"
#include "calibration/tokenizers/decoders.h"
#include "calibration/tokenizers/normalizers.h"
#include "calibration/tokenizers/pre_tokenizers.h"
#include "calibration/tokenizers/sentencepiece_decoder.h"
#include "calibration/tokenizers/token_model.h"
#include "calibration/tokenizers/token_table.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"
#include "formats/utf8.h"

namespace terse::calibration {
namespace {

using Normalizers = std::vector<std::unique_ptr<const NormalizerStep>>;
using PreTokenizers = std::vector<std::unique_ptr<const PreTokenizerStep>>;

Normalizers make_normalizers(const Vocabulary& vocabulary) {
  Normalizers steps;
  for (const Normalizer& normalizer : vocabulary.normalizers) {
    steps.push_back(make_normalizer(normalizer, vocabulary));
  }
  return steps;
}

/// A byte-level BPE, which is what most language models have, takes bytes without the detour through GPT-2's alphabet.
PieceUnit unit_of(const Vocabulary& vocabulary) {
  const bool bytes = vocabulary.model == TokenizerModel::bpe && !vocabulary.pre_tokenizers.empty() &&
                     std::holds_alternative<pre_tokenizers::ByteLevel>(vocabulary.pre_tokenizers.back()) &&
                     std::ranges::count_if(vocabulary.pre_tokenizers,
                                           [](const PreTokenizer& it) {
                                             return std::holds_alternative<pre_tokenizers::ByteLevel>(it);
                                           }) == 1 &&
                     vocabulary.continuing_subword_prefix.empty() && vocabulary.end_of_word_suffix.empty() &&
                     !vocabulary.byte_fallback;
  return bytes ? PieceUnit::bytes : PieceUnit::characters;
}

PreTokenizers make_pre_tokenizers(const Vocabulary& vocabulary) {
  PreTokenizers steps;
  for (const PreTokenizer& it : vocabulary.pre_tokenizers) {
    const auto* byte_level = std::get_if<pre_tokenizers::ByteLevel>(&it);
    steps.push_back(byte_level != nullptr && unit_of(vocabulary) == PieceUnit::bytes ? make_byte_level(*byte_level)
                                                                                     : make_pre_tokenizer(it));
  }
  return steps;
}

std::unique_ptr<const TokenModel> make_model(const Vocabulary& vocabulary) {
  switch (vocabulary.model) {
    case TokenizerModel::bpe:
      return make_bpe(vocabulary, unit_of(vocabulary));
    case TokenizerModel::wordpiece:
      return make_wordpiece(vocabulary);
    case TokenizerModel::wordlevel:
      return make_wordlevel(vocabulary);
    case TokenizerModel::unigram:
    case TokenizerModel::sentencepiece_unigram:
      return make_unigram(vocabulary);
    case TokenizerModel::sentencepiece_bpe:
      return make_sentencepiece_bpe(vocabulary);
  }
  throw Error(Kind::internal, "a tokenizer's model without a row");
}

void normalize(const Normalizers& steps, NormalizedText& text) {
  for (const auto& step : steps) {
    step->apply(text);
  }
}

/// Added tokens that are looked for in the text as given, or in the normalized one, as they then look.
AddedTokens make_added(const Vocabulary& vocabulary, bool normalized, const Normalizers& steps) {
  std::vector<AddedTokens::Entry> entries;
  for (const Vocabulary::AddedToken& token : vocabulary.added) {
    if (token.normalized == normalized) {
      NormalizedText text{.bytes = token.content};
      if (normalized) {
        normalize(steps, text);
      }
      entries.push_back({&token, std::move(text.bytes)});
    }
  }
  return AddedTokens(entries);
}

std::vector<std::unique_ptr<const DecoderStep>> make_decoders(const Vocabulary& vocabulary) {
  std::vector<std::unique_ptr<const DecoderStep>> steps;
  steps.reserve(vocabulary.decoders.size());
  for (const Decoder& decoder : vocabulary.decoders) {
    steps.push_back(make_decoder(decoder));
  }
  return steps;
}

/// What an added token looks like in a text.
struct AddedText {
  std::string text;
  bool hidden = false;  ///< unless special tokens are asked for
};

std::unordered_map<int32_t, AddedText> make_added_texts(const Vocabulary& vocabulary, const Normalizers& steps) {
  std::unordered_map<int32_t, AddedText> texts;
  for (const Vocabulary::AddedToken& token : vocabulary.added) {
    NormalizedText text{.bytes = token.content};
    if (token.normalized) {
      normalize(steps, text);
    }
    const bool hidden = token.special && text.bytes == token.content;
    texts.insert_or_assign(token.id, AddedText{std::move(text.bytes), hidden});
  }
  return texts;
}

bool is_sentencepiece(TokenizerModel model) {
  return model == TokenizerModel::sentencepiece_bpe || model == TokenizerModel::sentencepiece_unigram;
}

TokenTable make_names(const Vocabulary& vocabulary) {
  TokenTable names(vocabulary.tokens.size() + vocabulary.added.size());
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    names.insert(vocabulary.tokens[id].text, static_cast<int32_t>(id));
  }
  for (const Vocabulary::AddedToken& token : vocabulary.added) {
    names.insert(token.content, token.id);
  }
  return names;
}

}  // namespace

struct Tokenizer::Parts {
  explicit Parts(Vocabulary description)
      : vocabulary(std::move(description)),
        normalizers(make_normalizers(vocabulary)),
        pre_tokenizers(make_pre_tokenizers(vocabulary)),
        model(make_model(vocabulary)),
        added(make_added(vocabulary, false, normalizers)),
        added_normalized(make_added(vocabulary, true, normalizers)),
        added_texts(make_added_texts(vocabulary, normalizers)),
        decoders(make_decoders(vocabulary)),
        names(make_names(vocabulary)) {}

  void encode_text(std::string_view text, bool starts, std::vector<int32_t>& out) const;
  void encode_piece(Pieces pieces, std::vector<int32_t>& out) const;
  void truncate(size_t around, std::vector<int32_t>& ids) const;

  Vocabulary vocabulary;
  Normalizers normalizers;
  PreTokenizers pre_tokenizers;
  std::unique_ptr<const TokenModel> model;
  AddedTokens added, added_normalized;
  std::unordered_map<int32_t, AddedText> added_texts;
  std::vector<std::unique_ptr<const DecoderStep>> decoders;
  TokenTable names;
};

/// What is between two added tokens of the text as given.
void Tokenizer::Parts::encode_text(std::string_view text, bool starts, std::vector<int32_t>& out) const {
  NormalizedText normalized{.bytes = std::string(text), .starts = starts};
  normalize(normalizers, normalized);
  for (const AddedTokens::Part& part : added_normalized.split(normalized.bytes)) {
    if (part.id != AddedTokens::Part::kText) {
      out.push_back(part.id);
    } else {
      const size_t length = part.span.end - part.span.begin;
      encode_piece({.text = normalized.bytes.substr(part.span.begin, length),
                    .spans = {{0, length}},
                    .starts = normalized.starts && part.span.begin == 0},
                   out);
    }
  }
}

void Tokenizer::Parts::encode_piece(Pieces pieces, std::vector<int32_t>& out) const {
  for (const auto& step : pre_tokenizers) {
    step->apply(pieces);
  }
  model->encode(pieces, out);
}

/// Leaves room for `around` special tokens.
void Tokenizer::Parts::truncate(size_t around, std::vector<int32_t>& ids) const {
  const auto most = static_cast<size_t>(vocabulary.truncation->max_length);
  const size_t kept = std::min(ids.size(), most - std::min(most, around));
  if (vocabulary.truncation->side == Vocabulary::Truncation::Side::right) {
    ids.resize(kept);
  } else {
    ids.erase(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(kept));
  }
}

Tokenizer::Tokenizer(Vocabulary vocabulary) : parts_(std::make_unique<const Parts>(std::move(vocabulary))) {}

Tokenizer::~Tokenizer() = default;

std::vector<int32_t> Tokenizer::encode(std::string_view text, const EncodeOptions& options) const {
  if (!is_utf8(text)) {
    return encode(utf8::repaired(text), options);
  }
  const bool special = options.special_tokens == SpecialTokens::add;
  std::vector<int32_t> ids;
  ids.reserve(text.size() / 3 + 8);
  if (special) {
    ids.assign(prefix().begin(), prefix().end());
  }
  std::vector<int32_t> inner;
  std::vector<int32_t>& out = options.truncation == Truncation::as_saved && parts_->vocabulary.truncation ? inner : ids;
  for (const AddedTokens::Part& part : parts_->added.split(text)) {
    if (part.id != AddedTokens::Part::kText) {
      out.push_back(part.id);
    } else {
      parts_->encode_text(text.substr(part.span.begin, part.span.end - part.span.begin), part.span.begin == 0, out);
    }
  }
  if (&out == &inner) {
    parts_->truncate(special ? prefix().size() + suffix().size() : 0, inner);
    ids.insert(ids.end(), inner.begin(), inner.end());
  }
  if (special) {
    ids.insert(ids.end(), suffix().begin(), suffix().end());
  }
  return ids;
}

std::string Tokenizer::decode(std::span<const int32_t> ids, SpecialTokens special_tokens) const {
  if (is_sentencepiece(parts_->vocabulary.model)) {
    return decode_sentencepiece(parts_->vocabulary, ids, special_tokens);
  }
  std::vector<std::string> texts;
  for (const int32_t id : ids) {
    const auto added = parts_->added_texts.find(id);
    if (added != parts_->added_texts.end()) {
      if (!added->second.hidden || special_tokens == SpecialTokens::add) {
        texts.push_back(added->second.text);
      }
    } else if (id >= 0 && static_cast<size_t>(id) < parts_->vocabulary.tokens.size()) {
      texts.push_back(parts_->vocabulary.tokens[static_cast<size_t>(id)].text);
    }
  }
  for (const auto& step : parts_->decoders) {
    step->apply(texts);
  }
  return fmt::format("{}", fmt::join(texts, parts_->decoders.empty() ? " " : ""));
}

std::span<const int32_t> Tokenizer::prefix() const { return parts_->vocabulary.prefix; }
std::span<const int32_t> Tokenizer::suffix() const { return parts_->vocabulary.suffix; }

int64_t Tokenizer::size() const {
  auto size = static_cast<int64_t>(parts_->vocabulary.tokens.size());
  for (const Vocabulary::AddedToken& token : parts_->vocabulary.added) {
    size = std::max(size, int64_t{token.id} + 1);
  }
  return size;
}

std::optional<int32_t> Tokenizer::find(std::string_view token) const {
  const int32_t id = parts_->names.find(token);
  return id == TokenTable::kAbsent ? std::nullopt : std::optional(id);
}

std::unique_ptr<const Tokenizer> open_tokenizer(const std::filesystem::path& path) {
  Vocabulary vocabulary = read_vocabulary(path);
  return with_context(path.string(), [&] { return std::make_unique<const Tokenizer>(std::move(vocabulary)); });
}

}  // namespace terse::calibration
