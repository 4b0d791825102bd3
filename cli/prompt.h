#pragma once

#include <cstdint>
#include <string>

#include "cli/command.h"

namespace terse::cli {

/// `terse run --prompt`: prints what a language model writes after a text, as it writes it.
ExitCode run_prompt(const std::string& model, const std::string& prompt, int64_t tokens, const Context& context);

}  // namespace terse::cli
