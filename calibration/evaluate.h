#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calibration/dataset.h"
#include "calibration/sample_measures.h"

namespace terse::calibration {

struct EvaluateOptions {
  Score score = Score::all;
  /// Where the model is a decoder without its encoder (encoder_feed.h), and the reference too; else null. The data's
  /// samples are then those of the whole.
  const Model* encoder = nullptr;
  const Model* reference_encoder = nullptr;
  std::function<void(double done)> progress;  ///< may be empty; `done` in [0, 1]; never called by two threads at once
};

/// How well a model does on data, and how far it is from a reference. What the task or the data does not give is
/// absent; what is not a finite number is NaN or infinite and says that the model is broken.
struct Evaluation {
  Task task = Task::other;
  Score score = Score::all;
  int64_t samples = 0;
  int64_t rows = 0;  ///< scored: tokens of language models, sequences or tokens of classifiers
  std::optional<double> perplexity, reference_perplexity;
  std::optional<double> pseudo_perplexity, reference_pseudo_perplexity;  ///< of masked models: see mask_tokens
  std::optional<double> kl_mean, kl_median, kl_p99;                      ///< KL(reference || model) a row, nats
  std::optional<double> top1;                                            ///< share of rows with the reference's arg-max
  std::optional<double> agreement;  ///< the same of classifiers, and of detectors' signs
  std::optional<double> accuracy, reference_accuracy;
  std::optional<double> cosine_mean, cosine_worst;  ///< of pooled vectors; worst: the mean of the lowest 1 %
  struct Output {
    std::string name;
    double snr_db = 0;
  };
  std::vector<Output> outputs;  ///< with a reference: every float output
  std::string rule;             ///< what was counted, in words
};

/// Runs all samples through the model and, if it is not null, the reference; sample by sample, so that no outputs are
/// stored. Masked language models see each sample kOneTokenIn times with masks, if the data has a mask token; detectors
/// see it with replaced tokens (probes.h). Vectors of tokens are pooled as the sentence_pooling.h of the model's
/// folder, or else the reference's, says; else the mean. Samples run in parallel and are added in their order: the same
/// digits on any number of threads. Errors: those of Executor; input if the outputs of the two do not match.
Evaluation evaluate(const Model& model, const Model* reference, const Dataset& data, const EvaluateOptions& options);

/// The measures of all samples as figures.
Evaluation summarize(const Measuring& measuring, const std::vector<SampleMeasures>& samples,
                     const std::vector<int64_t>& labels);

/// What task the model has, judged by running one sample (language models: another with its last token changed, to
/// see whether earlier rows look at later tokens).
Task find_task(const Model& model, const Executor& executor, const Sample& sample);

/// `sample`, made for another model, as one for this: inputs that it does not have dropped, others added.
Sample adapt_sample(const Model& model, const Sample& sample);

}  // namespace terse::calibration
