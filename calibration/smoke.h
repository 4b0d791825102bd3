#pragma once

#include <memory>
#include <optional>
#include <string>

#include "calibration/evaluate.h"
#include "formats/model.h"

namespace terse::calibration {

/// A first look at whether a compressed model still works.
struct SmokeCheck {
  bool has_run = false;
  std::string reason;  ///< why it has not
  Task task = Task::other;
  bool is_finite = true;          ///< no output of the compressed model is NaN or infinite where the original's is not
  std::optional<double> kl_mean;  ///< language models, nats a token
  std::optional<double> cosine;   ///< other graphs: of the whole output that is furthest from the original's
};

/// Divergence from which on a model is presumably broken, nats a token: one that has lost its language is several nats
/// away, quantization worth having costs a fraction of one.
inline constexpr double kSuspiciousKl = 1;

/// Runs both models once on the same inputs, which need no data and no tokenizer: 2 sequences of 16 tokens drawn with
/// the frequencies of text (Zipf's law), or random numbers where a graph wants none. Finds what is broken as a whole
/// (numbers that are not finite, a language that is lost), and is no measure of quality: see evaluate.h for that.
/// Weights are streamed: neither model is ever in memory as a whole. Never throws for what the graphs are: what cannot
/// run is said in `reason`.
class SmokeTest {
 public:
  /// `original` must outlive the test.
  explicit SmokeTest(const Model& original);
  ~SmokeTest();
  SmokeTest(const SmokeTest&) = delete;
  SmokeTest& operator=(const SmokeTest&) = delete;

  /// The original's part, which needs no compressed model yet: once, before `check`, on any thread.
  void run_original();

  SmokeCheck check(const Model& compressed) const;

 private:
  struct Truth;
  const Model& original_;
  std::unique_ptr<const Truth> truth_;
  std::string reason_;  ///< why there is no truth
};

}  // namespace terse::calibration
