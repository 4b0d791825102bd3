#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "cli/command.h"

namespace terse::cli {

/// A bar with the time left on standard error, if that is a terminal and --quiet is not given; else
/// nothing. Grey unless NO_COLOR is set. It is erased when it ends.
class Progress {
 public:
  explicit Progress(const GlobalOptions& options);
  ~Progress() { erase(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` in [0, 1]. Another `what` starts another bar. Redraws ten times a second at most.
  void update(std::string_view what, double done);
  void erase();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_shown_;
  bool is_coloured_;
  bool is_drawn_ = false;
  std::string what_;
  Clock::time_point start_, drawn_;
};

/// The line that `Progress` draws: "quantize  [####------]  41 %  12.0 s left".
std::string progress_line(std::string_view what, double done, double elapsed_seconds);

}  // namespace terse::cli
