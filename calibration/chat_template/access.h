#pragma once

#include <string_view>
#include <vector>

#include "calibration/chat_template/value.h"

namespace terse::calibration::jinja {

// Getting at what values hold, as Python and Jinja do. Errors: input for what Python would refuse, unsupported.

/// What a loop over the value sees: items, keys, characters. Of what is undefined nothing.
std::vector<Value> iterate(const Value& value);

/// The first value of `iterate`, or null; an iterator goes on behind it.
Value first_of(const Value& value);

int64_t length_of(const Value& value);

/// value.name: the member of a dictionary or namespace; undefined if it is not there.
Value get_attribute(const Value& value, std::string_view name);

/// value[index]; undefined if it is not there.
Value get_item(const Value& value, const Value& index);

/// value[begin:end:step]; a bound that is None or undefined is left out.
Value get_slice(const Value& value, const Value& begin, const Value& end, const Value& step);

/// item in value.
bool contains(const Value& value, const Value& item);

/// Python's a + b and so on.
Value calculate(std::string_view symbol, const Value& a, const Value& b);
Value negate(const Value& value);
bool compare(std::string_view symbol, const Value& a, const Value& b);

}  // namespace terse::calibration::jinja
