#pragma once

#include <cstdint>
#include <string>

#include "formats/model.h"

namespace terse::cli {

/// Constants' data is shared, everything else is the copy's own.
Model copy_of(const Model& model);

/// Puts what reproduces the file into the file's metadata. A model that was compressed before keeps the passes of then
/// in front.
void sign(Model& model, const std::string& pipeline, int64_t seed);

}  // namespace terse::cli
