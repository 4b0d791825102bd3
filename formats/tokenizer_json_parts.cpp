#include "formats/tokenizer_json_parts.h"

#include <array>
#include <nlohmann/json.hpp>
#include <span>

#include "formats/base64.h"
#include "formats/error.h"

namespace terse {
namespace {

/// "Sequence" may hold a "Sequence"; a file that nests deeper than this is hostile.
constexpr int kDeepest = 8;

/// One row a kind of part: what "type" calls it, and how it is read.
template <typename Part>
struct PartRow {
  std::string_view type;
  Part (*read)(const JsonField& field);
};

template <typename Part, size_t n>
void read_parts(const JsonField& field, std::string_view parts_name, const std::array<PartRow<Part>, n>& rows,
                std::vector<Part>& out, int depth = 0) {
  const std::string& type = field.text("type");
  if (type == "Sequence") {
    if (depth == kDeepest) {
      throw Error(Kind::input, "{}: sequences are nested more than {} deep", field.where(), kDeepest);
    }
    const JsonField parts = field.get(parts_name);
    for (size_t i = 0; i < parts.array_size(); ++i) {
      read_parts(parts.at(i), parts_name, rows, out, depth + 1);
    }
    return;
  }
  for (const auto& row : rows) {
    if (row.type == type) {
      out.push_back(row.read(field));
      return;
    }
  }
  throw Error(Kind::unsupported, "{}: terse does not know the type '{}'", field.where(), type);
}

TextPattern read_pattern(const JsonField& field) {
  if (const auto literal = field.find("String")) {
    return {.kind = TextPattern::Kind::literal, .text = literal->text()};
  }
  return {.kind = TextPattern::Kind::regex, .text = field.text("Regex")};
}

template <typename Value>
struct NamedValue {
  std::string_view name;
  Value value;
};

template <typename Value, size_t n>
Value read_choice(const JsonField& field, const std::array<NamedValue<Value>, n>& choices) {
  for (const auto& choice : choices) {
    if (choice.name == field.text()) {
      return choice.value;
    }
  }
  throw Error(Kind::unsupported, "{}: terse does not know '{}'", field.where(), field.text());
}

SplitBehavior read_behavior(const JsonField& field) {
  static constexpr std::array<NamedValue<SplitBehavior>, 5> kBehaviors = {{
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous},
  }};
  return read_choice(field, kBehaviors);
}

/// A string of one character.
std::string read_character(const JsonField& field) {
  const std::string& text = field.text();
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  if (std::ranges::count_if(text, begins) != 1) {
    throw Error(Kind::input, "{}: found '{}', expected one character", field.where(), text);
  }
  return text;
}

Normalizer read_bert_normalizer(const JsonField& field) {
  const bool lowercase = field.flag_or("lowercase", true);
  return normalizers::Bert{.clean_text = field.flag_or("clean_text", true),
                           .handle_chinese_chars = field.flag_or("handle_chinese_chars", true),
                           .strip_accents = field.flag_or("strip_accents", lowercase),
                           .lowercase = lowercase};
}

template <normalizers::Form form>
Normalizer read_form(const JsonField&) {
  return normalizers::Unicode{form};
}

template <typename Variant, typename Part>
Variant read_plain(const JsonField&) {
  return Part{};
}

Normalizer read_charsmap(const JsonField& field) {
  return normalizers::Precompiled{decode_base64(field.text_or("precompiled_charsmap", ""))};
}

constexpr std::array<PartRow<Normalizer>, 13> kNormalizers = {{
    {"NFC", read_form<normalizers::Form::nfc>},
    {"NFD", read_form<normalizers::Form::nfd>},
    {"NFKC", read_form<normalizers::Form::nfkc>},
    {"NFKD", read_form<normalizers::Form::nfkd>},
    {"Lowercase", read_plain<Normalizer, normalizers::Lowercase>},
    {"StripAccents", read_plain<Normalizer, normalizers::StripAccents>},
    {"Nmt", read_plain<Normalizer, normalizers::Nmt>},
    {"ByteLevel", read_plain<Normalizer, normalizers::ByteLevel>},
    {"BertNormalizer", read_bert_normalizer},
    {"Precompiled", read_charsmap},
    {"Strip",
     [](const JsonField& field) -> Normalizer {
       return normalizers::Strip{.left = field.get("strip_left").flag(), .right = field.get("strip_right").flag()};
     }},
    {"Prepend", [](const JsonField& field) -> Normalizer { return normalizers::Prepend{field.text("prepend")}; }},
    {"Replace",
     [](const JsonField& field) -> Normalizer {
       return normalizers::Replace{.pattern = read_pattern(field.get("pattern")), .content = field.text("content")};
     }},
}};

pre_tokenizers::Metaspace::Prepend read_prepend_scheme(const JsonField& field) {
  using Prepend = pre_tokenizers::Metaspace::Prepend;
  static constexpr std::array<NamedValue<Prepend>, 3> kSchemes = {
      {{"first", Prepend::first}, {"never", Prepend::never}, {"always", Prepend::always}}};
  if (const auto scheme = field.find("prepend_scheme")) {
    return read_choice(*scheme, kSchemes);
  }
  return field.flag_or("add_prefix_space", true) ? Prepend::always : Prepend::never;
}

PreTokenizer read_metaspace(const JsonField& field) {
  return pre_tokenizers::Metaspace{.replacement = read_character(field.get("replacement")),
                                   .prepend = read_prepend_scheme(field),
                                   .split = field.flag_or("split", true)};
}

PreTokenizer read_delimiter(const JsonField& field) {
  return pre_tokenizers::Split{
      .pattern = {.kind = TextPattern::Kind::literal, .text = read_character(field.get("delimiter"))},
      .behavior = SplitBehavior::removed};
}

constexpr std::array<PartRow<PreTokenizer>, 10> kPreTokenizers = {{
    {"ByteLevel",
     [](const JsonField& field) -> PreTokenizer {
       return pre_tokenizers::ByteLevel{.add_prefix_space = field.flag_or("add_prefix_space", true),
                                        .use_regex = field.flag_or("use_regex", true)};
     }},
    {"Split",
     [](const JsonField& field) -> PreTokenizer {
       return pre_tokenizers::Split{.pattern = read_pattern(field.get("pattern")),
                                    .behavior = read_behavior(field.get("behavior")),
                                    .invert = field.flag_or("invert", false)};
     }},
    {"Digits",
     [](const JsonField& field) -> PreTokenizer {
       return pre_tokenizers::Digits{.individual = field.flag_or("individual_digits", false)};
     }},
    {"Whitespace", read_plain<PreTokenizer, pre_tokenizers::Whitespace>},
    {"WhitespaceSplit", read_plain<PreTokenizer, pre_tokenizers::WhitespaceSplit>},
    {"BertPreTokenizer", read_plain<PreTokenizer, pre_tokenizers::Bert>},
    {"Metaspace", read_metaspace},
    {"Punctuation",
     [](const JsonField& field) -> PreTokenizer {
       const auto behavior = field.find("behavior");
       return pre_tokenizers::Punctuation{.behavior = behavior ? read_behavior(*behavior) : SplitBehavior::isolated};
     }},
    {"CharDelimiterSplit", read_delimiter},
    {"FixedLength",
     [](const JsonField& field) -> PreTokenizer {
       const auto length = field.find("length");
       return pre_tokenizers::FixedLength{length ? length->whole(1, INT32_MAX) : 5};
     }},
}};

Decoder read_metaspace_decoder(const JsonField& field) {
  return decoders::Metaspace{.replacement = read_character(field.get("replacement")),
                             .strip_first = read_prepend_scheme(field) != pre_tokenizers::Metaspace::Prepend::never};
}

constexpr std::array<PartRow<Decoder>, 9> kDecoders = {{
    {"ByteLevel", read_plain<Decoder, decoders::ByteLevel>},
    {"ByteFallback", read_plain<Decoder, decoders::ByteFallback>},
    {"Fuse", read_plain<Decoder, decoders::Fuse>},
    {"Metaspace", read_metaspace_decoder},
    {"WordPiece",
     [](const JsonField& field) -> Decoder {
       return decoders::WordPiece{.prefix = field.text_or("prefix", "##"), .cleanup = field.flag_or("cleanup", true)};
     }},
    {"Strip",
     [](const JsonField& field) -> Decoder {
       return decoders::Strip{.content = read_character(field.get("content")),
                              .start = field.get("start").whole(0, INT32_MAX),
                              .stop = field.get("stop").whole(0, INT32_MAX)};
     }},
    {"Replace",
     [](const JsonField& field) -> Decoder {
       return decoders::Replace{.pattern = read_pattern(field.get("pattern")), .content = field.text("content")};
     }},
    {"BPEDecoder", [](const JsonField& field) -> Decoder { return decoders::Bpe{field.text_or("suffix", "</w>")}; }},
    {"CTC", [](const JsonField&) -> Decoder { return decoders::Unsupported{"CTC"}; }},
}};

int32_t read_id(const JsonField& field) { return static_cast<int32_t>(field.whole(0, kMostTokens - 1)); }

/// "cls": ["[CLS]", 101]
void read_pair_of_tokens(const JsonField& field, Vocabulary& out) {
  for (const auto& [name, side] : {std::pair{"cls", &out.prefix}, std::pair{"sep", &out.suffix}}) {
    const JsonField pair = field.get(name);
    if (pair.array_size() != 2) {
      throw Error(Kind::input, "{}: found {} elements, expected a token and its id", pair.where(), pair.array_size());
    }
    side->push_back(read_id(pair.at(1)));
  }
}

void read_template(const JsonField& field, Vocabulary& out) {
  const JsonField single = field.get("single");
  int texts = 0;
  for (size_t i = 0; i < single.array_size(); ++i) {
    if (const auto special = single.at(i).find("SpecialToken")) {
      const JsonField ids = field.get("special_tokens").get(special->text("id")).get("ids");
      for (size_t k = 0; k < ids.array_size(); ++k) {
        (texts == 0 ? out.prefix : out.suffix).push_back(read_id(ids.at(k)));
      }
    } else {
      single.at(i).get("Sequence");
      ++texts;
    }
  }
  if (texts != 1) {
    throw Error(Kind::unsupported, "{}: the text occurs {} times, expected once", single.where(), texts);
  }
}

void read_post_processor(const JsonField& field, Vocabulary& out, int depth) {
  const std::string& type = field.text("type");
  if (type == "Sequence") {
    if (depth == kDeepest) {
      throw Error(Kind::input, "{}: sequences are nested more than {} deep", field.where(), kDeepest);
    }
    const JsonField parts = field.get("processors");
    for (size_t i = 0; i < parts.array_size(); ++i) {
      read_post_processor(parts.at(i), out, depth + 1);
    }
  } else if (type != "ByteLevel") {  // which moves offsets only
    if (!out.prefix.empty() || !out.suffix.empty()) {
      throw Error(Kind::unsupported, "{}: a second part that adds special tokens", field.where());
    }
    if (type == "TemplateProcessing") {
      read_template(field, out);
    } else if (type == "BertProcessing" || type == "RobertaProcessing") {
      read_pair_of_tokens(field, out);
    } else {
      throw Error(Kind::unsupported, "{}: terse does not know the type '{}'", field.where(), type);
    }
  }
}

}  // namespace

void read_normalizer(const JsonField& field, std::vector<Normalizer>& out) {
  read_parts(field, "normalizers", kNormalizers, out);
}

void read_pre_tokenizer(const JsonField& field, std::vector<PreTokenizer>& out) {
  read_parts(field, "pretokenizers", kPreTokenizers, out);
}

void read_decoder(const JsonField& field, std::vector<Decoder>& out) { read_parts(field, "decoders", kDecoders, out); }

void read_post_processor(const JsonField& field, Vocabulary& out) { read_post_processor(field, out, 0); }

}  // namespace terse
