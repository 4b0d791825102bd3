#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "calibration/measured_layers.h"
#include "formats/gguf/imatrix.h"
#include "formats/model.h"

namespace terse::passes {

struct MeasuringOptions {
  /// squares: of columns. both: X^T X too, one for weights that have their inputs in common; it is written as it comes,
  /// so memory is a layer's.
  calibration::Sums sums = calibration::Sums::squares;
  std::vector<std::string> datasets = {};          ///< what the samples were made of: the file remembers it
  std::function<void(double done)> progress = {};  ///< may be empty
};

/// Walks the model as it is and sums the squares of what each linear weight's columns are multiplied with, over all of
/// its uses: every token that is no padding counts once, as in llama-imatrix. Experts with a weight of their own are
/// matrices of one entry where GGUF files have them in one tensor. Writes what it finds to `path`; X^T X is not in what
/// it gives.
/// Errors:  those of calibration::MeasuringWalk; input if no weight is a linear's; io.
gguf::Imatrix measure_statistics(const Model& model, const std::vector<calibration::Sample>& samples,
                                 const MeasuringOptions& options, const std::filesystem::path& path);

}  // namespace terse::passes
