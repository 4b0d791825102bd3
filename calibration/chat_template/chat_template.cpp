#include "calibration/chat_template/chat_template.h"

#include "calibration/chat_template/parser.h"
#include "calibration/chat_template/renderer.h"
#include "formats/error.h"

namespace terse::calibration {

struct ChatTemplate::Parts {
  std::string name;
  jinja::Block block;
};

ChatTemplate::ChatTemplate(std::string_view source, std::string name) {
  auto parts = std::make_unique<Parts>();
  parts->block = with_context(name, [&] { return jinja::parse(source); });
  parts->name = std::move(name);
  parts_ = std::move(parts);
}

ChatTemplate::~ChatTemplate() = default;

std::string ChatTemplate::render(std::string_view messages,
                                 const std::map<std::string, std::string, std::less<>>& special_tokens,
                                 GenerationPrompt prompt) const {
  jinja::Variables variables(special_tokens.begin(), special_tokens.end());
  variables.emplace_back("messages", jinja::read_json(messages));
  variables.emplace_back("tools", jinja::None{});
  variables.emplace_back("documents", jinja::None{});
  variables.emplace_back("add_generation_prompt", prompt == GenerationPrompt::add);
  return with_context(parts_->name, [&] { return jinja::render(parts_->block, variables); });
}

}  // namespace terse::calibration
