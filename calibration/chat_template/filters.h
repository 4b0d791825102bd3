#pragma once

#include <string_view>

#include "calibration/chat_template/call.h"

namespace terse::calibration::jinja {

/// value | name(arguments). Errors: input, unsupported naming the filter.
Value apply_filter(const Value& value, std::string_view name, const Arguments& arguments);

/// value is name(arguments). Errors: input, unsupported naming the test.
bool apply_test(const Value& value, std::string_view name, const Arguments& arguments);

/// name(arguments) of the functions that every template has. Errors: input, among them what raise_exception says;
/// unsupported naming the function.
Value call_function(std::string_view name, const Arguments& arguments);

/// True if call_function knows the name, or Jinja has a function of that name.
bool is_function(std::string_view name);

}  // namespace terse::calibration::jinja
