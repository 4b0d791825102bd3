#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "calibration/metrics.h"
#include "calibration/probes.h"
#include "calibration/token_rows.h"
#include "formats/sentence_pooling.h"

namespace terse::calibration {

/// What a model is for, judged by its outputs.
enum class Task {
  language_model,    ///< `logits` [batch, tokens, vocabulary], each row the next token
  masked_model,      ///< the same, each row the token itself: looks at later tokens too
  token_classifier,  ///< `logits` [batch, tokens, classes]
  classifier,        ///< `logits` [batch, classes]
  token_detector,    ///< `logits` [batch, tokens], above zero for tokens that were replaced
  encoder,           ///< `last_hidden_state` or `token_embeddings` [batch, tokens, width]
  sentence_encoder,  ///< `sentence_embedding` [batch, width]
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
  std::vector<std::string> outputs;                  ///< names, in the order of the tensors
  SentencePooling pooling = {};                      ///< of encoders
  std::optional<int64_t> mask_token = std::nullopt;  ///< of masked models
};

/// What one sample contributes. Sums and lists, so that samples can be measured in any order and added in theirs.
struct SampleMeasures {
  std::vector<double> kl;  ///< a scored row each
  int64_t rows = 0;        ///< scored
  int64_t same_top = 0;    ///< rows with the same arg-max as the reference's
  int64_t predicted = 0;   ///< rows with a known token
  double nll = 0;          ///< of those tokens, nats, summed
  double reference_nll = 0;
  std::vector<int64_t> classes, reference_classes;  ///< the arg-max of a classifier's rows, the sign of a detector's
  std::vector<int64_t> labels;                      ///< of classes, where a probe knows them
  std::vector<double> cosines;                      ///< of pooled vectors, one a sequence
  std::vector<SignalNoise> outputs;                 ///< with a reference: as Measuring::outputs; of other types zero

  void add(const SampleMeasures& other);
};

/// `reference` is empty or has a tensor for each of `outputs`. Padding rows (attention_mask 0) do not count; where the
/// probe has places, only those do. Error input if the reference's outputs have other shapes.
SampleMeasures measure_sample(const Measuring& measuring, const Probe& probe, const std::vector<Tensor>& outputs,
                              const std::vector<Tensor>& reference);

/// What cannot be told from the outputs of one sample; asked only if it matters.
struct TaskQuestions {
  std::function<bool()> is_causal;     ///< whether no row of the logits looks at later tokens
  std::function<bool()> is_per_token;  ///< whether logits [batch, n] of n tokens have one for each token
};

/// The task, from the outputs of one sample.
Task task_of(const std::vector<std::string>& names, const std::vector<Tensor>& outputs, const Sample& sample,
             std::optional<int64_t> vocabulary, const TaskQuestions& questions);

/// The last token of the first of `batch` sequences of `tokens` that is no padding; -1 if all are.
int64_t last_text_token(const Sample& sample, int64_t batch, int64_t tokens);

}  // namespace terse::calibration
