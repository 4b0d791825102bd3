#include "calibration/smoke.h"

#include <algorithm>
#include <cmath>

#include "calibration/divergence.h"
#include "calibration/inputs.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kSequences = 2;
constexpr int64_t kTokens = 32;  // enough to see nonsense

/// Knuth's MMIX generator: the same numbers everywhere.
class Random {
 public:
  double uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }
  int64_t below(int64_t limit) { return static_cast<int64_t>(uniform() * static_cast<double>(limit)); }
  /// Sum of uniforms: near enough to a normal number of variance 1.
  float normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) {
      sum += uniform();
    }
    return static_cast<float>(sum);
  }

 private:
  uint64_t state_ = 0x7e45e;
};

/// The declared sizes; symbols become `sequences` in front and `otherwise` behind.
Shape concrete_shape(const Value& value, int64_t sequences, int64_t otherwise) {
  if (!value.type || !value.type->shape) {
    throw Error(Kind::unsupported, "the graph does not say the shape of input '{}'", value.name);
  }
  Shape shape;
  for (const Dimension& dimension : *value.type->shape) {
    const int64_t symbolic = shape.empty() ? sequences : otherwise;
    shape.push_back(dimension.size >= 0 ? dimension.size : symbolic);
  }
  return shape;
}

/// Random contents for an input without a default: token ids, numbers, or zeros where anything else may be meant.
Tensor make_input(const Graph& graph, const Value& value, Random& random) {
  const bool is_ids = value.name.ends_with("input_ids");
  const Shape shape = concrete_shape(value, is_ids ? kSequences : 1, is_ids ? kTokens : 1);
  if (is_float(value.type->dtype)) {
    Tensor numbers = Tensor::make(DType::f32, shape);
    std::ranges::generate(numbers.mutable_values<float>(), [&] { return random.normal(); });
    return from_f32(numbers, value.type->dtype);
  }
  Tensor ids = Tensor::make(DType::i64, shape);
  const int64_t vocabulary = find_vocabulary(graph, value.name).value_or(1);
  std::ranges::generate(ids.mutable_values<int64_t>(), [&] { return random.below(vocabulary); });
  return ids;
}

Sample random_sample(const Model& model, Random& random) {
  Sample sample;
  for (const ValueId id : real_inputs(model.graph)) {
    const Value& value = model.graph.value(id);
    if (!has_default(value.name)) {
      sample[value.name] = make_input(model.graph, value, random);
    }
  }
  complete_sample(model, sample);
  return sample;
}

/// A token drawn from the softmax of `row`.
int64_t draw(std::span<const float> row, Random& random) {
  double left = random.uniform();
  const double total = log_sum_exp(row);
  for (size_t i = 0; i < row.size(); ++i) {
    left -= std::exp(static_cast<double>(row[i]) - total);
    if (left <= 0) {
      return static_cast<int64_t>(i);
    }
  }
  return arg_max(row);
}

/// The same ids with every token but the first of each sequence drawn from what the model says after those before it:
/// closer to text than random ids are, for one run where writing token by token would take one a token.
Tensor redraw(const Tensor& ids, const Tensor& logits, Random& random) {
  const int64_t tokens = ids.shape()[1], vocabulary = logits.shape()[2];
  const Tensor floats = to_f32(logits);
  Tensor drawn = Tensor::of<int64_t>(ids.shape(), to_int64s(ids));
  const auto out = drawn.mutable_values<int64_t>();
  for (int64_t i = 0; i < drawn.count(); ++i) {
    if (i % tokens != 0) {
      const auto row = static_cast<size_t>((i - 1) * vocabulary);
      out[static_cast<size_t>(i)] = draw(floats.values<float>().subspan(row, static_cast<size_t>(vocabulary)), random);
    }
  }
  return drawn;
}

/// Logits of the first token, which later tokens do not change in a causal model.
bool has_same_first_row(const Tensor& a, const Tensor& b) {
  const auto width = static_cast<size_t>(a.shape()[2]);
  return cosine(to_f32(a).values<float>().first(width), to_f32(b).values<float>().first(width)) > 0.9999;
}

/// What the original says.
struct Truth {
  Measuring measuring;
  Sample sample;
  std::vector<Tensor> outputs;
};

Truth run_original(const Model& model) {
  Random random;
  const Executor executor(model, {.outputs = {}, .residency = Residency::stream});
  const auto& names = executor.output_names();
  Truth truth{.measuring = {.outputs = names}, .sample = random_sample(model, random), .outputs = {}};
  truth.outputs = executor.run(truth.sample);
  const auto* ids = find_token_ids(truth.sample);
  const auto vocabulary = ids == nullptr ? std::nullopt : find_vocabulary(model.graph, ids->first);
  truth.measuring.task = task_of(names, truth.outputs, vocabulary, [] { return true; });
  if (truth.measuring.task == Task::language_model) {
    const auto index = static_cast<size_t>(std::ranges::find(names, "logits") - names.begin());
    const Tensor before = truth.outputs[index];
    truth.sample[ids->first] = redraw(ids->second, before, random);
    truth.outputs = executor.run(truth.sample);
    if (!has_same_first_row(before, truth.outputs[index])) {
      truth.measuring.task = Task::masked_model;
    }
  }
  return truth;
}

double worst_cosine(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  double worst = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    if (is_float(a[i].dtype()) && is_float(b[i].dtype())) {
      const double found = cosine(to_f32(a[i]).values<float>(), to_f32(b[i]).values<float>());
      worst = found >= worst ? worst : found;  // NaN stays
    }
  }
  return worst;
}

SmokeCheck compare(const Model& original, const Model& compressed) {
  const Truth truth = run_original(original);
  const Executor executor(compressed, {.outputs = truth.measuring.outputs, .residency = Residency::stream});
  const auto outputs = executor.run(adapt_sample(compressed, truth.sample));
  const Evaluation found =
      summarize(truth.measuring, {measure_sample(truth.measuring, truth.sample, outputs, truth.outputs)}, {});
  SmokeCheck check{.has_run = true, .reason = "", .task = found.task};
  check.is_finite = std::ranges::none_of(found.outputs, [](const auto& output) { return std::isnan(output.snr_db); });
  if (found.kl_mean) {
    check.kl_mean = found.kl_mean;
  } else {
    check.cosine = worst_cosine(truth.outputs, outputs);
  }
  return check;
}

}  // namespace

SmokeCheck smoke_check(const Model& original, const Model& compressed) {
  try {
    return compare(original, compressed);
  } catch (const Error& error) {
    SmokeCheck check;
    check.reason = error.what();
    return check;
  }
}

}  // namespace terse::calibration
