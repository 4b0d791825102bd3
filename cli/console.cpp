#include "cli/console.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "formats/error.h"

namespace terse::cli {

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw Error(Kind::io, "standard output: cannot write: {}", std::strerror(errno));
  }
}

void print_message(std::string_view text) { fmt::print(stderr, "terse: {}\n", text); }

}  // namespace terse::cli
