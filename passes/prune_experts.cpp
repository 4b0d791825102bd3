#include "passes/prune_experts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <numeric>

#include "calibration/walk.h"
#include "formats/architectures/mixture.h"
#include "formats/error.h"
#include "passes/selection.h"
#include "passes/solvers/output_error.h"

namespace terse::passes {
namespace {

using architectures::ExpertPart;

/// What an expert is worth to its layer.
struct Use {
  double rows = 0, signal = 0;
};

/// One mixture of a model.
struct Layer {
  ValueId router = kNoValue;
  std::vector<ValueId> down;  ///< by expert
  std::vector<Use> uses;      ///< by expert
};

using Layers = std::map<std::string, Layer>;  ///< by ExpertPlace::layer

Layers find_layers(const Model& model, int64_t experts) {
  Layers layers;
  for (size_t i = 0; i < model.graph.values.size(); ++i) {
    const auto place = architectures::find_expert(*model.checkpoint, model.graph.values[i].name);
    if (!place) {
      continue;
    }
    Layer& layer = layers[place->layer];
    layer.down.resize(static_cast<size_t>(experts), kNoValue);
    layer.uses.resize(static_cast<size_t>(experts));
    if (place->part == ExpertPart::router) {
      layer.router = static_cast<ValueId>(i);
    } else if (place->part == ExpertPart::down) {
      layer.down.at(static_cast<size_t>(place->expert)) = static_cast<ValueId>(i);
    }
  }
  return layers;
}

void measure_uses(const Model& model, Layers& layers, const Measuring& measuring) {
  std::map<ValueId, Use*> uses;
  std::vector<ValueId> weights;
  for (auto& [name, layer] : layers) {
    for (size_t expert = 0; expert < layer.down.size(); ++expert) {
      uses[layer.down[expert]] = &layer.uses[expert];
      weights.push_back(layer.down[expert]);
    }
  }
  calibration::Walk walk(model, *measuring.samples, weights, calibration::ScarceRows::leave);
  walk.run([&](const calibration::Barrier& barrier, const calibration::Statistics& statistics) {
    const ValueId id = barrier.weights.front();
    const Encoding& weight = *model.graph.value(id).constant;
    for (const calibration::Gram* gram : {&statistics.solving, &statistics.held_out}) {
      uses.at(id)->rows += static_cast<double>(gram->rows());
      uses.at(id)->signal += gram->rows() > 0 ? OutputError(weight, *gram).signal() : 0;
    }
    release_pages(weight);
    if (measuring.progress) {
      measuring.progress(shown_name(model.graph.value(id)), walk.done());
    }
  });
}

int64_t count_left_out(std::string_view text, int64_t experts) {
  double number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return text.ends_with('%') ? std::llround(number / 100 * static_cast<double>(experts)) : static_cast<int64_t>(number);
}

/// The experts of a layer, those that are worth most first; of equals the first.
std::vector<int64_t> by_worth(const Layer& layer) {
  std::vector<int64_t> order(layer.uses.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](int64_t expert) { return layer.uses[static_cast<size_t>(expert)].signal; });
  return order;
}

std::string describe_left_out(const Layer& layer, std::span<const int64_t> left_out) {
  Use all, out;
  std::string list;
  for (const Use& use : layer.uses) {
    all = {.rows = all.rows + use.rows, .signal = all.signal + use.signal};
  }
  for (const int64_t expert : left_out) {
    const Use& use = layer.uses[static_cast<size_t>(expert)];
    out = {.rows = out.rows + use.rows, .signal = out.signal + use.signal};
    list += fmt::format("{}{}", list.empty() ? "" : ", ", expert);
  }
  const auto percent = [](double part, double whole) { return whole > 0 ? 100 * part / whole : 0; };
  return fmt::format("left out experts {}, to which went {:.1f} % of the rows and {:.1f} % of the squared outputs",
                     list, percent(out.rows, all.rows), percent(out.signal, all.signal));
}

void check_alone(const Arguments& arguments) {
  for (const std::string_view option : {"ratio", "pattern", "scope", "only", "except", "layers", "solver"}) {
    if (arguments.is_written(option)) {
      throw Error(Kind::usage, "experts= stands alone: leave out {}=, or write it as a pass of its own", option);
    }
  }
}

int64_t count_kept(std::string_view text, const architectures::ExpertCounts& counts) {
  const int64_t kept = counts.all - count_left_out(text, counts.all);
  if (kept < counts.chosen) {
    throw Error(Kind::usage, "experts={} leaves {} of {} experts, and each token goes through {}", text,
                std::max<int64_t>(kept, 0), counts.all, counts.chosen);
  }
  return kept;
}

}  // namespace

void prune_experts(Model& model, const Arguments& arguments, const Measuring& measuring) {
  check_alone(arguments);
  const architectures::ExpertCounts counts = architectures::count_experts(model);
  const int64_t kept = count_kept(arguments.text("experts"), counts);
  if (measuring.samples == nullptr && !measuring.plan_only) {
    throw Error(Kind::usage, "experts= needs calibration data, --data, to tell which experts count least");
  }
  Layers layers = find_layers(model, counts.all);
  if (!measuring.plan_only) {
    measure_uses(model, layers, measuring);
  }
  architectures::KeptExperts stay;
  for (const auto& [name, layer] : layers) {
    std::vector<int64_t> order = by_worth(layer);
    const std::string& router = model.graph.value(layer.router).name;
    std::ranges::sort(order.begin() + kept, order.end());
    if (!measuring.plan_only && kept < counts.all) {
      measuring.note(router, describe_left_out(layer, std::span(order).subspan(static_cast<size_t>(kept))));
    }
    order.resize(static_cast<size_t>(kept));
    std::ranges::sort(order);
    stay[name] = std::move(order);
  }
  model = architectures::keep_experts(model, stay);
}

}  // namespace terse::passes
