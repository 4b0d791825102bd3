#include "cli/statistics_file.h"

#include <filesystem>

#include "passes/column_statistics.h"

namespace terse::cli {

gguf::Imatrix save_statistics(const Model& model, const calibration::Dataset& data,
                              const std::vector<std::string>& files, const std::string& path, Progress& progress,
                              Phases& phases) {
  return phases.time("measure", [&] {
    gguf::Imatrix matrix =
        passes::measure_statistics(model, data.samples, [&](double done) { progress.update("measure", done); });
    for (const std::filesystem::path file : files) {
      matrix.datasets.push_back(file.filename().string());
    }
    gguf::write_imatrix(matrix, path);
    return matrix;
  });
}

}  // namespace terse::cli
