#pragma once

#include <cstdint>
#include <functional>

namespace terse::calibration {

/// Limits all parallel work of the process while it lives; 0: one thread a core. One at a time, made by the command
/// line.
class ThreadLimit {
 public:
  explicit ThreadLimit(int64_t threads);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  struct Control;
  Control* control_;
};

/// The number of threads that parallel work may use.
int64_t thread_count();

/// Calls body(i) for i in [0, count) on any threads, in any order. The first exception ends the loop and is thrown
/// here. For equal bytes on any number of threads: what one call computes must depend on `i` alone.
void parallel_for(int64_t count, const std::function<void(int64_t)>& body);

/// Cuts [0, count) into pieces of `grain` (the last may be shorter) and calls body(begin, end). The cuts depend on
/// `grain` alone.
void parallel_ranges(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body);

/// Two pieces of work side by side, each with loops of its own; whichever ends first lends its threads to the other.
void run_both(const std::function<void()>& first, const std::function<void()>& second);

}  // namespace terse::calibration
