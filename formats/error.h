#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace terse {

/// What went wrong, as far as a caller can act on it. The command line maps it to its exit codes.
enum class Kind {
  usage,        ///< the command line or a recipe is wrong
  input,        ///< a file or its contents are wrong
  unsupported,  ///< a correct input that this version cannot handle
  io,           ///< the operating system refused to read or write
  internal,     ///< terse is wrong
};

/// The one exception type. A message is one sentence in lower case without a final period: the thing, what was found,
/// what was expected, the cure if there is one.
class Error : public std::runtime_error {
 public:
  template <typename... Args>
  explicit Error(Kind kind, fmt::format_string<Args...> format, Args&&... args)
      : std::runtime_error(fmt::format(format, std::forward<Args>(args)...)), kind_(kind) {}

  Kind kind() const { return kind_; }

  /// The same error as seen from outside: "context: message".
  Error within(std::string_view context) const { return Error(kind_, "{}: {}", context, what()); }

 private:
  Kind kind_;
};

/// Runs `work`; an Error that leaves it is told where it happened. Used at three places only: file, tensor or node,
/// pass.
template <typename Work>
decltype(auto) with_context(std::string_view context, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const Error& error) {
    throw error.within(context);
  }
}

}  // namespace terse
