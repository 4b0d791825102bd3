#include "calibration/parallel.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_invoke.h>
#include <tbb/task_arena.h>

#include <algorithm>

namespace terse::calibration {

struct ThreadLimit::Control {
  tbb::global_control control;
};

ThreadLimit::ThreadLimit(int64_t threads)
    : control_(new Control{
          tbb::global_control(tbb::global_control::max_allowed_parallelism,
                              static_cast<size_t>(threads > 0 ? threads : tbb::this_task_arena::max_concurrency()))}) {}

ThreadLimit::~ThreadLimit() { delete control_; }

int64_t thread_count() {
  return std::min(static_cast<int64_t>(tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism)),
                  static_cast<int64_t>(tbb::this_task_arena::max_concurrency()));
}

void parallel_for(int64_t count, const std::function<void(int64_t)>& body) {
  // Isolated: a thread that waits for the rest of an inner loop must not begin another turn of an outer one, whose
  // memory would add to what it holds.
  tbb::this_task_arena::isolate([&] { tbb::parallel_for(int64_t{0}, count, body, tbb::simple_partitioner()); });
}

void parallel_ranges(int64_t count, int64_t grain, const std::function<void(int64_t, int64_t)>& body) {
  if (count > 0 && count <= grain) {
    body(0, count);
    return;
  }
  parallel_for((count + grain - 1) / grain, [&](int64_t i) { body(i * grain, std::min(count, (i + 1) * grain)); });
}

void run_both(const std::function<void()>& first, const std::function<void()>& second) {
  tbb::parallel_invoke(first, second);
}

}  // namespace terse::calibration
