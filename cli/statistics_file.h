#pragma once

#include <string>
#include <vector>

#include "calibration/dataset.h"
#include "calibration/walk.h"
#include "cli/phases.h"
#include "cli/progress.h"
#include "formats/gguf/imatrix.h"

namespace terse::cli {

/// What to measure, and where it goes.
struct StatisticsFile {
  std::string path;
  std::vector<std::string> data;  ///< what the samples were made of; the file remembers their names without folders
  calibration::Sums sums = calibration::Sums::squares;
};

/// Measures what --stats reads and writes it.
gguf::Imatrix save_statistics(const Model& model, const calibration::Dataset& data, const StatisticsFile& file,
                              Progress& progress, Phases& phases);

}  // namespace terse::cli
