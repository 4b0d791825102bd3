#include "passes/measured_statistics.h"

#include <algorithm>
#include <optional>

#include "formats/error.h"
#include "formats/gguf/imatrix_writer.h"
#include "passes/pipeline.h"
#include "passes/saved_statistics.h"
#include "passes/selection.h"

namespace terse::passes {
namespace {

/// 0: the sample is not of tokens.
int64_t tokens_of(const calibration::Sample& sample) {
  const auto ids = sample.find("input_ids");
  return ids == sample.end() ? 0 : ids->second.count();
}

/// Experts that lie in one tensor as linears that see their own tokens.
Model with_split_experts(Model model) {
  (void)run_pipeline(parse_recipe("split-experts"), model, {});
  return model;
}

class Measurement {
 public:
  Measurement(const Model& model, const std::vector<calibration::Sample>& samples, const MeasuringOptions& options)
      : places_(statistics_places(model.graph, statistics_names(model))),
        model_(with_split_experts(model)),
        options_(options),
        walk_(model_, samples, named_weights(), options.sums) {
    result_ = {.datasets = options.datasets,
               .chunk_count = std::ssize(samples),
               .chunk_size = samples.empty() ? 0 : tokens_of(samples.front())};
    for (const std::vector<ValueId>& weights : walk_.layers()) {
      for (const ValueId id : weights) {
        reserve(graph_.value(id));
      }
    }
    if (result_.entries.empty()) {
      throw Error(Kind::input, "no linear multiplies by a weight, so there is nothing to measure");
    }
  }

  gguf::Imatrix write(const std::filesystem::path& path) {
    std::optional<gguf::FullImatrixWriter> full;
    if (options_.sums == calibration::Sums::both) {
      full.emplace(result_, named_layers(), path);
    }
    walk_.run(
        [&](const calibration::MeasuredLayer& layer) {
          for (const ValueId id : layer.weights) {
            note(graph_.value(id), layer.statistics);
          }
          if (full) {
            const calibration::Gram &solving = layer.statistics.solving, &held_out = layer.statistics.held_out;
            full->write_products(solving.matrix(), solving.rows(), held_out.matrix(), held_out.rows());
          }
        },
        options_.progress);
    full ? full->commit(result_) : gguf::write_imatrix(result_, path);
    return std::move(result_);
  }

 private:
  std::vector<ValueId> named_weights() const {
    std::vector<ValueId> weights = matrices(graph_);
    std::erase_if(weights, [&](ValueId id) { return !places_.contains(graph_.value(id).name); });
    return weights;
  }

  /// Experts that nothing is known of stay zero.
  void reserve(const Value& value) {
    const StatisticsPlace& place = places_.at(value.name);
    gguf::ColumnSums& entry = result_.entries[place.entry];
    const size_t matrices = std::max(entry.counts.size(), static_cast<size_t>(place.matrix) + 1);
    entry.counts.resize(matrices);
    entry.squares.resize(matrices * static_cast<size_t>(value.constant->columns()));
  }

  void note(const Value& value, const calibration::Statistics& statistics) {
    const StatisticsPlace& place = places_.at(value.name);
    gguf::ColumnSums& entry = result_.entries.at(place.entry);
    entry.counts[static_cast<size_t>(place.matrix)] = statistics.rows;
    std::ranges::copy(statistics.squares, entry.squares.begin() + place.matrix * entry.columns());
  }

  std::vector<gguf::FullImatrixWriter::Layer> named_layers() const {
    std::vector<gguf::FullImatrixWriter::Layer> layers;
    for (const std::vector<ValueId>& weights : walk_.layers()) {
      layers.push_back({.matrices = {}, .columns = graph_.value(weights.front()).constant->columns()});
      for (const ValueId id : weights) {
        const StatisticsPlace& place = places_.at(graph_.value(id).name);
        std::vector<std::string>& list = layers.back().matrices;
        std::string name = gguf::matrix_name(place.entry, place.matrix, result_.entries.at(place.entry).matrices());
        if (std::ranges::find(list, name) == list.end()) {  // parts of one tensor have its inputs in common
          list.push_back(std::move(name));
        }
      }
    }
    return layers;
  }

  StatisticsPlaces places_;
  Model model_;
  const Graph& graph_ = model_.graph;
  const MeasuringOptions& options_;
  calibration::MeasuringWalk walk_;
  gguf::Imatrix result_;
};

}  // namespace

gguf::Imatrix measure_statistics(const Model& model, const std::vector<calibration::Sample>& samples,
                                 const MeasuringOptions& options, const std::filesystem::path& path) {
  return Measurement(model, samples, options).write(path);
}

}  // namespace terse::passes
