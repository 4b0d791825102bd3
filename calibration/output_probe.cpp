#include "calibration/output_probe.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "calibration/divergence.h"
#include "calibration/parallel.h"
#include "calibration/plan.h"
#include "calibration/token_rows.h"

namespace terse::calibration {
namespace {

constexpr int64_t kScoredRows = 128;  // of a sample: comparing rows of large vocabularies costs as much as making them
constexpr std::string_view kLogits = "logits";

double kl_divergence(std::span<const float> reference, std::span<const float> tested) {
  return divergence(reference, tested).kl;
}

double relative_difference(std::span<const float> reference, std::span<const float> tested) {
  double signal = 0, noise = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double value = reference[i], difference = value - static_cast<double>(tested[i]);
    signal += value * value;
    noise += difference * difference;
  }
  return signal > 0 ? noise / signal : 0;
}

constexpr std::array kMeasures = {
    OutputMeasure{"KL divergence", kl_divergence},
    OutputMeasure{"relative output error", relative_difference},
};

/// The output that is compared: logits, else the first of floats.
std::string output_of(const Graph& graph) {
  const Value* first = nullptr;
  for (const ValueId id : graph.main.outputs) {
    const Value& value = graph.value(id);
    if (value.name == kLogits) {
      return value.name;
    }
    const bool is_tokens = value.type && is_integer(value.type->dtype);
    if (first == nullptr && !is_tokens) {
      first = &value;
    }
  }
  return first == nullptr ? graph.value(graph.main.outputs.front()).name : first->name;
}

int64_t width_of(const Tensor& output) { return output.rank() == 0 ? 1 : std::max<int64_t>(output.shape().back(), 1); }

/// The rows of an output [batch, tokens, width] that are no padding; all rows of others.
std::vector<int64_t> text_rows(const Sample& sample, const Tensor& output) {
  std::vector<int64_t> rows;
  if (output.rank() == 3) {
    const int64_t batch = output.shape()[0], tokens = output.shape()[1];
    const TextPositions positions(sample, batch, tokens);
    for (int64_t sequence = 0; sequence < batch; ++sequence) {
      for (const int64_t token : positions.of(sequence)) {
        rows.push_back(sequence * tokens + token);
      }
    }
    return rows;
  }
  rows.resize(static_cast<size_t>(output.count() / width_of(output)));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// Evenly spread ones of them.
std::vector<int64_t> scored_rows(const Sample& sample, const Tensor& output) {
  const std::vector<int64_t> rows = text_rows(sample, output);
  const int64_t found = std::ssize(rows), taken = std::min(found, kScoredRows);
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < taken; ++i) {
    chosen.push_back(rows[static_cast<size_t>((2 * i + 1) * found / (2 * taken))]);
  }
  return chosen;
}

std::span<const float> row_of(const Tensor& floats, int64_t row, int64_t width) {
  return floats.values<float>().subspan(static_cast<size_t>(row * width), static_cast<size_t>(width));
}

}  // namespace

const OutputMeasure& measure_for(const Model& model) {
  return output_of(model.graph) == kLogits ? kMeasures.front() : kMeasures.back();
}

class OutputProbe::Impl {
 public:
  Impl(const Model& model, const std::vector<Sample>& samples)
      : plan_(model, {output_of(model.graph)}, Residency::keep, fast_precision()),
        measure_(measure_for(model)),
        samples_(samples),
        frames_(samples.size()),
        references_(samples.size()) {
    parallel_for(std::ssize(samples), [&](int64_t i) { start(static_cast<size_t>(i)); });
  }

  std::vector<double> run(const std::vector<Perturbation>& perturbations,
                          const std::function<EncodingPtr(ValueId)>& perturbed,
                          const std::function<void(double)>& progress) {
    std::vector<double> distances(perturbations.size());
    size_t done = 0;
    for (const auto& [step, index] : in_order(perturbations)) {
      advance(step);
      distances[index] = measure(perturbations[index], perturbed);
      if (progress) {
        progress(static_cast<double>(++done) / static_cast<double>(perturbations.size()));
      }
    }
    return distances;
  }

 private:
  /// What a sample's outputs are compared with.
  struct Reference {
    std::vector<int64_t> rows;
    Tensor numbers;  ///< [rows, width]
  };

  struct Turn {
    size_t step, index;
    auto operator<=>(const Turn&) const = default;
  };

  void start(size_t sample) {
    frames_[sample] = plan_.make_frame();
    load_sample(plan_, samples_[sample], frames_[sample]);
    const Tensor output = finish(frames_[sample], 0);
    const int64_t width = width_of(output);
    Reference& reference = references_[sample];
    reference.rows = scored_rows(samples_[sample], output);
    reference.numbers = Tensor::uninitialized(DType::f32, {std::ssize(reference.rows), width});
    float* to = reference.numbers.mutable_values<float>().data();
    for (const int64_t row : reference.rows) {
      to = std::ranges::copy(row_of(output, row, width), to).out;
    }
  }

  /// Runs a copy of a frame to its end.
  Tensor finish(Frame frame, size_t step) const {
    for (size_t i = step; i < plan_.steps().size(); ++i) {
      plan_.run(plan_.steps()[i], frame);
    }
    return to_f32(plan_.read(plan_.outputs().front(), frame));
  }

  /// Perturbations in the order of their weights' first use; without those of weights that no step uses.
  std::vector<Turn> in_order(const std::vector<Perturbation>& perturbations) const {
    std::vector<size_t> first_use(plan_.graph().values.size(), plan_.steps().size());
    for (size_t i = plan_.steps().size(); i-- > 0;) {
      for_each_read(*plan_.steps()[i].node, [&](ValueId id) {
        if (id != kNoValue) {
          first_use[static_cast<size_t>(id)] = i;
        }
      });
    }
    std::vector<Turn> turns;
    for (size_t index = 0; index < perturbations.size(); ++index) {
      Turn turn{.step = plan_.steps().size(), .index = index};
      for (const ValueId id : perturbations[index].weights) {
        turn.step = std::min(turn.step, first_use[static_cast<size_t>(id)]);
      }
      if (turn.step < plan_.steps().size()) {
        turns.push_back(turn);
      }
    }
    std::ranges::sort(turns);
    return turns;
  }

  void advance(size_t step) {
    parallel_for(std::ssize(frames_), [&](int64_t i) {
      for (size_t s = next_; s < step; ++s) {
        plan_.run(plan_.steps()[s], frames_[static_cast<size_t>(i)]);
      }
    });
    next_ = step;
  }

  double measure(const Perturbation& perturbation, const std::function<EncodingPtr(ValueId)>& perturbed) {
    Constants& constants = plan_.constants();
    for (const ValueId id : perturbation.weights) {
      constants.replace(id, perturbed(id));
    }
    std::vector<double> sums(frames_.size());
    parallel_for(std::ssize(frames_),
                 [&](int64_t i) { sums[static_cast<size_t>(i)] = distance(static_cast<size_t>(i)); });
    for (const ValueId id : perturbation.weights) {
      constants.replace(id, plan_.graph().value(id).constant);
    }
    int64_t rows = 0;
    for (const Reference& reference : references_) {
      rows += std::ssize(reference.rows);
    }
    return std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(std::max<int64_t>(rows, 1));
  }

  double distance(size_t sample) const {
    const Tensor output = finish(frames_[sample], next_);
    const Reference& reference = references_[sample];
    const int64_t width = width_of(output);
    double sum = 0;
    for (size_t i = 0; i < reference.rows.size(); ++i) {
      sum += measure_.distance(row_of(reference.numbers, static_cast<int64_t>(i), width),
                               row_of(output, reference.rows[i], width));
    }
    return sum;
  }

  Plan plan_;
  const OutputMeasure& measure_;
  const std::vector<Sample>& samples_;
  std::vector<Frame> frames_;  ///< by sample, in front of step `next_`
  std::vector<Reference> references_;
  size_t next_ = 0;
};

OutputProbe::OutputProbe(const Model& model, const std::vector<Sample>& samples)
    : impl_(std::make_unique<Impl>(model, samples)) {}
OutputProbe::~OutputProbe() = default;

std::vector<double> OutputProbe::run(const std::vector<Perturbation>& perturbations,
                                     const std::function<EncodingPtr(ValueId)>& perturbed,
                                     const std::function<void(double)>& progress) {
  return impl_->run(perturbations, perturbed, progress);
}

}  // namespace terse::calibration
