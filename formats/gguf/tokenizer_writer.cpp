#include "formats/gguf/tokenizer_writer.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "formats/gguf/llama_scores.h"
#include "formats/gguf/pre_tokenizers.h"
#include "formats/gguf/special_tokens.h"
#include "formats/gguf/stripping.h"
#include "formats/gguf/token_list.h"
#include "formats/gguf/tokenizer_keys.h"
#include "formats/gguf/tokenizer_source.h"
#include "formats/text_settings.h"

namespace terse::gguf {
namespace {

constexpr std::string_view kSpace = "\u2581";

void set_model(std::string_view model, std::string_view pre, Metadata& metadata) {
  metadata.set(kTokenizerModelKey, std::string(model));
  metadata.set(kPreTokenizerKey, std::string(pre));
}

void set_merges(const Vocabulary& vocabulary, Metadata& metadata) {
  std::vector<std::string> merges;
  merges.reserve(vocabulary.merges.size());
  const auto text = [&](int32_t id) -> const std::string& { return vocabulary.tokens[static_cast<size_t>(id)].text; };
  for (const Vocabulary::Merge& merge : vocabulary.merges) {
    merges.push_back(fmt::format("{} {}", text(merge.left), text(merge.right)));
  }
  metadata.set(kMergesKey, MetadataArray{std::move(merges)});
}

[[noreturn]] void refuse_without_bytes() {
  throw Error(
      Kind::unsupported,
      "a BPE of characters with no tokens for bytes, without which llama.cpp breaks down at the first unknown one");
}

void write_byte_level(const Vocabulary& vocabulary, TokenList tokens, Metadata& metadata) {
  if (!vocabulary.continuing_subword_prefix.empty() || !vocabulary.end_of_word_suffix.empty()) {
    throw Error(Kind::unsupported,
                "the tokenizer marks parts of words with '{}', which GGUF cannot say, expected a byte-level BPE",
                vocabulary.continuing_subword_prefix + vocabulary.end_of_word_suffix);
  }
  if (std::ranges::none_of(vocabulary.pre_tokenizers, [](const PreTokenizer& it) {
        return std::holds_alternative<pre_tokenizers::ByteLevel>(it);
      })) {
    refuse_without_bytes();
  }
  set_model("gpt2", find_pre_tokenizer_name(vocabulary), metadata);
  set_tokens(std::move(tokens), metadata);
  const auto* first = std::get_if<pre_tokenizers::ByteLevel>(&vocabulary.pre_tokenizers.front());
  if (first != nullptr && first->add_prefix_space) {
    metadata.set(kSpacePrefixKey, true);
  }
  set_merges(vocabulary, metadata);
}

/// How a BPE of tokens with U+2581 for spaces treats texts before it: nothing else is known to llama.cpp.
bool adds_space_prefix(const Vocabulary& vocabulary) {
  bool prefix = false, replaces = false;
  const auto refuse = [] {
    throw Error(
        Kind::unsupported,
        "the tokenizer changes texts in other ways than SentencePiece's, which GGUF cannot say, expected spaces "
        "to become U+2581 and no more");
  };
  for (const Normalizer& normalizer : vocabulary.normalizers) {
    const auto* replace = std::get_if<normalizers::Replace>(&normalizer);
    const auto* prepend = std::get_if<normalizers::Prepend>(&normalizer);
    if (prepend != nullptr && prepend->text == kSpace) {
      prefix = true;
    } else if (replace != nullptr && replace->pattern.text == " " && replace->content == kSpace) {
      replaces = true;
    } else {
      refuse();
    }
  }
  for (const PreTokenizer& step : vocabulary.pre_tokenizers) {
    const auto* metaspace = std::get_if<pre_tokenizers::Metaspace>(&step);
    const auto* split = std::get_if<pre_tokenizers::Split>(&step);
    if (metaspace != nullptr && metaspace->replacement == kSpace) {
      prefix = prefix || metaspace->prepend != pre_tokenizers::Metaspace::Prepend::never;
      replaces = true;
    } else if (split == nullptr || split->pattern.text != " " || !replaces) {  // there are no spaces any more
      refuse();
    }
  }
  return prefix;
}

/// llama.cpp's `llama` merges by score. Merges by rank that scores cannot stand for are written as such if the way in
/// which texts are cut has a name; else they stand beside scores that come near, and llama.cpp does not look at them.
void write_character_bpe(const Vocabulary& vocabulary, TokenList tokens, Metadata& metadata) {
  const bool prefix = adds_space_prefix(vocabulary);
  const MergeScores merging = scores_of_merges(vocabulary);
  if (!merging.exact && !prefix) {
    set_model("gpt2", vocabulary.prefix.empty() ? "sarvam-moe" : "gemma4", metadata);
    set_tokens(std::move(tokens), metadata);
    set_merges(vocabulary, metadata);
    return;
  }
  tokens.set_scores(merging.scores);
  set_model("llama", "default", metadata);
  set_scored_tokens(std::move(tokens), metadata);
  metadata.set(kSpacePrefixKey, prefix);
  if (!merging.exact) {
    set_merges(vocabulary, metadata);
  }
}

void set_normalizer(const normalizers::SentencePiece& normalizer, Metadata& metadata) {
  if (normalizer.whitespace_as_suffix) {
    throw Error(Kind::unsupported, "the tokenizer puts spaces behind words, which GGUF cannot say");
  }
  metadata.set(kSpacePrefixKey, normalizer.add_dummy_prefix);
  metadata.set(kExtraWhitespacesKey, normalizer.remove_extra_whitespaces);
  if (!normalizer.charsmap.empty()) {
    metadata.set(kCharsmapKey,
                 MetadataArray{std::vector<uint8_t>(normalizer.charsmap.begin(), normalizer.charsmap.end())});
  }
}

void write_sentencepiece(const Vocabulary& vocabulary, TokenList tokens, Metadata& metadata) {
  const bool is_bpe = vocabulary.model == TokenizerModel::sentencepiece_bpe;
  if (is_bpe && !vocabulary.byte_fallback) {
    refuse_without_bytes();
  }
  set_model(is_bpe ? "llama" : "t5", "default", metadata);
  set_scored_tokens(std::move(tokens), metadata);
  set_normalizer(std::get<normalizers::SentencePiece>(vocabulary.normalizers.front()), metadata);
}

/// SentencePiece's normalizer for the parts of a tokenizer.json that mean the same.
normalizers::SentencePiece joined_normalizer(const Vocabulary& vocabulary) {
  normalizers::SentencePiece out{.add_dummy_prefix = false, .remove_extra_whitespaces = false};
  const auto refuse = [](std::string_view part) {
    throw Error(Kind::unsupported, "the tokenizer's {} is none of SentencePiece's, which is all that GGUF can say",
                part);
  };
  for (const Normalizer& normalizer : vocabulary.normalizers) {
    const auto* replace = std::get_if<normalizers::Replace>(&normalizer);
    if (const auto* charsmap = std::get_if<normalizers::Precompiled>(&normalizer)) {
      out.charsmap = charsmap->charsmap;
    } else if (replace != nullptr && replace->pattern.text == " {2,}") {
      out.remove_extra_whitespaces = true;
    } else if (!std::holds_alternative<normalizers::Strip>(normalizer)) {
      refuse("normalizer");
    }
  }
  for (const PreTokenizer& step : vocabulary.pre_tokenizers) {
    if (const auto* metaspace = std::get_if<pre_tokenizers::Metaspace>(&step)) {
      out.add_dummy_prefix = metaspace->prepend != pre_tokenizers::Metaspace::Prepend::never;
    } else if (std::holds_alternative<pre_tokenizers::WhitespaceSplit>(step)) {
      out.remove_extra_whitespaces = true;
    } else {
      refuse("pre-tokenizer");
    }
  }
  return out;
}

void write_unigram(const Vocabulary& vocabulary, TokenList tokens, Metadata& metadata) {
  const normalizers::SentencePiece normalizer = joined_normalizer(vocabulary);
  set_model("t5", "default", metadata);
  set_scored_tokens(std::move(tokens), metadata);
  set_normalizer(normalizer, metadata);
}

const normalizers::Bert& bert_normalizer(const Vocabulary& vocabulary) {
  const auto* bert =
      vocabulary.normalizers.size() == 1 ? std::get_if<normalizers::Bert>(&vocabulary.normalizers.front()) : nullptr;
  const bool is_bert = vocabulary.pre_tokenizers.size() == 1 &&
                       std::holds_alternative<pre_tokenizers::Bert>(vocabulary.pre_tokenizers.front());
  if (bert == nullptr || !bert->clean_text || !bert->handle_chinese_chars || !is_bert ||
      vocabulary.continuing_subword_prefix != "##") {
    throw Error(Kind::unsupported,
                "a WordPiece tokenizer of another kind than BERT's (which removes control characters, sets Chinese "
                "characters apart and marks what continues a word with '##'), which GGUF cannot say");
  }
  if (vocabulary.prefix.size() != 1 || vocabulary.suffix.size() != 1) {
    throw Error(Kind::unsupported,
                "the tokenizer puts {} tokens in front of a text and {} behind it, expected one each: llama.cpp adds "
                "[CLS] and [SEP] always",
                vocabulary.prefix.size(), vocabulary.suffix.size());
  }
  return *bert;
}

void write_wordpiece(const Vocabulary& vocabulary, TokenList tokens, Metadata& metadata) {
  const normalizers::Bert& bert = bert_normalizer(vocabulary);
  set_model("bert", "default", metadata);
  tokens.mark_words();
  set_tokens(std::move(tokens), metadata);
  metadata.set(kLowercaseKey, bert.lowercase);
  if (bert.strip_accents != bert.lowercase) {  // which is what llama.cpp takes else
    metadata.set(kStripAccentsKey, bert.strip_accents);
  }
}

void write_model(const Vocabulary& vocabulary, TokenList tokens, Metadata& metadata) {
  switch (vocabulary.model) {
    case TokenizerModel::bpe:
      return vocabulary.byte_fallback ? write_character_bpe(vocabulary, std::move(tokens), metadata)
                                      : write_byte_level(vocabulary, std::move(tokens), metadata);
    case TokenizerModel::unigram:
      return write_unigram(vocabulary, std::move(tokens), metadata);
    case TokenizerModel::wordpiece:
      return write_wordpiece(vocabulary, std::move(tokens), metadata);
    case TokenizerModel::sentencepiece_bpe:
    case TokenizerModel::sentencepiece_unigram:
      return write_sentencepiece(vocabulary, std::move(tokens), metadata);
    case TokenizerModel::wordlevel:
      throw Error(Kind::unsupported, "a tokenizer of whole words, which GGUF has no model for");
  }
}

}  // namespace

std::vector<std::string> write_tokenizer(const std::filesystem::path& folder, const JsonField& config,
                                         int64_t vocabulary_size, Metadata& metadata) {
  if (!terse::has_tokenizer(folder)) {
    metadata.set(kTokenizerModelKey, std::string("none"));
    return {};
  }
  const Vocabulary vocabulary = read_source(folder);
  return with_context(folder.string(), [&] {
    const std::array folders = {folder};
    const TextSettings settings = terse::read_text_settings(folders);
    write_model(vocabulary, TokenList(vocabulary, vocabulary_size), metadata);
    set_special_tokens(vocabulary, settings, config, vocabulary_size, metadata);
    if (vocabulary.model == TokenizerModel::wordpiece) {  // rows of the table of segments
      const auto types = config.find("type_vocab_size");
      metadata.set(kTokenTypeCountKey, static_cast<uint32_t>(types ? types->whole(0, UINT16_MAX) : 1));
    }
    if (!settings.chat_template.empty()) {
      metadata.set(kChatTemplateKey, settings.chat_template);
    }
    avoid_missing_tokens(metadata);
    return stripping_notes(vocabulary, metadata);
  });
}

}  // namespace terse::gguf
