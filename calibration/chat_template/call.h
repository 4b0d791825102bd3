#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibration/chat_template/value.h"

namespace terse::calibration::jinja {

/// The arguments of a call as written.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

/// Arguments by the parameters of what is called.
class Bound {
 public:
  /// `parameters`: names with commas between them, in order; `required`: how many of them must be given.
  /// Error input that names `what` for too many, too few or unknown arguments.
  Bound(std::string_view what, const Arguments& arguments, std::string_view parameters, size_t required);

  /// The argument, unless it is left out.
  const Value* find(size_t index) const { return values_[index] ? &*values_[index] : nullptr; }
  const Value& get(size_t index) const { return *values_[index]; }
  /// Error input if it is of another type.
  const std::string& text(size_t index) const;
  int64_t whole(size_t index, int64_t otherwise) const;
  bool flag(size_t index, bool otherwise) const;

 private:
  std::string what_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace terse::calibration::jinja
