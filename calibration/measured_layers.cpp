#include "calibration/measured_layers.h"

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace terse::calibration {
namespace {

/// Barriers by index, one for each use.
using UseList = std::vector<size_t>;

struct Layer {
  std::vector<ValueId> weights;
  std::optional<Statistics> merged;  ///< of the uses so far, if there are several
};

using Layers = std::map<UseList, Layer>;

/// Weights whose uses are behind the same barriers are one layer.
Layers find_layers(const std::vector<Barrier>& barriers) {
  std::map<ValueId, UseList> uses;
  for (size_t i = 0; i < barriers.size(); ++i) {
    for (const ValueId weight : barriers[i].weights) {
      uses[weight].push_back(i);
    }
  }
  Layers layers;
  for (const auto& [weight, list] : uses) {
    layers[list].weights.push_back(weight);
  }
  return layers;
}

void merge(const Statistics& more, std::optional<Statistics>& merged) {
  if (!merged) {
    merged = more;
    return;
  }
  merged->solving.merge(more.solving);
  merged->held_out.merge(more.held_out);
  std::ranges::transform(merged->squares, more.squares, merged->squares.begin(), std::plus<>());
  merged->rows += more.rows;
}

void note_use(size_t barrier, const Statistics& statistics, const UseList& uses, Layer& layer,
              const std::function<void(const MeasuredLayer&)>& visit) {
  if (uses.size() == 1) {
    visit({.weights = layer.weights, .statistics = statistics});
    return;
  }
  for (auto use = std::ranges::find(uses, barrier); use != uses.end() && *use == barrier; ++use) {
    merge(statistics, layer.merged);
  }
  if (uses.back() == barrier) {
    visit({.weights = layer.weights, .statistics = *layer.merged});
    layer.merged.reset();
  }
}

}  // namespace

void measure_layers(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
                    const std::function<void(const MeasuredLayer&)>& visit, const std::function<void(double)>& report,
                    Sums sums) {
  Walk walk(model, samples, weights, sums == Sums::squares ? ScarceRows::leave : ScarceRows::fill_up, Uses::each, sums);
  Layers layers = find_layers(walk.barriers());
  walk.run(
      [&](const Barrier& barrier, const Statistics& statistics) {
        const auto index = static_cast<size_t>(&barrier - walk.barriers().data());
        for (auto& [uses, layer] : layers) {
          if (std::ranges::find(uses, index) != uses.end()) {
            note_use(index, statistics, uses, layer, visit);
          }
        }
      },
      report);
}

}  // namespace terse::calibration
