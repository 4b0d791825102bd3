#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "cli/units.h"

namespace terse::cli {

std::optional<double> Forecast::seconds_left(double done, double now) {
  constexpr double kKnown = 0.02;  // of all work: before that a forecast is a guess
  if (done < last_done_ || done == begun_done_) {
    begun_ = now;
    begun_done_ = done;
  }
  last_done_ = done;
  const double gained = done - begun_done_;
  if (gained < kKnown) {
    return std::nullopt;
  }
  return (now - begun_) * (1 - done) / gained;
}

std::string progress_line(std::string_view what, double done, std::optional<double> seconds_left) {
  constexpr int kWidth = 24;
  const int filled = static_cast<int>(done * kWidth);
  std::string line = fmt::format("{}  [{:#<{}}{:-<{}}] {:3.0f} %", what, "", filled, "", kWidth - filled, done * 100);
  return seconds_left ? line + fmt::format("  {} left", format_seconds(*seconds_left)) : line;
}

Progress::Progress(const GlobalOptions& options)
    : is_shown_(!options.quiet && ::isatty(STDERR_FILENO) == 1), is_coloured_(std::getenv("NO_COLOR") == nullptr) {}

void Progress::update(std::string_view what, double done) {
  if (!is_shown_) {
    return;
  }
  const auto now = Clock::now();
  done = std::clamp(done, 0.0, 1.0);
  const auto left = forecast_.seconds_left(done, std::chrono::duration<double>(now.time_since_epoch()).count());
  if (is_drawn_ && now - drawn_ < std::chrono::milliseconds(100)) {
    return;
  }
  drawn_ = now;
  const std::string line = progress_line(what, done, left);
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
