#pragma once

#include <string>

#include "cli/command.h"

namespace terse::cli {

/// A command line, understood.
struct Parsed {
  GlobalOptions options;
  Action action;     ///< empty: print `text` and be done
  std::string text;  ///< the help or the version that was asked for
};

/// Pure: reads no file, prints nothing. Error usage, with the nearest valid word for a mistyped command or option.
Parsed parse_command_line(int argc, const char* const* argv);

}  // namespace terse::cli
