#pragma once

#include <string_view>

#include "calibration/chat_template/call.h"

namespace terse::calibration::jinja {

/// True if `name` is a method of the value's type, known to terse or not.
bool is_method(const Value& value, std::string_view name);

/// value.name(arguments) of a string or a dictionary. Errors: input, unsupported.
Value call_method(const Value& value, std::string_view name, const Arguments& arguments);

}  // namespace terse::calibration::jinja
