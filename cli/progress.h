#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace terse::cli {

/// How long work still takes, by how fast it went since it began; where the part that is done goes back, other work
/// has.
class Forecast {
 public:
  /// Nothing until enough is known. `done` in [0, 1]; the seconds of any clock that does not go back.
  std::optional<double> seconds_left(double done, double now);

 private:
  double begun_ = 0, begun_done_ = 2, last_done_ = 2;  ///< nothing is done yet: whatever comes is less
};

/// A bar with the time left on standard error, if that is a terminal and --quiet is not given; else
/// nothing. Grey unless NO_COLOR is set. It is erased when it ends.
class Progress {
 public:
  explicit Progress(const GlobalOptions& options);
  ~Progress() { erase(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` in [0, 1]; where it goes back other work has begun. Redraws ten times a second at most.
  void update(std::string_view what, double done);
  void erase();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_shown_;
  bool is_coloured_;
  bool is_drawn_ = false;
  Forecast forecast_;
  Clock::time_point drawn_;
};

/// The line that `Progress` draws: "quantize  [####------]  41 %  12.0 s left".
std::string progress_line(std::string_view what, double done, std::optional<double> seconds_left);

}  // namespace terse::cli
