#include "formats/tokenizer_json_writer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/base64.h"
#include "formats/error.h"

namespace terse {
namespace {

using Json = nlohmann::json;

[[noreturn]] void refuse(std::string_view part) {
  throw Error(Kind::unsupported, "tokenizer.json has no form for {}", part);
}

Json pattern_json(const TextPattern& pattern) {
  return {{pattern.kind == TextPattern::Kind::regex ? "Regex" : "String", pattern.text}};
}

std::string_view behavior_name(SplitBehavior behavior) {
  constexpr std::array<std::string_view, 5> kNames = {"Removed", "Isolated", "MergedWithPrevious", "MergedWithNext",
                                                      "Contiguous"};
  return kNames.at(static_cast<size_t>(behavior));
}

std::string_view scheme_name(pre_tokenizers::Metaspace::Prepend prepend) {
  constexpr std::array<std::string_view, 3> kNames = {"first", "never", "always"};
  return kNames.at(static_cast<size_t>(prepend));
}

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

struct NormalizerJson {
  Json operator()(const normalizers::Unicode& it) const {
    constexpr std::array<std::string_view, 4> kNames = {"NFC", "NFD", "NFKC", "NFKD"};
    return {{"type", kNames.at(static_cast<size_t>(it.form))}};
  }
  Json operator()(const normalizers::Lowercase&) const { return {{"type", "Lowercase"}}; }
  Json operator()(const normalizers::StripAccents&) const { return {{"type", "StripAccents"}}; }
  Json operator()(const normalizers::Strip& it) const {
    return {{"type", "Strip"}, {"strip_left", it.left}, {"strip_right", it.right}};
  }
  Json operator()(const normalizers::Bert& it) const {
    return {{"type", "BertNormalizer"},
            {"clean_text", it.clean_text},
            {"handle_chinese_chars", it.handle_chinese_chars},
            {"strip_accents", it.strip_accents},
            {"lowercase", it.lowercase}};
  }
  Json operator()(const normalizers::Prepend& it) const { return {{"type", "Prepend"}, {"prepend", it.text}}; }
  Json operator()(const normalizers::Replace& it) const {
    return {{"type", "Replace"}, {"pattern", pattern_json(it.pattern)}, {"content", it.content}};
  }
  Json operator()(const normalizers::Precompiled& it) const {
    return {{"type", "Precompiled"}, {"precompiled_charsmap", encode_base64(it.charsmap)}};
  }
  Json operator()(const normalizers::Nmt&) const { return {{"type", "Nmt"}}; }
  Json operator()(const normalizers::ByteLevel&) const { return {{"type", "ByteLevel"}}; }
  Json operator()(const normalizers::SentencePiece&) const { refuse("SentencePiece's normalizer"); }
};

struct PreTokenizerJson {
  Json operator()(const pre_tokenizers::ByteLevel& it) const { return byte_level(it.add_prefix_space, it.use_regex); }
  Json operator()(const pre_tokenizers::Split& it) const {
    return {{"type", "Split"},
            {"pattern", pattern_json(it.pattern)},
            {"behavior", behavior_name(it.behavior)},
            {"invert", it.invert}};
  }
  Json operator()(const pre_tokenizers::Digits& it) const {
    return {{"type", "Digits"}, {"individual_digits", it.individual}};
  }
  Json operator()(const pre_tokenizers::Whitespace&) const { return {{"type", "Whitespace"}}; }
  Json operator()(const pre_tokenizers::WhitespaceSplit&) const { return {{"type", "WhitespaceSplit"}}; }
  Json operator()(const pre_tokenizers::Bert&) const { return {{"type", "BertPreTokenizer"}}; }
  Json operator()(const pre_tokenizers::Metaspace& it) const {
    return {{"type", "Metaspace"},
            {"replacement", it.replacement},
            {"prepend_scheme", scheme_name(it.prepend)},
            {"split", it.split}};
  }
  Json operator()(const pre_tokenizers::Punctuation& it) const {
    return {{"type", "Punctuation"}, {"behavior", behavior_name(it.behavior)}};
  }
  Json operator()(const pre_tokenizers::FixedLength& it) const {
    return {{"type", "FixedLength"}, {"length", it.length}};
  }
};

struct DecoderJson {
  Json operator()(const decoders::ByteLevel&) const { return byte_level(true, true); }
  Json operator()(const decoders::ByteFallback&) const { return {{"type", "ByteFallback"}}; }
  Json operator()(const decoders::Fuse&) const { return {{"type", "Fuse"}}; }
  Json operator()(const decoders::Metaspace& it) const {
    return {{"type", "Metaspace"},
            {"replacement", it.replacement},
            {"prepend_scheme", it.strip_first ? "always" : "never"},
            {"split", true}};
  }
  Json operator()(const decoders::WordPiece& it) const {
    return {{"type", "WordPiece"}, {"prefix", it.prefix}, {"cleanup", it.cleanup}};
  }
  Json operator()(const decoders::Strip& it) const {
    return {{"type", "Strip"}, {"content", it.content}, {"start", it.start}, {"stop", it.stop}};
  }
  Json operator()(const decoders::Replace& it) const {
    return {{"type", "Replace"}, {"pattern", pattern_json(it.pattern)}, {"content", it.content}};
  }
  Json operator()(const decoders::Bpe& it) const { return {{"type", "BPEDecoder"}, {"suffix", it.suffix}}; }
  Json operator()(const decoders::Unsupported& it) const { refuse(fmt::format("the decoder '{}'", it.name)); }
};

/// One part as it is, several as a sequence, none as null.
template <typename Writer, typename Part>
Json sequence_json(const std::vector<Part>& parts, std::string_view parts_name) {
  Json all = Json::array();
  for (const Part& part : parts) {
    all.push_back(std::visit(Writer{}, part));
  }
  if (all.size() < 2) {
    return all.empty() ? Json() : all[0];
  }
  return {{"type", "Sequence"}, {parts_name, std::move(all)}};
}

const std::string& text_of(const Vocabulary& vocabulary, int32_t id) {
  const auto index = static_cast<size_t>(id);
  if (index < vocabulary.tokens.size() && !vocabulary.tokens[index].text.empty()) {
    return vocabulary.tokens[index].text;
  }
  const auto found = std::ranges::find(vocabulary.added, id, &Vocabulary::AddedToken::id);
  if (found == vocabulary.added.end()) {
    throw Error(Kind::input, "id {} is used, but has no token", id);
  }
  return found->content;
}

/// {"token": id, ...}. Of equal texts the last one counts.
Json vocab_json(const Vocabulary& vocabulary) {
  Json vocab = Json::object();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    if (!vocabulary.tokens[id].text.empty()) {
      vocab[vocabulary.tokens[id].text] = id;
    }
  }
  return vocab;
}

Json unknown_json(const Vocabulary& vocabulary) {
  return vocabulary.unknown ? Json(text_of(vocabulary, *vocabulary.unknown)) : Json();
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json bpe_json(const Vocabulary& vocabulary) {
  Json merges = Json::array();
  for (const Vocabulary::Merge& merge : vocabulary.merges) {
    merges.push_back(Json::array({text_of(vocabulary, merge.left), text_of(vocabulary, merge.right)}));
  }
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", unknown_json(vocabulary)},
          {"continuing_subword_prefix", text_or_null(vocabulary.continuing_subword_prefix)},
          {"end_of_word_suffix", text_or_null(vocabulary.end_of_word_suffix)},
          {"fuse_unk", vocabulary.fuse_unknown},
          {"byte_fallback", vocabulary.byte_fallback},
          {"ignore_merges", vocabulary.ignore_merges},
          {"vocab", vocab_json(vocabulary)},
          {"merges", std::move(merges)}};
}

Json unigram_json(const Vocabulary& vocabulary) {
  Json vocab = Json::array();
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    const Vocabulary::Token& token = vocabulary.tokens[id];
    vocab.push_back(Json::array({token.text.empty() ? fmt::format("[PAD{}]", id) : token.text, token.score}));
  }
  return {{"type", "Unigram"},
          {"unk_id", vocabulary.unknown ? Json(*vocabulary.unknown) : Json()},
          {"vocab", std::move(vocab)},
          {"byte_fallback", vocabulary.byte_fallback}};
}

Json wordpiece_json(const Vocabulary& vocabulary) {
  return {{"type", "WordPiece"},
          {"unk_token", unknown_json(vocabulary)},
          {"continuing_subword_prefix", vocabulary.continuing_subword_prefix},
          {"max_input_chars_per_word", vocabulary.max_word_characters},
          {"vocab", vocab_json(vocabulary)}};
}

Json model_json(const Vocabulary& vocabulary) {
  switch (vocabulary.model) {
    case TokenizerModel::bpe:
      return bpe_json(vocabulary);
    case TokenizerModel::unigram:
      return unigram_json(vocabulary);
    case TokenizerModel::wordpiece:
      return wordpiece_json(vocabulary);
    case TokenizerModel::wordlevel:
      return {{"type", "WordLevel"}, {"vocab", vocab_json(vocabulary)}, {"unk_token", unknown_json(vocabulary)}};
    case TokenizerModel::sentencepiece_bpe:
    case TokenizerModel::sentencepiece_unigram:
      break;
  }
  refuse("SentencePiece's models");
}

Json added_json(const Vocabulary& vocabulary) {
  Json all = Json::array();
  for (const Vocabulary::AddedToken& token : vocabulary.added) {
    all.push_back({{"id", token.id},
                   {"content", token.content},
                   {"single_word", token.single_word},
                   {"lstrip", token.lstrip},
                   {"rstrip", token.rstrip},
                   {"normalized", token.normalized},
                   {"special", token.special}});
  }
  return all;
}

/// A text with its special tokens; two texts are each surrounded like one.
Json post_processor_json(const Vocabulary& vocabulary) {
  if (vocabulary.prefix.empty() && vocabulary.suffix.empty()) {
    return {};
  }
  Json single = Json::array(), pair = Json::array(), specials = Json::object();
  const auto add_special = [&](Json& out, int32_t id, int type) {
    const std::string& text = text_of(vocabulary, id);
    out.push_back({{"SpecialToken", {{"id", text}, {"type_id", type}}}});
    specials[text] = {{"id", text}, {"ids", Json::array({id})}, {"tokens", Json::array({text})}};
  };
  const auto add_text = [&](Json& out, std::string_view name, int type) {
    for (const int32_t id : vocabulary.prefix) {
      add_special(out, id, type);
    }
    out.push_back({{"Sequence", {{"id", name}, {"type_id", type}}}});
    for (const int32_t id : vocabulary.suffix) {
      add_special(out, id, type);
    }
  };
  add_text(single, "A", 0);
  add_text(pair, "A", 0);
  add_text(pair, "B", 1);
  return {{"type", "TemplateProcessing"},
          {"single", std::move(single)},
          {"pair", std::move(pair)},
          {"special_tokens", std::move(specials)}};
}

Json truncation_json(const Vocabulary& vocabulary) {
  if (!vocabulary.truncation) {
    return {};
  }
  const bool is_left = vocabulary.truncation->side == Vocabulary::Truncation::Side::left;
  return {{"direction", is_left ? "Left" : "Right"},
          {"max_length", vocabulary.truncation->max_length},
          {"strategy", "LongestFirst"},
          {"stride", 0}};
}

}  // namespace

std::string write_tokenizer_json(const Vocabulary& vocabulary) {
  const Json document = {{"version", "1.0"},
                         {"truncation", truncation_json(vocabulary)},
                         {"padding", nullptr},
                         {"added_tokens", added_json(vocabulary)},
                         {"normalizer", sequence_json<NormalizerJson>(vocabulary.normalizers, "normalizers")},
                         {"pre_tokenizer", sequence_json<PreTokenizerJson>(vocabulary.pre_tokenizers, "pretokenizers")},
                         {"post_processor", post_processor_json(vocabulary)},
                         {"decoder", sequence_json<DecoderJson>(vocabulary.decoders, "decoders")},
                         {"model", model_json(vocabulary)}};
  return document.dump() + "\n";
}

}  // namespace terse
