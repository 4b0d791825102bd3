#include <nlohmann/json.hpp>

#include "formats/gguf/tokenizer_reader.h"
#include "formats/huggingface_form.h"
#include "formats/tokenizer_json_writer.h"

namespace terse::gguf {
namespace {

using nlohmann::json;

std::string config_text(const Vocabulary& vocabulary, const TextSettings& settings) {
  json config = {{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
  for (const auto& [name, text] : settings.special_tokens) {
    if (name != "eot_token") {  // which no class of transformers knows
      config[name] = text;
    }
  }
  if (vocabulary.model == TokenizerModel::wordpiece) {
    config["cls_token"] = vocabulary.tokens[static_cast<size_t>(vocabulary.prefix.front())].text;
    config["sep_token"] = vocabulary.tokens[static_cast<size_t>(vocabulary.suffix.front())].text;
  }
  if (settings.max_tokens) {
    config["model_max_length"] = *settings.max_tokens;
  }
  return config.dump(2) + "\n";
}

}  // namespace

std::vector<TextFile> tokenizer_files(const Metadata& metadata) {
  const Vocabulary vocabulary = read_tokenizer(metadata);
  const TextSettings settings = read_text_settings(metadata);
  std::vector<TextFile> files = {{"tokenizer.json", write_tokenizer_json(huggingface_form(vocabulary))},
                                 {"tokenizer_config.json", config_text(vocabulary, settings)}};
  if (!settings.chat_template.empty()) {
    files.push_back({"chat_template.jinja", settings.chat_template});
  }
  return files;
}

}  // namespace terse::gguf
