#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "calibration/metrics.h"

namespace terse::calibration {

/// What a model is for, judged by its outputs.
enum class Task {
  language_model,    ///< `logits` [batch, tokens, vocabulary], each row the next token
  masked_model,      ///< the same, each row the token itself: looks at later tokens too
  token_classifier,  ///< `logits` [batch, tokens, classes]
  classifier,        ///< `logits` [batch, classes]
  encoder,           ///< `last_hidden_state` [batch, tokens, width]
  other,
};

std::string_view name(Task task);

/// Which rows of a window count.
enum class Score {
  all,
  second_half,  ///< rows from half the window's tokens on: what llama.cpp's perplexity counts
};

/// How every sample is measured.
struct Measuring {
  Task task = Task::other;
  Score score = Score::all;
  std::vector<std::string> outputs;  ///< names, in the order of the tensors
};

/// What one sample contributes. Sums and lists, so that samples can be measured in any order and added in theirs.
struct SampleMeasures {
  std::vector<double> kl;  ///< a scored row each
  int64_t rows = 0;        ///< scored
  int64_t same_top = 0;    ///< rows with the same arg-max as the reference's
  int64_t predicted = 0;   ///< rows with a known next token
  double nll = 0;          ///< of those tokens, nats, summed
  double reference_nll = 0;
  std::vector<int64_t> classes, reference_classes;  ///< the arg-max of a classifier's rows
  std::vector<double> cosines;                      ///< of pooled vectors, one a sequence
  std::vector<SignalNoise> outputs;                 ///< with a reference: as Measuring::outputs; of other types zero
};

/// `reference` is empty or has a tensor for each of `outputs`. Padding rows (attention_mask 0) do not count. Error
/// input if the reference's outputs have other shapes.
SampleMeasures measure_sample(const Measuring& measuring, const Sample& sample, const std::vector<Tensor>& outputs,
                              const std::vector<Tensor>& reference);

/// The task, from the outputs of one sample. Tells masked from causal language models by `is_causal`, which is asked
/// only if it matters.
Task task_of(const std::vector<std::string>& names, const std::vector<Tensor>& outputs,
             std::optional<int64_t> vocabulary, const std::function<bool()>& is_causal);

/// The token ids that the logits' rows stand for, and their input's name; nullptr if there are none.
const Sample::value_type* find_token_ids(const Sample& sample);

/// The last token of the first of `batch` sequences of `tokens` that is no padding; -1 if all are.
int64_t last_text_token(const Sample& sample, int64_t batch, int64_t tokens);

}  // namespace terse::calibration
