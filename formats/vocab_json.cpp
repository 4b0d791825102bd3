#include "formats/vocab_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/json_fields.h"
#include "formats/tokenizer_json.h"

namespace terse {
namespace {

using nlohmann::json;

/// The special tokens of transformers' class, unless the configuration names others.
struct ClassRow {
  std::string_view name;
  std::array<std::pair<std::string_view, std::string_view>, 7> tokens;
  bool surrounds = false;  ///< puts cls_token and sep_token around a text
};

constexpr ClassRow kGpt2 = {"GPT2Tokenizer",
                            {{{"bos_token", "<|endoftext|>"},
                              {"eos_token", "<|endoftext|>"},
                              {"unk_token", "<|endoftext|>"},
                              {"pad_token", ""},
                              {"cls_token", ""},
                              {"sep_token", ""},
                              {"mask_token", ""}}}};
constexpr ClassRow kRoberta = {"RobertaTokenizer",
                               {{{"bos_token", "<s>"},
                                 {"eos_token", "</s>"},
                                 {"unk_token", "<unk>"},
                                 {"pad_token", "<pad>"},
                                 {"cls_token", "<s>"},
                                 {"sep_token", "</s>"},
                                 {"mask_token", "<mask>"}}},
                               true};

const ClassRow& row_of(const JsonField& config) {
  std::string name = config.text_or("tokenizer_class", kGpt2.name);
  if (name.ends_with("Fast")) {
    name.resize(name.size() - 4);
  }
  for (const ClassRow* row : {&kGpt2, &kRoberta}) {
    if (row->name == name) {
      return *row;
    }
  }
  throw Error(Kind::unsupported, "terse knows vocab.json and merges.txt of {} and {} only, found the class '{}'",
              kGpt2.name, kRoberta.name, name);
}

/// A rule a line, behind a line with the version.
json read_merges(std::string_view text) {
  json merges = json::array();
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    if (!line.empty() && !line.starts_with("#version")) {
      merges.push_back(std::string(line));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return merges;
}

/// A token as tokenizer_config.json has it, a text or an object, in the form of tokenizer.json.
json added_token(const json& token, int64_t id, bool special) {
  json added = {{"id", id}, {"special", special}, {"normalized", !special}};
  if (token.is_object()) {
    added.update(token);
  } else {
    added["content"] = token;
  }
  return added;
}

class Builder {
 public:
  Builder(const json& vocab, const JsonField& config) : vocab_(vocab), config_(config), row_(row_of(config)) {}

  json added_tokens() {
    if (const auto field = config_.find("added_tokens_decoder")) {
      field->object_size();  // it must be one
      for (const auto& [id, token] : field->value().items()) {
        if (id.find_first_not_of("0123456789") != std::string::npos || id.size() > 9 || id.empty()) {
          throw Error(Kind::input, "{}: found the id '{}'", field->where(), id);
        }
        add(added_token(token, std::stoll(id), false));
      }
    }
    for (const auto& [name, otherwise] : row_.tokens) {
      const auto field = config_.find(name);
      const json token = field ? field->value() : json(std::string(otherwise));
      if (const std::string text = content(token); !text.empty()) {
        add(added_token(token, id_of(text), true));
      }
    }
    return added_;
  }

  json post_processor() const {
    if (row_.surrounds) {
      return {{"type", "RobertaProcessing"}, {"sep", pair_of("sep_token")}, {"cls", pair_of("cls_token")}};
    }
    if (!config_.flag_or("add_bos_token", false)) {
      return nullptr;
    }
    const json bos = pair_of("bos_token");
    return {{"type", "TemplateProcessing"},
            {"single",
             {{{"SpecialToken", {{"id", bos[0]}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
            {"pair", json::array()},
            {"special_tokens", {{bos[0], {{"id", bos[0]}, {"ids", {bos[1]}}, {"tokens", {bos[0]}}}}}}};
  }

 private:
  static std::string content(const json& token) {
    const json& text = token.is_object() ? token.value("content", json("")) : token;
    return text.is_string() ? text.get<std::string>() : "";
  }

  void add(json token) {
    const auto same = std::ranges::find(added_, token["content"], [](const json& it) { return it["content"]; });
    if (same == added_.end()) {
      added_.push_back(std::move(token));
    }
  }

  int64_t id_of(const std::string& text) const {
    for (const json& token : added_) {
      if (token["content"] == text) {
        return token["id"].get<int64_t>();
      }
    }
    const auto found = vocab_.find(text);
    if (found == vocab_.end() || !found->is_number_integer()) {
      throw Error(Kind::input, "the special token '{}' is not in the vocabulary", text);
    }
    return found->get<int64_t>();
  }

  json pair_of(std::string_view name) const {
    const auto field = config_.find(name);
    const auto* otherwise = std::ranges::find(row_.tokens, name, [](const auto& it) { return it.first; });
    const std::string text = field ? content(field->value()) : std::string(otherwise->second);
    return {text, id_of(text)};
  }

  const json& vocab_;
  const JsonField& config_;
  const ClassRow& row_;
  json added_ = json::array();
};

}  // namespace

Vocabulary read_vocab_json(std::string_view vocab, std::string_view merges, std::string_view config) {
  const json tokens = parse_json(vocab);
  const json settings = config.empty() ? json::object() : parse_json(config);
  const JsonField root(settings, "tokenizer_config.json");
  JsonField(tokens, "vocab.json").object_size();  // it must be one
  Builder builder(tokens, root);
  const json bytes = {{"type", "ByteLevel"}, {"add_prefix_space", root.flag_or("add_prefix_space", false)}};
  json document = {{"model", {{"type", "BPE"}, {"vocab", tokens}, {"merges", read_merges(merges)}}},
                   {"pre_tokenizer", bytes},
                   {"decoder", bytes}};
  document["added_tokens"] = builder.added_tokens();
  document["post_processor"] = builder.post_processor();
  return read_tokenizer_json(document.dump());
}

}  // namespace terse
