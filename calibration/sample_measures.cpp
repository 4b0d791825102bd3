#include "calibration/sample_measures.h"

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "calibration/divergence.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kLogits = "logits";
constexpr std::string_view kHidden = "last_hidden_state";

/// The inputs that say what the rows of an output are; the decoder's where there is one.
struct TokenInputs {
  std::string_view ids, mask;
};
constexpr std::array<TokenInputs, 2> kTokenInputs = {{
    {"decoder_input_ids", "decoder_attention_mask"},
    {"input_ids", "attention_mask"},
}};

const Tensor* find(const Sample& sample, std::string_view name) {
  const auto found = sample.find(name);
  return found == sample.end() ? nullptr : &found->second;
}

/// Which of [batch, tokens] positions hold text.
class Padding {
 public:
  Padding(const Sample& sample, int64_t batch, int64_t tokens) : tokens_(tokens) {
    for (const auto& [ids, mask] : kTokenInputs) {
      if (find(sample, ids) == nullptr) {
        continue;
      }
      const Tensor* tensor = find(sample, mask);
      if (tensor != nullptr && tensor->shape() == Shape{batch, tokens}) {
        kept_ = is_float(tensor->dtype()) ? from_floats(*tensor) : to_int64s(*tensor);
      }
      return;
    }
  }

  bool is_text(int64_t sequence, int64_t token) const {
    return kept_.empty() || kept_[static_cast<size_t>(sequence * tokens_ + token)] != 0;
  }

 private:
  static std::vector<int64_t> from_floats(const Tensor& mask) {
    const Tensor floats = to_f32(mask);
    return {floats.values<float>().begin(), floats.values<float>().end()};
  }

  int64_t tokens_;
  std::vector<int64_t> kept_;
};

/// The rows [batch, tokens, width] of a float tensor of rank 3.
struct Rows {
  explicit Rows(const Tensor& tensor) : floats(to_f32(tensor)) {}

  int64_t batch() const { return floats.shape()[0]; }
  int64_t tokens() const { return floats.shape()[1]; }
  int64_t width() const { return floats.shape()[2]; }
  std::span<const float> at(int64_t sequence, int64_t token) const {
    return floats.values<float>().subspan(static_cast<size_t>((sequence * tokens() + token) * width()),
                                          static_cast<size_t>(width()));
  }

  Tensor floats;
};

struct Case {
  const Measuring& measuring;
  const Sample& sample;
  SampleMeasures& measures;
};

/// The next token of every position, if the ids are known and as long as the rows.
std::vector<int64_t> known_tokens(const Case& of, const Rows& rows) {
  const auto* ids = find_token_ids(of.sample);
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

void score_next(const Case& of, std::span<const float> row, std::span<const float> reference, int64_t next) {
  if (next < 0 || next >= std::ssize(row)) {
    throw Error(Kind::input, "token id {} is outside of the {} logits", next, row.size());
  }
  ++of.measures.predicted;
  of.measures.nll += cross_entropy(row, next);
  of.measures.reference_nll += reference.empty() ? 0 : cross_entropy(reference, next);
}

void measure_language(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  const Padding padding(of.sample, rows.batch(), rows.tokens());
  const auto ids = known_tokens(of, rows);
  const int64_t first = of.measuring.score == Score::second_half ? rows.tokens() / 2 : 0;
  const int64_t end = ids.empty() ? rows.tokens() : rows.tokens() - 1;
  for (int64_t b = 0; b < rows.batch(); ++b) {
    for (int64_t t = first; t < end; ++t) {
      if (!padding.is_text(b, t) || (!ids.empty() && !padding.is_text(b, t + 1))) {
        continue;
      }
      const auto row = rows.at(b, t);
      const auto expected = reference ? reference->at(b, t) : std::span<const float>{};
      score_row(of, row, expected);
      if (!ids.empty()) {
        score_next(of, row, expected, ids[static_cast<size_t>(b * rows.tokens() + t + 1)]);
      }
    }
  }
}

void measure_classes(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  const Padding padding(of.sample, rows.batch(), rows.tokens());
  for (int64_t b = 0; b < rows.batch(); ++b) {
    for (int64_t t = 0; t < rows.tokens(); ++t) {
      if (rows.tokens() > 1 && !padding.is_text(b, t)) {
        continue;
      }
      of.measures.classes.push_back(arg_max(rows.at(b, t)));
      if (reference) {
        of.measures.reference_classes.push_back(arg_max(reference->at(b, t)));
      }
    }
  }
}

/// The mean of a sequence's rows that hold text.
std::vector<float> pool(const Rows& rows, int64_t sequence, const Padding& padding) {
  std::vector<double> sums(static_cast<size_t>(rows.width()));
  for (int64_t t = 0; t < rows.tokens(); ++t) {
    const auto row = rows.at(sequence, t);
    for (size_t i = 0; padding.is_text(sequence, t) && i < row.size(); ++i) {
      sums[i] += static_cast<double>(row[i]);
    }
  }
  return {sums.begin(), sums.end()};  // a cosine does not ask for the divisor
}

void measure_vectors(const Case& of, const Rows& rows, const std::optional<Rows>& reference) {
  const Padding padding(of.sample, rows.batch(), rows.tokens());
  for (int64_t b = 0; reference && b < rows.batch(); ++b) {
    of.measures.cosines.push_back(cosine(pool(*reference, b, padding), pool(rows, b, padding)));
  }
}

/// A tensor [batch, tokens, ...] as rows; one [batch, classes] as one token each.
Tensor as_rows(const Tensor& tensor) {
  const Shape& shape = tensor.shape();
  return tensor.rank() == 2 ? tensor.reshaped({shape[0], 1, shape[1]}) : tensor;
}

SignalNoise compare(const Sample& sample, const Tensor& tested, const Tensor& reference) {
  SignalNoise result;
  if (!is_float(tested.dtype()) || !is_float(reference.dtype()) || tested.count() == 0) {
    return result;
  }
  const Tensor a = to_f32(reference), b = to_f32(tested);
  const int64_t batch = tested.rank() >= 2 ? tested.shape()[0] : 1;
  const int64_t tokens = tested.rank() >= 2 ? tested.shape()[1] : 1;
  const Padding padding(sample, batch, tokens);
  const auto width = static_cast<size_t>(tested.count() / (batch * tokens));
  for (int64_t i = 0; i < batch * tokens; ++i) {
    if (padding.is_text(i / tokens, i % tokens)) {
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
  std::string_view output;  ///< whose rows are measured
  void (*measure)(const Case& of, const Rows& rows, const std::optional<Rows>& reference);
};

constexpr std::array<TaskRow, 6> kTasks = {{
    {Task::language_model, "language model", kLogits, measure_language},
    {Task::masked_model, "masked language model", kLogits, measure_language},
    {Task::token_classifier, "token classifier", kLogits, measure_classes},
    {Task::classifier, "classifier", kLogits, measure_classes},
    {Task::encoder, "encoder", kHidden, measure_vectors},
    {Task::other, "graph", "", nullptr},
}};

const TaskRow& row_of(Task task) { return kTasks.at(static_cast<size_t>(task)); }

const Tensor* find_output(const std::vector<std::string>& names, const std::vector<Tensor>& outputs,
                          std::string_view name) {
  const auto found = std::ranges::find(names, name);
  const Tensor* tensor = found == names.end() ? nullptr : &outputs[static_cast<size_t>(found - names.begin())];
  return tensor != nullptr && is_float(tensor->dtype()) && tensor->count() > 0 ? tensor : nullptr;
}

}  // namespace

std::string_view name(Task task) { return row_of(task).name; }

const Sample::value_type* find_token_ids(const Sample& sample) {
  for (const TokenInputs& inputs : kTokenInputs) {
    if (const auto found = sample.find(inputs.ids); found != sample.end()) {
      return &*found;
    }
  }
  return nullptr;
}

int64_t last_text_token(const Sample& sample, int64_t batch, int64_t tokens) {
  const Padding padding(sample, batch, tokens);
  int64_t last = tokens - 1;
  while (last >= 0 && !padding.is_text(0, last)) {
    --last;
  }
  return last;
}

Task task_of(const std::vector<std::string>& names, const std::vector<Tensor>& outputs,
             std::optional<int64_t> vocabulary, const std::function<bool()>& is_causal) {
  if (const Tensor* logits = find_output(names, outputs, kLogits)) {
    if (logits->rank() == 2) {
      return Task::classifier;
    }
    if (logits->rank() == 3) {
      const bool is_language = !vocabulary || logits->shape()[2] >= *vocabulary;
      const Task language = is_language && is_causal() ? Task::language_model : Task::masked_model;
      return is_language ? language : Task::token_classifier;
    }
  }
  const Tensor* hidden = find_output(names, outputs, kHidden);
  return hidden != nullptr && hidden->rank() == 3 ? Task::encoder : Task::other;
}

SampleMeasures measure_sample(const Measuring& measuring, const Sample& sample, const std::vector<Tensor>& outputs,
                              const std::vector<Tensor>& reference) {
  check_shapes(measuring, outputs, reference);
  SampleMeasures measures;
  const TaskRow& row = row_of(measuring.task);
  if (row.measure != nullptr) {
    const Tensor& tested = *find_output(measuring.outputs, outputs, row.output);
    const Tensor* expected = reference.empty() ? nullptr : find_output(measuring.outputs, reference, row.output);
    row.measure({measuring, sample, measures}, Rows(as_rows(tested)),
                expected == nullptr ? std::nullopt : std::optional<Rows>(as_rows(*expected)));
  }
  for (size_t i = 0; i < reference.size(); ++i) {
    measures.outputs.push_back(compare(sample, outputs[i], reference[i]));
  }
  return measures;
}

}  // namespace terse::calibration
