#include "formats/gguf/special_tokens.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/gguf/tokenizer_keys.h"

namespace terse::gguf {
namespace {

using Ids = std::map<std::string, int32_t, std::less<>>;  ///< "bos_token" -> id

std::optional<int32_t> find_token(const Vocabulary& vocabulary, std::string_view text) {
  const auto added = std::ranges::find(vocabulary.added, text, &Vocabulary::AddedToken::content);
  if (added != vocabulary.added.end()) {
    return added->id;
  }
  const auto own = std::ranges::find(vocabulary.tokens, text, &Vocabulary::Token::text);
  return own == vocabulary.tokens.end() ? std::nullopt
                                        : std::optional(static_cast<int32_t>(own - vocabulary.tokens.begin()));
}

/// BERT's tokens count as a text's first and last one where no others do.
std::string_view find_text(const TextSettings& settings, std::string_view name) {
  const auto found = settings.special_tokens.find(name);
  if (found != settings.special_tokens.end() && !found->second.empty()) {
    return found->second;
  }
  return name == "bos_token"   ? find_text(settings, "cls_token")
         : name == "eos_token" ? find_text(settings, "sep_token")
                               : "";
}

/// "bos_token_id" of config.json, or of the part that is about text. Lists are not looked at.
std::optional<int64_t> find_config_id(const JsonField& config, std::string_view name) {
  const std::string key = fmt::format("{}_id", name);
  if (const auto field = config.find(key); field && field->value().is_number_integer()) {
    return field->whole(INT32_MIN, INT32_MAX);
  }
  const auto text = config.find("text_config");
  return text ? find_config_id(*text, name) : std::nullopt;
}

Ids ids_of(const Vocabulary& vocabulary, const TextSettings& settings, const JsonField& config, int64_t size) {
  Ids ids;
  for (const SpecialTokenKey& row : kSpecialTokenKeys) {
    const std::string_view text = find_text(settings, row.name);
    std::optional<int64_t> id = text.empty() ? std::nullopt : find_token(vocabulary, text);
    if (!id && row.name == "unk_token") {
      id = vocabulary.unknown;
    }
    if (!id) {
      id = find_config_id(config, row.name);
    }
    if (id && *id >= 0 && *id < size) {
      ids[std::string(row.name)] = static_cast<int32_t>(*id);
    }
  }
  return ids;
}

/// The token that stands around a text there.
std::optional<int32_t> only_token(const std::vector<int32_t>& around, std::string_view place) {
  if (around.size() > 1) {
    throw Error(Kind::unsupported,
                "the tokenizer puts {} tokens {} a text, which GGUF cannot say, expected one at most", around.size(),
                place);
  }
  return around.empty() ? std::nullopt : std::optional(around.front());
}

/// What ends a text stays known as the end of a turn if another token is what the tokenizer adds.
void put_around(const Vocabulary& vocabulary, Ids& ids) {
  if (const auto bos = only_token(vocabulary.prefix, "in front of")) {
    ids["bos_token"] = *bos;
  }
  if (const auto eos = only_token(vocabulary.suffix, "behind")) {
    const auto before = ids.find("eos_token");
    if (before != ids.end() && before->second != *eos) {
      ids.emplace("eot_token", before->second);
    }
    ids["eos_token"] = *eos;
    if (vocabulary.model == TokenizerModel::wordpiece) {  // which llama.cpp puts behind a text as what separates two
      ids["sep_token"] = *eos;
    }
  }
}

}  // namespace

void set_special_tokens(const Vocabulary& vocabulary, const TextSettings& settings, const JsonField& config,
                        int64_t vocabulary_size, Metadata& metadata) {
  Ids ids = ids_of(vocabulary, settings, config, vocabulary_size);
  put_around(vocabulary, ids);
  for (const SpecialTokenKey& row : kSpecialTokenKeys) {
    if (const auto found = ids.find(row.name); found != ids.end()) {
      metadata.set(row.key, static_cast<uint32_t>(found->second));
    }
  }
  metadata.set(kAddBosKey, !vocabulary.prefix.empty());
  const auto model = metadata.find_string(kTokenizerModelKey);
  if (!vocabulary.suffix.empty() || model == "t5") {  // which has one unless the file says otherwise
    metadata.set(kAddEosKey, !vocabulary.suffix.empty());
  }
  if (model == "bert") {
    metadata.set(kAddSepKey, false);  // the last token of each text already is one
  }
}

}  // namespace terse::gguf
