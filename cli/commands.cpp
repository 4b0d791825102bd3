#include "cli/commands.h"

#include <array>

namespace terse::cli {

std::span<const CommandRow> commands() {
  static constexpr std::array<CommandRow, 2> kCommands = {{
      {"compare", "puts the figures of reports side by side", setup_compare},
      {"check", "holds a report against gates; exit code 3 if one fails", setup_check},
  }};
  return kCommands;
}

}  // namespace terse::cli
