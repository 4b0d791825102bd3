#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/arguments.h"

namespace terse::cli {

class Interrupts;

/// What every command accepts.
struct GlobalOptions {
  int64_t threads = 0;  ///< 0: one a core
  bool quiet = false;
  bool verbose = false;
  std::string tokenizer;  ///< a folder; empty: beside the model
  std::string isa = "auto";
};

/// What a command runs in.
struct Context {
  const GlobalOptions& options;
  Interrupts& interrupts;
};

/// The exit codes that scripts rely on; errors map to `failed` and `usage`.
enum ExitCode : int { kDone = 0, kFailed = 1, kUsage = 2, kGateFailed = 3 };

/// A parsed command, ready to run.
using Action = std::function<ExitCode(const Context&)>;

/// Whether a command has a use for --tokenizer.
enum class ReadsText { no, yes };

/// One row a command: `setup` declares the options and gives what to do with them.
struct CommandRow {
  std::string_view name;
  std::string_view summary;
  ReadsText reads_text;
  Action (*setup)(Arguments& arguments);
};

std::span<const CommandRow> commands();

}  // namespace terse::cli
