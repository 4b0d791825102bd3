#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace terse::cli {

/// How long each part of a run took.
class Phases {
 public:
  /// Does `work`, gives what it gives, and counts its time under `name`.
  template <typename Work>
  decltype(auto) time(std::string_view name, Work&& work) {
    const Stopwatch watch(*this, name);
    return std::forward<Work>(work)();
  }

  /// Since the making of this object.
  double total_seconds() const { return seconds_since(start_); }

  /// [{"phase": "read", "seconds": 0.1}, ...]
  nlohmann::ordered_json json() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Stopwatch {
    Stopwatch(Phases& to, std::string_view phase) : phases(to), name(phase) {}
    ~Stopwatch() { phases.seconds_.emplace_back(name, seconds_since(start)); }
    Stopwatch(const Stopwatch&) = delete;
    Stopwatch& operator=(const Stopwatch&) = delete;

    Phases& phases;
    std::string_view name;
    Clock::time_point start = Clock::now();
  };

  static double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  }

  Clock::time_point start_ = Clock::now();
  std::vector<std::pair<std::string, double>> seconds_;
};

}  // namespace terse::cli
