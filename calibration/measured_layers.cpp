#include "calibration/measured_layers.h"

#include <algorithm>
#include <functional>
#include <map>

namespace terse::calibration {
namespace {

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

}  // namespace

/// Weights whose uses are behind the same barriers are one layer.
std::vector<MeasuringWalk::Layer> MeasuringWalk::find_layers(const std::vector<Barrier>& barriers) {
  std::map<ValueId, std::vector<size_t>> uses;
  for (size_t i = 0; i < barriers.size(); ++i) {
    for (const ValueId weight : barriers[i].weights) {
      uses[weight].push_back(i);
    }
  }
  std::map<std::vector<size_t>, std::vector<ValueId>> weights;
  for (const auto& [weight, list] : uses) {
    weights[list].push_back(weight);
  }
  std::vector<Layer> layers;
  layers.reserve(weights.size());
  for (auto& [list, ids] : weights) {
    layers.push_back({.uses = list, .weights = std::move(ids), .merged = {}});
  }
  std::ranges::stable_sort(layers, {}, [](const Layer& layer) { return layer.uses.back(); });
  return layers;
}

void MeasuringWalk::note_use(size_t barrier, const Statistics& statistics, Layer& layer,
                             const std::function<void(const MeasuredLayer&)>& visit) {
  if (layer.uses.size() == 1) {
    visit({.weights = layer.weights, .statistics = statistics});
    return;
  }
  for (auto use = std::ranges::find(layer.uses, barrier); use != layer.uses.end() && *use == barrier; ++use) {
    merge(statistics, layer.merged);
  }
  if (layer.uses.back() == barrier) {
    visit({.weights = layer.weights, .statistics = *layer.merged});
    layer.merged.reset();
  }
}

MeasuringWalk::MeasuringWalk(const Model& model, const std::vector<Sample>& samples,
                             const std::vector<ValueId>& weights, Sums sums)
    : walk_(model, samples, weights, sums == Sums::squares ? ScarceRows::leave : ScarceRows::fill_up, Uses::each, sums),
      layers_(find_layers(walk_.barriers())) {}

std::vector<std::vector<ValueId>> MeasuringWalk::layers() const {
  std::vector<std::vector<ValueId>> list;
  list.reserve(layers_.size());
  for (const Layer& layer : layers_) {
    list.push_back(layer.weights);
  }
  return list;
}

void MeasuringWalk::run(const std::function<void(const MeasuredLayer&)>& visit,
                        const std::function<void(double)>& report) {
  walk_.run(
      [&](const Barrier& barrier, const Statistics& statistics) {
        const auto index = static_cast<size_t>(&barrier - walk_.barriers().data());
        for (Layer& layer : layers_) {
          if (std::ranges::find(layer.uses, index) != layer.uses.end()) {
            note_use(index, statistics, layer, visit);
          }
        }
      },
      report);
}

void measure_layers(const Model& model, const std::vector<Sample>& samples, const std::vector<ValueId>& weights,
                    const std::function<void(const MeasuredLayer&)>& visit, const std::function<void(double)>& report,
                    Sums sums) {
  MeasuringWalk(model, samples, weights, sums).run(visit, report);
}

}  // namespace terse::calibration
