#pragma once

#include <string>
#include <vector>

#include "calibration/dataset.h"
#include "cli/phases.h"
#include "cli/progress.h"
#include "formats/gguf/imatrix.h"

namespace terse::cli {

/// Measures what --stats reads and writes it to `path`. `files`: what the samples were made of; the file remembers
/// their names without folders.
gguf::Imatrix save_statistics(const Model& model, const calibration::Dataset& data,
                              const std::vector<std::string>& files, const std::string& path, Progress& progress,
                              Phases& phases);

}  // namespace terse::cli
