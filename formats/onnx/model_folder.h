#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace terse::onnx {

/// A folder of ONNX models that belong together, as exporters write it: encoder_model.onnx and decoder_model.onnx, or a
/// model with what its runtime reads beside it (genai_config.json, a tokenizer).
struct ModelFolder {
  std::filesystem::path path;
  std::vector<std::string> models;  ///< relative: "onnx/model.onnx"; sorted
  /// The rest that is no model's data: what a copy of the folder needs. Relative, sorted; no hidden files.
  std::vector<std::string> others;
};

/// Nothing if `path` is no folder, holds no .onnx file, or is a checkpoint (holds weights that are to be read with a
/// config.json). Links to files are followed, to folders they are
/// not; folders are looked into three deep. Errors: io; input, with the file, if a model is
/// broken.
std::optional<ModelFolder> find_model_folder(const std::filesystem::path& path);

/// Error usage unless `folder` is empty, or nothing is in it that one written in place of `by` would not have.
void check_replaceable(const std::filesystem::path& folder, const ModelFolder& by);

}  // namespace terse::onnx
