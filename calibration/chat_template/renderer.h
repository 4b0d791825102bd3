#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibration/chat_template/syntax.h"

namespace terse::calibration::jinja {

using Variables = std::vector<std::pair<std::string, Value>>;

/// The variables of a block; what it does not have, an outer one may.
class Scope {
 public:
  explicit Scope(const Scope* outer) : outer_(outer) {}
  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);

 private:
  const Scope* outer_;
  Variables variables_;
};

/// Writes out a template. Work and output are limited, so that no template runs for ever or fills the memory.
/// Errors, with the line: input, unsupported.
std::string render(const Block& block, const Variables& variables);

}  // namespace terse::calibration::jinja
