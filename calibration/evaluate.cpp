#include "calibration/evaluate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "calibration/encoder_feed.h"
#include "calibration/inputs.h"
#include "calibration/parallel.h"
#include "calibration/text_samples.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

/// Calls back as samples are done, one thread at a time.
class Progress {
 public:
  Progress(const std::function<void(double)>& report, size_t samples) : report_(report), samples_(samples) {}

  void step() {
    const std::lock_guard lock(mutex_);
    ++done_;
    if (report_) {
      report_(static_cast<double>(done_) / static_cast<double>(samples_));
    }
  }

 private:
  const std::function<void(double)>& report_;
  std::mutex mutex_;
  size_t samples_, done_ = 0;
};

/// A model, ready to run; its errors say which one it is.
struct Tested {
  Tested(const Model& tested, const Model* encoder, const ExecutorOptions& options)
      : model(tested), executor(with_context(path(), [&] { return Executor(tested, options); })) {
    if (encoder != nullptr) {
      feed.emplace(*encoder);
    }
  }

  std::string path() const { return model.path.string(); }
  Sample adapt(const Sample& sample) const { return feed ? feed->feed(model, sample) : adapt_sample(model, sample); }
  std::vector<Tensor> run(const Sample& sample) const {
    return with_context(path(), [&] { return executor.run(adapt(sample)); });
  }

  const Model& model;
  std::optional<EncoderFeed> feed;
  Executor executor;
};

/// The sample with another token at `position` of its first sequence.
Sample with_another_token(const Sample& sample, int64_t position, int64_t vocabulary) {
  const auto& [name, ids] = *find_token_ids(sample);
  auto numbers = to_int64s(ids);
  int64_t& number = numbers[static_cast<size_t>(position)];
  number = (number + 1) % vocabulary;
  Sample changed = sample;
  changed[name] = Tensor::of<int64_t>(ids.shape(), numbers);
  return changed;
}

/// False if rows of logits change with a token that comes after them.
bool looks_back_only(const Model& model, const Executor& executor, const Sample& sample, const Tensor& logits,
                     size_t output) {
  const auto* ids = find_token_ids(sample);
  const int64_t tokens = logits.shape()[1], vocabulary = logits.shape()[2];
  const int64_t last = last_text_token(sample, logits.shape()[0], tokens);
  if (ids == nullptr || ids->second.shape() != Shape{logits.shape()[0], tokens} || last < 1) {
    return true;
  }
  Sample changed = with_another_token(sample, last, vocabulary);
  complete_sample(model, changed);  // for the ids' declared type
  const Tensor before = to_f32(logits), after = to_f32(executor.run(changed)[output]);
  const auto earlier = static_cast<size_t>(last * vocabulary);
  SignalNoise difference;
  difference.add(before.values<float>().first(earlier), after.values<float>().first(earlier));
  constexpr double kSame = 60;  // dB: quantized activations may shift a little, attention to the token does much more
  return difference.db() > kSame;
}

/// True if logits [batch, tokens] have as many columns as there are tokens because each is a token's: with a token less
/// there is a column less.
bool has_column_a_token(const Model& model, const Executor& executor, const Sample& sample, size_t output) {
  const Shape whole = find_token_ids(sample)->second.shape();
  if (whole[1] < 2) {
    return false;
  }
  Sample shorter;
  for (const auto& [name, tensor] : sample) {
    if (tensor.shape() == whole && is_integer(tensor.dtype())) {
      auto numbers = to_int64s(tensor);
      for (int64_t row = whole[0] - 1; row >= 0; --row) {
        numbers.erase(numbers.begin() + (row + 1) * whole[1] - 1);
      }
      shorter.emplace(name, Tensor::of<int64_t>({whole[0], whole[1] - 1}, numbers));
    } else {
      shorter.emplace(name, tensor);
    }
  }
  complete_sample(model, shorter);
  return executor.run(shorter)[output].shape() == Shape{whole[0], whole[1] - 1};
}

/// A size that the graph declares for the second dimension of an output.
bool is_width_fixed(const Graph& graph, std::string_view output) {
  const auto id = graph.find(output);
  const auto& type = graph.value(*id).type;
  return type && type->shape && type->shape->size() == 2 && (*type->shape)[1].size >= 0;
}

std::string masked_rule(const Measuring& measuring) {
  return measuring.mask_token
             ? fmt::format(
                   "every token but the first and last of its text, masked one in {} at a time, so in {} runs, "
                   "padding excluded: a pseudo-perplexity",
                   kOneTokenIn, kOneTokenIn)
             : "every token of its sample, padding excluded; no perplexity, since rows look at later tokens and no "
               "mask "
               "token is known";
}

std::string pooled_rule(const SentencePooling& pooling) {
  std::string modes;
  for (const Pooling mode : pooling.modes) {
    modes += fmt::format("{}{}", modes.empty() ? "" : " and ", name(mode));
  }
  return fmt::format(
      "every sequence: the {} of its tokens, padding excluded{}{}{}", modes,
      pooling.is_normalized ? ", normalised" : "",
      pooling.not_computed.empty() ? "" : ", without what stands behind: ", fmt::join(pooling.not_computed, ", "));
}

std::string rule_of(const Measuring& measuring) {
  const std::string_view where = measuring.score == Score::second_half ? "the second half of its sample" : "its sample";
  switch (measuring.task) {
    case Task::language_model:
      return fmt::format("every token with a next one in {}, padding excluded; samples do not share context", where);
    case Task::masked_model:
      return masked_rule(measuring);
    case Task::token_classifier:
      return "every token, padding excluded";
    case Task::classifier:
      return "every sequence";
    case Task::token_detector:
      return fmt::format(
          "every token but the first and last of its text, padding excluded, one in {} replaced by another of the "
          "text; "
          "right is the sign of a logit that tells them apart",
          kOneTokenIn);
    case Task::encoder:
      return pooled_rule(measuring.pooling);
    case Task::sentence_encoder:
      return "every sequence: the graph's own sentence_embedding";
    case Task::other:
      break;
  }
  return "every output, padding excluded";
}

/// What the model is to see of a sample.
std::vector<Probe> probes_of(const Measuring& measuring, const Sample& sample) {
  if (measuring.task == Task::masked_model && measuring.mask_token) {
    return mask_tokens(sample, *measuring.mask_token);
  }
  if (measuring.task == Task::token_detector) {
    return {replace_tokens(sample)};
  }
  return {{.sample = sample, .places = {}}};
}

/// Repositories of sentence-transformers keep ONNX files in a folder `onnx` of their own.
SentencePooling pooling_of(const Model& model, const Model* reference) {
  std::vector<std::filesystem::path> folders;
  for (const Model* of : {&model, reference}) {
    if (of != nullptr) {
      folders.push_back(setting_folders(*of, of->path).front());
      if (folders.back().filename() == "onnx") {
        folders.push_back(folders.back() / "..");
      }
    }
  }
  return find_sentence_pooling(folders).value_or(SentencePooling());
}

double share(const std::vector<int64_t>& found, const std::vector<int64_t>& expected) {
  int64_t same = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    same += found[i] == expected[i] ? 1 : 0;
  }
  return static_cast<double>(same) / static_cast<double>(found.size());
}

/// All samples' sums and lists, added in their order.
SampleMeasures total(const std::vector<SampleMeasures>& samples) {
  SampleMeasures sum;
  for (const SampleMeasures& sample : samples) {
    sum.add(sample);
  }
  return sum;
}

void summarize_language(SampleMeasures& sum, bool has_reference, Evaluation& evaluation) {
  if (sum.predicted > 0) {
    const auto count = static_cast<double>(sum.predicted);
    const bool is_masked = evaluation.task == Task::masked_model;
    (is_masked ? evaluation.pseudo_perplexity : evaluation.perplexity) = std::exp(sum.nll / count);
    if (has_reference) {
      (is_masked ? evaluation.reference_pseudo_perplexity : evaluation.reference_perplexity) =
          std::exp(sum.reference_nll / count);
    }
  }
  if (!sum.kl.empty()) {
    evaluation.top1 = static_cast<double>(sum.same_top) / static_cast<double>(sum.kl.size());
    evaluation.kl_mean = mean(sum.kl);
    const bool is_finite = std::isfinite(*evaluation.kl_mean);  // NaN cannot be sorted
    evaluation.kl_median = is_finite ? quantile(sum.kl, 0.5) : NAN;
    evaluation.kl_p99 = is_finite ? quantile(sum.kl, 0.99) : NAN;
  }
}

void summarize_classes(const SampleMeasures& sum, const std::vector<int64_t>& labels, Evaluation& evaluation) {
  if (sum.classes.empty()) {
    return;
  }
  evaluation.rows = std::ssize(sum.classes);
  const bool has_reference = !sum.reference_classes.empty();
  if (has_reference) {
    evaluation.agreement = share(sum.classes, sum.reference_classes);
  }
  if (labels.empty()) {
    return;
  }
  if (labels.size() != sum.classes.size()) {
    throw Error(Kind::input, "{} labels for {} classified rows, expected one each", labels.size(), sum.classes.size());
  }
  evaluation.accuracy = share(sum.classes, labels);
  if (has_reference) {
    evaluation.reference_accuracy = share(sum.reference_classes, labels);
  }
}

}  // namespace

Evaluation summarize(const Measuring& measuring, const std::vector<SampleMeasures>& samples,
                     const std::vector<int64_t>& labels) {
  SampleMeasures sum = total(samples);
  Evaluation evaluation{.task = measuring.task, .score = measuring.score, .samples = std::ssize(samples)};
  evaluation.rows = sum.rows;
  summarize_language(sum, !sum.outputs.empty(), evaluation);
  summarize_classes(sum, sum.labels.empty() ? labels : sum.labels, evaluation);
  if (!sum.cosines.empty()) {
    evaluation.rows = std::ssize(sum.cosines);
    evaluation.cosine_mean = mean(sum.cosines);
    evaluation.cosine_worst = std::isfinite(*evaluation.cosine_mean) ? worst_percent(sum.cosines) : NAN;
  }
  for (size_t i = 0; i < sum.outputs.size(); ++i) {
    if (sum.outputs[i].signal != 0 || sum.outputs[i].noise != 0) {
      evaluation.outputs.push_back({measuring.outputs[i], sum.outputs[i].db()});
    }
  }
  evaluation.rule = rule_of(measuring);
  return evaluation;
}

Task find_task(const Model& model, const Executor& executor, const Sample& sample) {
  const auto outputs = executor.run(sample);
  const auto& names = executor.output_names();
  const auto* ids = find_token_ids(sample);
  const auto vocabulary = ids == nullptr ? std::nullopt : find_vocabulary(model.graph, ids->first);
  const auto logits = static_cast<size_t>(std::ranges::find(names, "logits") - names.begin());
  return task_of(names, outputs, sample, vocabulary,
                 {.is_causal = [&] { return looks_back_only(model, executor, sample, outputs[logits], logits); },
                  .is_per_token =
                      [&] {
                        return !is_width_fixed(model.graph, "logits") &&
                               has_column_a_token(model, executor, sample, logits);
                      }});
}

Sample adapt_sample(const Model& model, const Sample& sample) {
  Sample adapted;
  for (const ValueId id : real_inputs(model.graph)) {
    if (const auto found = sample.find(model.graph.value(id).name); found != sample.end()) {
      adapted.insert(*found);
    }
  }
  complete_sample(model, adapted);
  return adapted;
}

Evaluation evaluate(const Model& model, const Model* reference, const Dataset& data, const EvaluateOptions& options) {
  const Tested tested(model, options.encoder, {});
  std::optional<Tested> truth;
  if (reference != nullptr) {
    truth.emplace(*reference, options.reference_encoder, ExecutorOptions{.outputs = tested.executor.output_names()});
  }
  const Measuring measuring{.task = find_task(model, tested.executor, tested.adapt(data.samples.front())),
                            .score = options.score,
                            .outputs = tested.executor.output_names(),
                            .pooling = pooling_of(model, reference),
                            .mask_token = data.mask_token};
  std::vector<SampleMeasures> measures(data.samples.size());
  Progress progress(options.progress, data.samples.size());
  parallel_for(std::ssize(data.samples), [&](int64_t i) {
    for (const Probe& probe : probes_of(measuring, data.samples[static_cast<size_t>(i)])) {
      const auto expected = truth ? truth->run(probe.sample) : std::vector<Tensor>{};
      measures[static_cast<size_t>(i)].add(measure_sample(measuring, probe, tested.run(probe.sample), expected));
    }
    progress.step();
  });
  Evaluation evaluation = summarize(measuring, measures, data.labels);
  evaluation.rule += data.rule.empty() ? "" : "; " + data.rule;
  return evaluation;
}

}  // namespace terse::calibration
