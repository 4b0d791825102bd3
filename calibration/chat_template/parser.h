#pragma once

#include <string_view>

#include "calibration/chat_template/syntax.h"

namespace terse::calibration::jinja {

/// The statements of a template. Errors, with the line: input where it is broken; unsupported, naming the construct.
Block parse(std::string_view source);

}  // namespace terse::calibration::jinja
