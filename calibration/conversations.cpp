#include "calibration/conversations.h"

#include "formats/error.h"

namespace terse::calibration {

std::string Conversations::write(std::string_view messages) {
  if (settings_.chat_template.empty()) {
    throw Error(Kind::input,
                "a conversation, and no chat template: no chat_template.jinja and no 'chat_template' in "
                "tokenizer_config.json beside the tokenizer, no 'tokenizer.chat_template' in a GGUF file");
  }
  if (!template_) {
    template_.emplace(settings_.chat_template, settings_.chat_template_name);
  }
  return template_->render(messages, settings_.special_tokens, GenerationPrompt::leave_out);
}

}  // namespace terse::calibration
