#pragma once

#include <filesystem>
#include <memory>

namespace terse::cli {

/// Ends the program on SIGINT, SIGTERM and SIGHUP with exit code 128 + signal, whatever its threads are doing, and
/// leaves no temporary file behind. A thread of its own waits for the signals (a handler could do next to nothing); all
/// others block them, so make it before any other thread starts.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  /// From now on this process may have temporary files beside `path`.
  void will_write(const std::filesystem::path& path);

  /// An interrupted run leaves this file, if it has made it, and says so.
  void will_keep(const std::filesystem::path& path);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace terse::cli
