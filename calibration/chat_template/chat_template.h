#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace terse::calibration {

/// Whether a conversation ends with the words that make the model answer.
enum class GenerationPrompt { leave_out, add };

/// A template that writes a conversation out as the text that a model was trained on, as transformers'
/// apply_chat_template does it: the part of Jinja that public templates use, with trim_blocks and lstrip_blocks.
/// What terse does not know is an error that names it; nothing is approximated. Immutable: any number of threads may
/// use one.
class ChatTemplate {
 public:
  /// Errors, with `name` and the line: input, unsupported.
  ChatTemplate(std::string_view source, std::string name);
  ~ChatTemplate();
  ChatTemplate(const ChatTemplate&) = delete;
  ChatTemplate& operator=(const ChatTemplate&) = delete;

  /// `messages`: a list as JSON; `special_tokens`: "bos_token" -> "<s>", which the template sees as variables.
  /// Errors as above; among them what the template itself refuses, and too much work or output.
  std::string render(std::string_view messages, const std::map<std::string, std::string, std::less<>>& special_tokens,
                     GenerationPrompt prompt) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace terse::calibration
