#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "calibration/chat_template/chat_template.h"
#include "formats/text_settings.h"

namespace terse::calibration {

/// Writes conversations out with the chat template of a checkpoint, which is looked at for the first of them.
class Conversations {
 public:
  /// `settings` must outlive it.
  explicit Conversations(const TextSettings& settings) : settings_(settings) {}

  /// The text of messages, a list as JSON. Errors: input if there is no template; as ChatTemplate's.
  std::string write(std::string_view messages);

 private:
  const TextSettings& settings_;
  std::optional<ChatTemplate> template_;
};

}  // namespace terse::calibration
