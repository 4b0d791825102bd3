#include "formats/gguf/tokenizer_reader.h"

#include <algorithm>
#include <array>
#include <unordered_map>

#include "formats/error.h"
#include "formats/gguf/pre_tokenizers.h"
#include "formats/gguf/stripping.h"
#include "formats/gguf/token_arrays.h"
#include "formats/gguf/tokenizer_keys.h"
#include "formats/huggingface_form.h"

namespace terse::gguf {
namespace {

using Token = Vocabulary::Token;
using Ids = std::unordered_map<std::string_view, int32_t>;

/// One row a model: what llama.cpp takes where the file does not say.
struct ModelRow {
  std::string_view name;
  void (*read)(const Metadata& metadata, Vocabulary& out);
  std::optional<int32_t> bos, eos, unknown;
  bool adds_bos = false, adds_eos = false;
};

/// Tokens of other than usual types are looked for in the text as it stands.
void read_added(Vocabulary& out) {
  for (size_t id = 0; id < out.tokens.size(); ++id) {
    const Token& token = out.tokens[id];
    const bool special = token.kind == Token::Kind::control || token.kind == Token::Kind::unknown;
    if ((special || token.kind == Token::Kind::user_defined) && !token.text.empty()) {
      out.added.push_back({.id = static_cast<int32_t>(id), .content = token.text, .special = special});
    }
  }
}

/// Of equal texts the last one counts.
Ids ids_of(const Vocabulary& vocabulary) {
  Ids ids;
  ids.reserve(vocabulary.tokens.size());
  for (size_t id = 0; id < vocabulary.tokens.size(); ++id) {
    ids.insert_or_assign(vocabulary.tokens[id].text, static_cast<int32_t>(id));
  }
  return ids;
}

/// "left right": the first space that is not the first character is between them.
Vocabulary::Merge read_merge(const std::string& text, size_t index, const Ids& ids) {
  const auto get = [&](std::string_view part) {
    const auto found = ids.find(part);
    if (found == ids.end() || part.empty()) {
      throw Error(Kind::input, "metadata '{}': merge {} is '{}', and '{}' is no token", kMergesKey, index, text, part);
    }
    return found->second;
  };
  const size_t space = text.find(' ', 1);
  if (space == std::string::npos) {
    throw Error(Kind::input, "metadata '{}': merge {} is '{}', expected two tokens with a space between them",
                kMergesKey, index, text);
  }
  const std::string left = text.substr(0, space), right = text.substr(space + 1);
  return {.left = get(left), .right = get(right), .merged = get(left + right)};
}

void read_merges(const Metadata& metadata, Vocabulary& out) {
  out.merges.clear();
  const auto* merges = find_values<std::string>(metadata, kMergesKey, "string");
  if (merges == nullptr) {
    throw Error(Kind::input, "metadata '{}' is missing: the tokenizer's model needs them", kMergesKey);
  }
  const Ids ids = ids_of(out);
  out.merges.reserve(merges->size());
  for (size_t i = 0; i < merges->size(); ++i) {
    out.merges.push_back(read_merge((*merges)[i], i, ids));
  }
}

/// llama.cpp adds no space in front of a text of a byte-level BPE, whatever the file says; Hugging Face's library does.
void add_space_prefix(Vocabulary& out) {
  if (auto* first = std::get_if<pre_tokenizers::ByteLevel>(&out.pre_tokenizers.front())) {
    first->add_prefix_space = true;
  }
}

void read_bpe(const Metadata& metadata, Vocabulary& out) {
  PreTokenizerRule rule = get_pre_tokenizer(metadata.find_string(kPreTokenizerKey).value_or("default"));
  out.model = TokenizerModel::bpe;
  out.ignore_merges = rule.ignore_merges;
  out.normalizers = std::move(rule.normalizers);
  out.pre_tokenizers = std::move(rule.pre_tokenizers);
  if (rule.byte_level) {
    out.unknown.reset();
    out.decoders = {decoders::ByteLevel{}};
  } else {
    out.byte_fallback = out.fuse_unknown = true;
    out.decoders = {decoders::Replace{.pattern = {.text = std::string(kSpace)}, .content = " "},
                    decoders::ByteFallback{}, decoders::Fuse{}};
  }
  if (rule.byte_level && metadata.find_bool(kSpacePrefixKey).value_or(false)) {
    add_space_prefix(out);
  }
  read_merges(metadata, out);
}

std::string read_charsmap(const Metadata& metadata) {
  const MetadataArray* array = metadata.find_array(kCharsmapKey);
  if (array == nullptr) {
    return {};
  }
  if (const auto* bytes = std::get_if<std::vector<int8_t>>(&array->values)) {
    return {bytes->begin(), bytes->end()};
  }
  const auto* bytes = find_values<uint8_t>(metadata, kCharsmapKey, "u8");
  return {bytes->begin(), bytes->end()};
}

bool has_bytes(const Vocabulary& vocabulary) {
  return std::ranges::find(vocabulary.tokens, Token::Kind::byte, &Token::kind) != vocabulary.tokens.end();
}

void read_sentencepiece(const Metadata& metadata, Vocabulary& out) {
  out.model = TokenizerModel::sentencepiece_bpe;
  out.byte_fallback = has_bytes(out);
  out.unknown_surface = " \u2047 ";
  out.normalizers = {
      normalizers::SentencePiece{.charsmap = read_charsmap(metadata),
                                 .add_dummy_prefix = metadata.find_bool(kSpacePrefixKey).value_or(true),
                                 .remove_extra_whitespaces = metadata.find_bool(kExtraWhitespacesKey).value_or(false)}};
  if (metadata.find_array(kMergesKey) != nullptr) {  // which llama.cpp does not look at; they are what scores stand for
    out = huggingface_form(std::move(out));
    read_merges(metadata, out);
  }
}

void read_unigram(const Metadata& metadata, Vocabulary& out) {
  using pre_tokenizers::Metaspace;
  const bool prefix = metadata.find_bool(kSpacePrefixKey).value_or(false);
  out.model = TokenizerModel::unigram;
  out.byte_fallback = has_bytes(out);
  if (std::string charsmap = read_charsmap(metadata); !charsmap.empty()) {
    out.normalizers.emplace_back(normalizers::Precompiled{std::move(charsmap)});
  }
  if (metadata.find_bool(kExtraWhitespacesKey).value_or(false)) {
    out.normalizers.emplace_back(normalizers::Strip{.left = false, .right = true});
    out.normalizers.emplace_back(normalizers::Replace{.pattern = {.kind = TextPattern::Kind::regex, .text = " {2,}"},
                                                      .content = std::string(kSpace)});
  }
  out.pre_tokenizers = {Metaspace{.prepend = prefix ? Metaspace::Prepend::always : Metaspace::Prepend::never}};
  out.decoders = {decoders::Metaspace{.strip_first = prefix}};
}

void read_wordpiece(const Metadata& metadata, Vocabulary& out) {
  out.model = TokenizerModel::wordpiece;
  out.continuing_subword_prefix = "##";
  for (Token& token : out.tokens) {
    if (token.kind != Token::Kind::control && !token.text.empty()) {
      token.text = token.text.starts_with(kSpace) ? token.text.substr(kSpace.size()) : "##" + token.text;
    }
  }
  const bool lowercase = metadata.find_bool(kLowercaseKey).value_or(true);
  out.normalizers = {normalizers::Bert{.strip_accents = metadata.find_bool(kStripAccentsKey).value_or(lowercase),
                                       .lowercase = lowercase}};
  out.pre_tokenizers = {pre_tokenizers::Bert{}};
  out.decoders = {decoders::WordPiece{}};
}

constexpr std::array<ModelRow, 4> kModels = {{
    {.name = "gpt2", .read = read_bpe, .bos = 11, .eos = 11},
    {.name = "llama", .read = read_sentencepiece, .bos = 1, .eos = 2, .unknown = 0, .adds_bos = true},
    {.name = "bert",
     .read = read_wordpiece,
     .bos = 101,
     .eos = 102,
     .unknown = 100,
     .adds_bos = true,
     .adds_eos = true},
    {.name = "t5", .read = read_unigram, .eos = 1, .unknown = 2, .adds_eos = true},
}};

const ModelRow& get_model(const Metadata& metadata) {
  const auto name = metadata.find_string(kTokenizerModelKey);
  if (!name) {
    throw Error(Kind::input, "metadata '{}' is missing: the file has no tokenizer", kTokenizerModelKey);
  }
  const auto* row = std::ranges::find(kModels, *name, &ModelRow::name);
  if (row == kModels.end()) {
    throw Error(Kind::unsupported, "terse does not know the tokenizer model '{}', only gpt2, llama, bert and t5",
                *name);
  }
  return *row;
}

/// An id of the file, or llama.cpp's where the file does not say and has a token of that id.
std::optional<int32_t> find_id(const Metadata& metadata, std::string_view name, const Vocabulary& vocabulary,
                               std::optional<int32_t> otherwise) {
  const std::string_view key = special_token_key(name);
  const auto count = static_cast<int64_t>(vocabulary.tokens.size());
  const auto id = metadata.find_integer(key);
  if (id && (*id < 0 || *id >= count)) {
    throw Error(Kind::input, "metadata '{}' is {}, which is no token's id ({} tokens)", key, *id, count);
  }
  if (id) {
    return static_cast<int32_t>(*id);
  }
  return otherwise && *otherwise < count ? otherwise : std::nullopt;
}

int32_t get_id(const Metadata& metadata, std::string_view name, const Vocabulary& vocabulary,
               std::optional<int32_t> otherwise) {
  const auto id = find_id(metadata, name, vocabulary, otherwise);
  if (!id) {
    throw Error(Kind::input, "metadata '{}' is missing: the file asks for this token around texts",
                special_token_key(name));
  }
  return *id;
}

void read_surroundings(const Metadata& metadata, const ModelRow& row, Vocabulary& out) {
  if (out.model == TokenizerModel::wordpiece) {  // llama.cpp looks at no flag
    out.prefix = {get_id(metadata, "bos_token", out, row.bos)};
    out.suffix = {get_id(metadata, "sep_token", out, row.eos)};
    return;
  }
  const auto pre = metadata.find_string(kPreTokenizerKey);
  const bool adds_bos = row.adds_bos || (out.model == TokenizerModel::bpe && pre && get_pre_tokenizer(*pre).adds_bos);
  if (metadata.find_bool(kAddBosKey).value_or(adds_bos)) {
    out.prefix = {get_id(metadata, "bos_token", out, row.bos)};
  }
  if (metadata.find_bool(kAddEosKey).value_or(row.adds_eos)) {
    out.suffix = {get_id(metadata, "eos_token", out, row.eos)};
  }
}

}  // namespace

bool has_tokenizer(const Metadata& metadata) {
  const MetadataValue* value = metadata.find(kTokenizerModelKey);
  const auto* model = value == nullptr ? nullptr : std::get_if<std::string>(value);
  return model != nullptr && *model != "none" && *model != "no_vocab";
}

Vocabulary read_tokenizer(const Metadata& metadata) {
  const ModelRow& row = get_model(metadata);
  Vocabulary out{.tokens = read_tokens(metadata)};
  out.unknown = find_id(metadata, "unk_token", out, row.unknown);
  row.read(metadata, out);
  read_added(out);
  set_stripping(metadata, out);
  read_surroundings(metadata, row, out);
  validate(out);
  return out;
}

TextSettings read_text_settings(const Metadata& metadata) {
  TextSettings out;
  if (const auto architecture = metadata.find_string("general.architecture")) {
    out.max_tokens = metadata.find_integer(fmt::format("{}.context_length", *architecture));
  }
  if (!has_tokenizer(metadata)) {
    return out;
  }
  const auto* texts = find_values<std::string>(metadata, kTokensKey, "string");
  for (const SpecialTokenKey& row : kSpecialTokenKeys) {
    const auto id = metadata.find_integer(row.key);
    if (id && texts != nullptr && *id >= 0 && *id < static_cast<int64_t>(texts->size())) {
      out.special_tokens[std::string(row.name)] = (*texts)[static_cast<size_t>(*id)];
      if (row.name == "eos_token" || row.name == "eot_token") {
        out.end_tokens.push_back(*id);
      }
    }
  }
  if (const auto text = metadata.find_string(kChatTemplateKey)) {
    out.chat_template = *text;
    out.chat_template_name = kChatTemplateKey;
  }
  return out;
}

}  // namespace terse::gguf
