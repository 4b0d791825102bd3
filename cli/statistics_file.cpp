#include "cli/statistics_file.h"

#include <filesystem>

#include "passes/measured_statistics.h"

namespace terse::cli {

gguf::Imatrix save_statistics(const Model& model, const calibration::Dataset& data, const StatisticsFile& file,
                              Progress& progress, Phases& phases) {
  passes::MeasuringOptions options{
      .sums = file.sums, .datasets = {}, .progress = [&](double done) { progress.update("measure", done); }};
  for (const std::filesystem::path path : file.data) {
    options.datasets.push_back(path.filename().string());
  }
  return phases.time("measure", [&] { return passes::measure_statistics(model, data.samples, options, file.path); });
}

}  // namespace terse::cli
