#pragma once

#include <filesystem>

#include "formats/model.h"

namespace terse::onnx {

/// Writes `model` to `path`, with its data in a file of its own beside it if `options` say so or the whole passes
/// 1.9 GB. Weights are streamed: no more than 64 MiB of one are in memory at once, and pages of mapped files are given
/// back behind the writer.
///
/// The files are complete or absent: the data file is written under a name that no other file has, and the model file,
/// renamed last, makes it count. Then the data file of the model that was there before is removed.
///
/// A decoder with a cache that was built from a checkpoint comes with genai_config.json and the checkpoint's tokenizer
/// beside it, in a folder that is made if need be.
///
/// Carried over from the file that was read: metadata, docs, types of values, and what is opaque. IR version, opset and
/// the import of com.microsoft are raised or added where the idioms need it (see lowering.h).
///
/// Errors: io; unsupported as of `lower`, before any file is made.
void write(const Model& model, const std::filesystem::path& path, const WriteOptions& options);

}  // namespace terse::onnx
