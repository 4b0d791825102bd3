#pragma once

#include <string>
#include <vector>

#include "formats/onnx/lowering.h"
#include "formats/safetensors/folder_files.h"

namespace terse::onnx {

// The layout of an ONNX file, and of its data file if there is one:
//
//   model.onnx        ModelProto's own fields, then the graph: its own fields, then a TensorProto an initialiser, each
//                     with its numbers at its end
//   model.onnx.data   numbers of the larger initialisers, each from a multiple of 4096 bytes
//
// Beside a decoder with a cache that comes from a checkpoint: genai_config.json and the checkpoint's tokenizer, so that
// the folder is what onnxruntime-genai loads.

/// One initialiser in its file.
struct Placement {
  std::string head;       ///< all bytes before the numbers, the field's tag and length included
  bool external = false;  ///< the numbers are in the data file
  int64_t offset = 0;     ///< of the numbers, in their file
};

struct FilePlan {
  Lowered lowered;
  std::string head;                   ///< of the model file, up to the first initialiser
  std::string data_name;              ///< of the data file; empty: there is none
  std::vector<Placement> placements;  ///< one an initialiser
  int64_t model_bytes = 0, data_bytes = 0;
  std::vector<safetensors::FolderFile> companions;
};

/// Plans the files of `model` at `path`. Touches no weight. Looks whether a data file of the usual name is there: an
/// old one stays until the new model file is complete, so the new one takes another name.
FilePlan plan_files(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

/// What `write` would write, to the byte. Errors as of `lower`.
Layout layout(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

}  // namespace terse::onnx
