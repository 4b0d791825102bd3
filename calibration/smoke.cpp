#include "calibration/smoke.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "calibration/divergence.h"
#include "calibration/inputs.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kSequences = 2;
constexpr int64_t kTokens = 16;     // enough to see nonsense
constexpr double kZipfShift = 100;  // spreads the first ids, of which many are special

/// Knuth's MMIX generator: the same numbers everywhere.
class Random {
 public:
  double uniform() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<double>(state_ >> 11) * 0x1p-53;
  }
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

/// A token as frequent as in text: vocabularies are numbered from the frequent to the rare, and frequencies follow
/// Zipf's law, here 1 / (id + kZipfShift). On a language model of 135M parameters divergences are about those on text
/// that the model writes itself; on ids of equal frequency they are half as large again.
int64_t draw_token(int64_t vocabulary, Random& random) {
  const double ratio = (static_cast<double>(vocabulary) + kZipfShift) / kZipfShift;
  const double id = kZipfShift * std::pow(ratio, random.uniform()) - kZipfShift;
  return std::clamp(static_cast<int64_t>(id), int64_t{0}, vocabulary - 1);
}

bool is_ids(std::string_view input) { return input.ends_with("input_ids"); }

/// Random contents for an input without a default: token ids, numbers, or zeros where anything else may be meant.
Tensor make_input(const Graph& graph, const Value& value, Random& random) {
  const Shape shape = concrete_shape(value, is_ids(value.name) ? kSequences : 1, is_ids(value.name) ? kTokens : 1);
  if (is_float(value.type->dtype)) {
    Tensor numbers = Tensor::make(DType::f32, shape);
    std::ranges::generate(numbers.mutable_values<float>(), [&] { return random.normal(); });
    return from_f32(numbers, value.type->dtype);
  }
  Tensor ids = Tensor::make(DType::i64, shape);
  const int64_t vocabulary = find_vocabulary(graph, value.name).value_or(1);
  std::ranges::generate(ids.mutable_values<int64_t>(), [&] { return draw_token(vocabulary, random); });
  return ids;
}

/// Gives all sequences the first token of the first one, and an encoder's ids altogether: what a language model says
/// after it is then the same unless it looks at later tokens.
void share_beginnings(Sample& sample) {
  const auto* own = find_token_ids(sample);
  for (auto& input : sample) {
    if (!is_ids(input.first) || input.second.rank() != 2 || input.second.dtype() != DType::i64) {
      continue;
    }
    const int64_t tokens = input.second.shape()[1], shared = &input == own ? std::min(tokens, int64_t{1}) : tokens;
    const auto ids = input.second.mutable_values<int64_t>();
    for (int64_t sequence = 1; sequence < input.second.shape()[0]; ++sequence) {
      std::copy_n(ids.begin(), shared, ids.begin() + sequence * tokens);
    }
  }
}

Sample random_sample(const Model& model, Random& random) {
  Sample sample;
  for (const ValueId id : real_inputs(model.graph)) {
    const Value& value = model.graph.value(id);
    if (!has_default(value.name)) {
      sample[value.name] = make_input(model.graph, value, random);
    }
  }
  share_beginnings(sample);
  complete_sample(model, sample);
  return sample;
}

/// Whether the first token's rows are the same in both sequences, which differ behind it.
bool has_same_first_rows(const Tensor& logits) {
  const Tensor floats = to_f32(logits);
  const auto width = static_cast<size_t>(logits.shape()[2]);
  const auto second = floats.values<float>().subspan(floats.values<float>().size() / 2, width);
  return cosine(floats.values<float>().first(width), second) > 0.9999;
}

/// The mean divergence of all rows of logits.
double mean_divergence(const Tensor& reference, const Tensor& tested) {
  const Tensor expected = to_f32(reference), found = to_f32(tested);
  const auto width = static_cast<size_t>(reference.shape().back());
  std::vector<double> rows(static_cast<size_t>(reference.count()) / width);
  parallel_for(std::ssize(rows), [&](int64_t i) {
    const size_t first = static_cast<size_t>(i) * width;
    rows[static_cast<size_t>(i)] =
        divergence(expected.values<float>().subspan(first, width), found.values<float>().subspan(first, width)).kl;
  });
  return mean(rows);
}

/// Exponents of all ones mean infinity or NaN.
bool is_broken(float reference, float tested) {
  constexpr uint32_t kExponent = 0x7f800000;
  const auto is_finite = [](float x) { return (std::bit_cast<uint32_t>(x) & kExponent) != kExponent; };
  return is_finite(reference) && !is_finite(tested);
}

bool is_finite(const std::vector<Tensor>& reference, const std::vector<Tensor>& tested) {
  int64_t broken = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    if (is_float(reference[i].dtype()) && is_float(tested[i].dtype())) {
      const Tensor expected = to_f32(reference[i]), found = to_f32(tested[i]);
      for (size_t k = 0; k < static_cast<size_t>(expected.count()); ++k) {
        broken += is_broken(expected.values<float>()[k], found.values<float>()[k]) ? 1 : 0;
      }
    }
  }
  return broken == 0;
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

}  // namespace

/// The original and what it says.
struct SmokeTest::Truth {
  explicit Truth(const Model& original)
      : model(original), executor(original, {.outputs = {}, .residency = Residency::stream}) {
    Random random;
    sample = random_sample(original, random);
    outputs = executor.run(sample);
  }

  const std::vector<std::string>& names() const { return executor.output_names(); }
  size_t logits() const { return static_cast<size_t>(std::ranges::find(names(), "logits") - names().begin()); }

  Task task() const {
    const auto* ids = find_token_ids(sample);
    const auto vocabulary = ids == nullptr ? std::nullopt : find_vocabulary(model.graph, ids->first);
    return task_of(names(), outputs, sample, vocabulary,
                   {.is_causal =
                        [&] {
                          return outputs[logits()].shape()[0] == kSequences
                                     ? has_same_first_rows(outputs[logits()])
                                     : find_task(model, executor, sample) == Task::language_model;
                        },
                    .is_per_token = [] { return true; }});  // classes are compared as these are
  }

  void check_shapes(const std::vector<Tensor>& tested) const {
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (tested[i].shape() != outputs[i].shape()) {
        throw Error(Kind::input, "output '{}' has shape {}, the original's {}", names()[i],
                    to_string(tested[i].shape()), to_string(outputs[i].shape()));
      }
    }
  }

  SmokeCheck compare(const Model& compressed) const {
    const Executor tested(compressed, {.outputs = names(), .residency = Residency::stream});
    const auto found = tested.run(adapt_sample(compressed, sample));
    check_shapes(found);
    SmokeCheck check{.has_run = true, .reason = "", .task = task()};
    check.is_finite = is_finite(outputs, found);
    if (check.task == Task::language_model || check.task == Task::masked_model) {
      check.kl_mean = mean_divergence(outputs[logits()], found[logits()]);
    } else {
      check.cosine = worst_cosine(outputs, found);
    }
    return check;
  }

  const Model& model;
  Executor executor;
  Sample sample;
  std::vector<Tensor> outputs;
};

SmokeTest::SmokeTest(const Model& original) : original_(original) {}
SmokeTest::~SmokeTest() = default;

void SmokeTest::run_original() {
  try {
    truth_ = std::make_unique<const Truth>(original_);
  } catch (const Error& error) {
    reason_ = error.what();
  }
}

SmokeCheck SmokeTest::check(const Model& compressed) const {
  SmokeCheck failed{.has_run = false, .reason = reason_};
  if (truth_ == nullptr) {
    return failed;
  }
  try {
    return truth_->compare(compressed);
  } catch (const Error& error) {
    failed.reason = error.what();
    return failed;
  }
}

}  // namespace terse::calibration
