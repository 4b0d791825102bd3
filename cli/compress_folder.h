#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/evaluation.h"
#include "cli/output_file.h"
#include "cli/pipeline_choice.h"
#include "formats/onnx/model_folder.h"

namespace terse::cli {

/// What `compress` is told about a folder of ONNX models.
struct FolderOptions {
  std::string model, report, max_size;
  OutputOptions output;
  PipelineChoice pipeline;
  std::vector<std::string> data;
  std::optional<int64_t> samples, seq_len;
  EvaluationOptions evaluation;
  int64_t seed = 0;
  bool dry_run = false;
};

/// Compresses each model of a folder into a new folder, under its name and with the files beside it; the new folder is
/// complete or absent. Data is fed to each model that takes it: to a decoder without its encoder by way of the
/// compressed encoder. The others' weights are rounded without data, unless a model before has the same ones and got
/// them solved; what happened is said.
ExitCode compress_folder(const FolderOptions& options, const onnx::ModelFolder& folder, const Context& context);

}  // namespace terse::cli
