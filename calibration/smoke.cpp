#include "calibration/smoke.h"

#include <algorithm>
#include <cmath>

#include "calibration/divergence.h"
#include "calibration/inputs.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kSequences = 4;
constexpr int64_t kTokens = 24;  // enough to see nonsense; of a text each one costs a run of the original

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

const Value* find_ids_input(const Graph& graph) {
  for (const ValueId id : real_inputs(graph)) {
    const Value& value = graph.value(id);
    if (value.name == "input_ids" || value.name == "decoder_input_ids") {
      return &value;
    }
  }
  return nullptr;
}

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
Tensor make_input(const Graph& graph, const Value& value, int64_t tokens, Random& random) {
  const bool is_ids = value.name.ends_with("input_ids");
  const Shape shape = concrete_shape(value, is_ids ? kSequences : 1, is_ids ? tokens : 1);
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

Sample random_sample(const Model& model, int64_t tokens, Random& random) {
  Sample sample;
  for (const ValueId id : real_inputs(model.graph)) {
    const Value& value = model.graph.value(id);
    if (!has_default(value.name)) {
      sample[value.name] = make_input(model.graph, value, tokens, random);
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

/// The ids with one more token a sequence, drawn from the last row of `logits`.
Tensor append_tokens(const Tensor& ids, const Tensor& logits, Random& random) {
  const int64_t batch = ids.shape()[0], tokens = ids.shape()[1], vocabulary = logits.shape()[2];
  const auto old = to_int64s(ids);
  const Tensor floats = to_f32(logits);
  Tensor longer = Tensor::make(DType::i64, {batch, tokens + 1});
  const auto out = longer.mutable_values<int64_t>();
  for (int64_t b = 0; b < batch; ++b) {
    const auto begin = out.begin() + b * (tokens + 1);
    std::copy_n(old.begin() + b * tokens, tokens, begin);
    const auto last = static_cast<size_t>(((b + 1) * tokens - 1) * vocabulary);
    begin[tokens] = draw(floats.values<float>().subspan(last, static_cast<size_t>(vocabulary)), random);
  }
  return longer;
}

/// Texts that a language model writes, each from a random first token.
Sample write_text(const Model& model, const Executor& executor, Random& random) {
  Sample sample = random_sample(model, 1, random);
  const auto& names = executor.output_names();
  const auto index = static_cast<size_t>(std::ranges::find(names, "logits") - names.begin());
  const std::string name = find_token_ids(sample)->first;
  while (sample.at(name).shape()[1] < kTokens) {
    const Tensor longer = append_tokens(sample.at(name), executor.run(sample)[index], random);
    std::erase_if(sample, [](const auto& entry) { return has_default(entry.first); });
    sample[name] = longer;
    complete_sample(model, sample);
  }
  return sample;
}

/// A text can grow if the graph has one input for it, of any length.
bool can_write(const Model& model, Task task) {
  const Value* ids = find_ids_input(model.graph);
  return task == Task::language_model && ids != nullptr && ids->name == "input_ids" && ids->type && ids->type->shape &&
         ids->type->shape->size() == 2 && ids->type->shape->back().size < 0;
}

/// What the original says.
struct Truth {
  Measuring measuring;
  Sample sample;
  std::vector<Tensor> outputs;
};

Truth run_original(const Model& model) {
  Random random;
  const Executor executor(model);
  Truth truth{.measuring = {.outputs = executor.output_names()},
              .sample = random_sample(model, kTokens, random),
              .outputs = {}};
  truth.measuring.task = find_task(model, executor, truth.sample);
  if (can_write(model, truth.measuring.task)) {
    truth.sample = write_text(model, executor, random);
  }
  truth.outputs = executor.run(truth.sample);
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
  const Executor executor(compressed, {.outputs = truth.measuring.outputs});
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
