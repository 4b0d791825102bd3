#include "calibration/sample_measures.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "calibration/divergence.h"
#include "calibration/sentence_vectors.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kLogits = "logits";
constexpr std::array<std::string_view, 2> kHidden = {"last_hidden_state", "token_embeddings"};
constexpr std::string_view kSentence = "sentence_embedding";

struct Case {
  const Measuring& measuring;
  const Probe& probe;
  SampleMeasures& measures;

  const Sample& sample() const { return probe.sample; }
};

/// The next token of every position, if the ids are known and as long as the rows.
std::vector<int64_t> known_tokens(const Case& of, const Rows& rows) {
  const auto* ids = find_token_ids(of.sample());
  const bool fits = ids != nullptr && ids->second.shape() == Shape{rows.batch(), rows.tokens()};
  return fits && of.measuring.task == Task::language_model ? to_int64s(ids->second) : std::vector<int64_t>{};
}

void score_row(const Case& of, std::span<const float> row, std::span<const float> reference) {
  ++of.measures.rows;
  if (!reference.empty()) {
    const Divergence found = divergence(reference, row);
    of.measures.kl.push_back(found.kl);
    of.measures.same_top += found.same_top ? 1 : 0;
  }
}

void score_token(const Case& of, std::span<const float> row, std::span<const float> reference, int64_t token) {
  if (token < 0 || token >= std::ssize(row)) {
    throw Error(Kind::input, "token id {} is outside of the {} logits", token, row.size());
  }
  ++of.measures.predicted;
  of.measures.nll += cross_entropy(row, token);
  of.measures.reference_nll += reference.empty() ? 0 : cross_entropy(reference, token);
}

std::span<const float> row_at(const std::optional<Rows>& rows, int64_t sequence, int64_t token) {
  return rows ? rows->at(sequence, token) : std::span<const float>{};
}

void measure_language(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  const TextPositions text(of.sample(), rows.batch(), rows.tokens());
  const auto ids = known_tokens(of, rows);
  const int64_t first = of.measuring.score == Score::second_half ? rows.tokens() / 2 : 0;
  const int64_t end = ids.empty() ? rows.tokens() : rows.tokens() - 1;
  for (int64_t b = 0; b < rows.batch(); ++b) {
    for (int64_t t = first; t < end; ++t) {
      if (!text.is_text(b, t) || (!ids.empty() && !text.is_text(b, t + 1))) {
        continue;
      }
      const auto row = rows.at(b, t);
      const auto expected = row_at(reference, b, t);
      score_row(of, row, expected);
      if (!ids.empty()) {
        score_token(of, row, expected, ids[static_cast<size_t>(b * rows.tokens() + t + 1)]);
      }
    }
  }
}

/// What a masked model says of the tokens behind its masks.
void measure_masked(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  if (of.probe.places.empty()) {
    measure_language(of, rows, reference);
    return;
  }
  for (const Place& place : of.probe.places) {
    const auto row = rows.at(place.sequence, place.token);
    const auto expected = row_at(reference, place.sequence, place.token);
    score_row(of, row, expected);
    score_token(of, row, expected, place.label);
  }
}

void measure_classes(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  const TextPositions text(of.sample(), rows.batch(), rows.tokens());
  for (int64_t b = 0; b < rows.batch(); ++b) {
    for (int64_t t = 0; t < rows.tokens(); ++t) {
      if (rows.tokens() > 1 && !text.is_text(b, t)) {
        continue;
      }
      of.measures.classes.push_back(arg_max(rows.at(b, t)));
      if (reference) {
        of.measures.reference_classes.push_back(arg_max(reference->at(b, t)));
      }
    }
  }
}

/// Whether a detector takes tokens for replaced ones.
void measure_detection(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  for (const Place& place : of.probe.places) {
    of.measures.classes.push_back(rows.at(place.sequence, place.token).front() > 0 ? 1 : 0);
    of.measures.labels.push_back(place.label);
    if (reference) {
      of.measures.reference_classes.push_back(reference->at(place.sequence, place.token).front() > 0 ? 1 : 0);
    }
  }
}

void measure_vectors(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  const TextPositions text(of.sample(), rows.batch(), rows.tokens());
  const auto vector = [&](const Rows& of_model, int64_t sequence) {
    return sentence_vector(of_model, sequence, text, of.measuring.pooling.modes);
  };
  for (int64_t b = 0; reference && b < rows.batch(); ++b) {
    of.measures.cosines.push_back(cosine(vector(*reference, b), vector(rows, b)));
  }
}

void measure_sentences(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  for (int64_t b = 0; reference && b < rows.batch(); ++b) {
    of.measures.cosines.push_back(cosine(reference->at(b, 0), rows.at(b, 0)));
  }
}

/// A tensor [batch, tokens, ...] as rows; one [batch, classes] as one token each, a detector's [batch, tokens] as one
/// number each.
Rows as_rows(Task task, const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  if (task == Task::token_detector) {
    return Rows(tensor.reshaped({shape[0], shape[1], 1}));
  }
  return Rows(tensor.rank() == 2 ? tensor.reshaped({shape[0], 1, shape[1]}) : tensor);
}

SignalNoise compare(const Sample& sample, const Tensor& tested, const Tensor& reference) {
  SignalNoise result;
  if (!is_float(tested.dtype()) || !is_float(reference.dtype()) || tested.count() == 0) {
    return result;
  }
  const Tensor a = to_f32(reference), b = to_f32(tested);
  const int64_t batch = tested.rank() >= 2 ? tested.shape()[0] : 1;
  const int64_t tokens = tested.rank() >= 2 ? tested.shape()[1] : 1;
  const TextPositions text(sample, batch, tokens);
  const auto width = static_cast<size_t>(tested.count() / (batch * tokens));
  for (int64_t i = 0; i < batch * tokens; ++i) {
    if (text.is_text(i / tokens, i % tokens)) {
      const size_t begin = static_cast<size_t>(i) * width;
      result.add(a.values<float>().subspan(begin, width), b.values<float>().subspan(begin, width));
    }
  }
  return result;
}

void check_shapes(const Measuring& measuring, const std::vector<Tensor>& outputs,
                  const std::vector<Tensor>& reference) {
  for (size_t i = 0; i < reference.size(); ++i) {
    if (outputs[i].shape() != reference[i].shape()) {
      throw Error(Kind::input, "output '{}' has shape {}, the reference's has {}", measuring.outputs[i],
                  to_string(outputs[i].shape()), to_string(reference[i].shape()));
    }
  }
}

struct TaskRow {
  Task task;
  std::string_view name;
  void (*measure)(const Case& of, const Rows& rows, const std::optional<Rows>& reference);
};

constexpr std::array kTasks = {
    TaskRow{Task::language_model, "language model", measure_language},
    TaskRow{Task::masked_model, "masked language model", measure_masked},
    TaskRow{Task::token_classifier, "token classifier", measure_classes},
    TaskRow{Task::classifier, "classifier", measure_classes},
    TaskRow{Task::token_detector, "replaced token detector", measure_detection},
    TaskRow{Task::encoder, "encoder", measure_vectors},
    TaskRow{Task::sentence_encoder, "sentence encoder", measure_sentences},
    TaskRow{Task::other, "graph", nullptr},
};

const TaskRow& row_of(Task task) { return kTasks.at(static_cast<size_t>(task)); }

const Tensor* find_output(const std::vector<std::string>& names, const std::vector<Tensor>& outputs,
                          std::string_view name) {
  const auto found = std::ranges::find(names, name);
  const Tensor* tensor = found == names.end() ? nullptr : &outputs[static_cast<size_t>(found - names.begin())];
  return tensor != nullptr && is_float(tensor->dtype()) && tensor->count() > 0 ? tensor : nullptr;
}

const Tensor* find_hidden(const std::vector<std::string>& names, const std::vector<Tensor>& outputs) {
  for (const std::string_view hidden : kHidden) {
    const Tensor* tensor = find_output(names, outputs, hidden);
    if (tensor != nullptr && tensor->rank() == 3) {
      return tensor;
    }
  }
  return nullptr;
}

/// The output whose rows are measured.
const Tensor* find_measured(Task task, const std::vector<std::string>& names, const std::vector<Tensor>& outputs) {
  switch (task) {
    case Task::encoder:
      return find_hidden(names, outputs);
    case Task::sentence_encoder:
      return find_output(names, outputs, kSentence);
    default:
      return find_output(names, outputs, kLogits);
  }
}

/// What a model with logits is for, if anything that is known.
std::optional<Task> task_of_logits(const Tensor& logits, const Sample& sample, std::optional<int64_t> vocabulary,
                                   const TaskQuestions& questions) {
  if (logits.rank() == 2) {
    const auto* ids = find_token_ids(sample);
    const bool fits = ids != nullptr && ids->second.shape() == logits.shape();
    return fits && questions.is_per_token() ? Task::token_detector : Task::classifier;
  }
  if (logits.rank() == 3) {
    if (vocabulary && logits.shape()[2] < *vocabulary) {
      return Task::token_classifier;
    }
    return questions.is_causal() ? Task::language_model : Task::masked_model;
  }
  return std::nullopt;
}

template <typename T>
void append(std::vector<T>& all, const std::vector<T>& more) {
  all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

std::string_view name(Task task) { return row_of(task).name; }

void SampleMeasures::add(const SampleMeasures& other) {
  rows += other.rows;
  same_top += other.same_top;
  predicted += other.predicted;
  nll += other.nll;
  reference_nll += other.reference_nll;
  append(kl, other.kl);
  append(classes, other.classes);
  append(reference_classes, other.reference_classes);
  append(labels, other.labels);
  append(cosines, other.cosines);
  outputs.resize(std::max(outputs.size(), other.outputs.size()));
  for (size_t i = 0; i < other.outputs.size(); ++i) {
    outputs[i].add(other.outputs[i]);
  }
}

int64_t last_text_token(const Sample& sample, int64_t batch, int64_t tokens) {
  const TextPositions text(sample, batch, tokens);
  int64_t last = tokens - 1;
  while (last >= 0 && !text.is_text(0, last)) {
    --last;
  }
  return last;
}

Task task_of(const std::vector<std::string>& names, const std::vector<Tensor>& outputs, const Sample& sample,
             std::optional<int64_t> vocabulary, const TaskQuestions& questions) {
  if (const Tensor* logits = find_output(names, outputs, kLogits)) {
    if (const auto task = task_of_logits(*logits, sample, vocabulary, questions)) {
      return *task;
    }
  }
  const Tensor* sentence = find_output(names, outputs, kSentence);
  if (sentence != nullptr && sentence->rank() == 2) {
    return Task::sentence_encoder;
  }
  return find_hidden(names, outputs) != nullptr ? Task::encoder : Task::other;
}

SampleMeasures measure_sample(const Measuring& measuring, const Probe& probe, const std::vector<Tensor>& outputs,
                              const std::vector<Tensor>& reference) {
  check_shapes(measuring, outputs, reference);
  SampleMeasures measures;
  if (const TaskRow& row = row_of(measuring.task); row.measure != nullptr) {
    const Tensor* expected = reference.empty() ? nullptr : find_measured(measuring.task, measuring.outputs, reference);
    row.measure({measuring, probe, measures},
                as_rows(measuring.task, *find_measured(measuring.task, measuring.outputs, outputs)),
                expected == nullptr ? std::nullopt : std::optional(as_rows(measuring.task, *expected)));
  }
  for (size_t i = 0; i < reference.size(); ++i) {
    measures.outputs.push_back(compare(probe.sample, outputs[i], reference[i]));
  }
  return measures;
}

}  // namespace terse::calibration
