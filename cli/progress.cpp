#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/units.h"

namespace terse::cli {

std::string progress_line(std::string_view what, double done, double elapsed_seconds) {
  constexpr int kWidth = 24;
  done = std::clamp(done, 0.0, 1.0);
  const int filled = static_cast<int>(done * kWidth);
  std::string line = fmt::format("{}  [{:#<{}}{:-<{}}] {:3.0f} %", what, "", filled, "", kWidth - filled, done * 100);
  constexpr double kKnown = 0.02;  // before that a forecast is a guess
  if (done >= kKnown) {
    line += fmt::format("  {} left", format_seconds(elapsed_seconds * (1 - done) / done));
  }
  return line;
}

Progress::Progress(const GlobalOptions& options)
    : is_shown_(!options.quiet && ::isatty(STDERR_FILENO) == 1), is_coloured_(std::getenv("NO_COLOR") == nullptr) {}

void Progress::update(std::string_view what, double done) {
  if (!is_shown_) {
    return;
  }
  const auto now = Clock::now();
  if (what != what_) {
    what_ = what;
    start_ = now;
  } else if (now - drawn_ < std::chrono::milliseconds(100)) {
    return;
  }
  drawn_ = now;
  const std::string line = progress_line(what, done, std::chrono::duration<double>(now - start_).count());
  fmt::print(stderr, "\r\x1b[K{}{}{}", is_coloured_ ? "\x1b[2m" : "", line, is_coloured_ ? "\x1b[0m" : "");
  std::fflush(stderr);
  is_drawn_ = true;
}

void Progress::erase() {
  if (is_drawn_) {
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
    is_drawn_ = false;
  }
}

}  // namespace terse::cli
