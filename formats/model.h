#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/graph.h"

namespace terse {

/// A model as read: its graph, and what its file says beside it.
struct Model {
  Graph graph;
  std::map<std::string, int64_t> opsets;  ///< domain -> version; "" is ONNX's own
  int64_t ir_version = 0;
  std::string producer_name, producer_version, domain, doc;
  int64_t model_version = 0;
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string opaque;  ///< top-level fields that terse does not know, in the file's own encoding
  std::shared_ptr<const Checkpoint> checkpoint;  ///< where the graph was built from weights, else null

  std::filesystem::path path;
  std::string_view format;  ///< a row of `formats()`
  int64_t file_bytes = 0;   ///< of all files of the model
};

/// How weights are spelled in ONNX files (DESIGN.md, "Lowering to ONNX").
enum class OnnxStyle {
  contrib,   ///< com.microsoft operators, all arithmetic in floating point
  fast,      ///< the same, and onnxruntime may round the activations of 8-bit products
  standard,  ///< ONNX's own operators only
};

/// Whether a decoder's graph takes and gives keys and values of earlier tokens.
enum class KeyValueCache { none, inputs_and_outputs };

/// How a graph is to be built; a file that has a graph of its own ignores it.
struct OpenOptions {
  KeyValueCache cache = KeyValueCache::none;
};

struct WriteOptions {
  bool external_data = false;  ///< weights in a file of their own, whatever the size
  OnnxStyle onnx_style = OnnxStyle::contrib;
};

/// What a writer would write, to the byte.
struct Layout {
  struct File {
    std::string name;  ///< relative to the folder of the output
    int64_t bytes = 0;
  };
  struct Entry {
    ValueId value = kNoValue;
    std::string file;
    int64_t bytes = 0;  ///< of everything stored for it: codes, scales, tables, padding
  };
  std::vector<File> files;
  std::vector<Entry> entries;      ///< one a constant with data of its own
  std::vector<std::string> notes;  ///< what of the model the target has no place for, a sentence each

  int64_t total_bytes() const;
};

/// One row a file format. `write` streams.
struct FormatRow {
  std::string_view name;       ///< as in --to
  std::string_view extension;  ///< of its files: ".onnx"
  bool is_folder = false;      ///< written as a folder, whose name has no extension
  std::string_view encodings;  ///< what it can hold, for `terse passes` and for errors
  Model (*open)(const std::filesystem::path& path, const OpenOptions& options);
  /// Touches no weight and accepts planned encodings. Error unsupported, naming tensor, target and what the target can
  /// hold, if a weight's encoding cannot be written.
  Layout (*layout)(const Model& model, const std::filesystem::path& path, const WriteOptions& options);
  void (*write)(const Model& model, const std::filesystem::path& path, const WriteOptions& options);
  /// Of formats that are folders: error usage if an old one holds what should not be removed with it.
  void (*check_replaceable)(const std::filesystem::path& folder) = nullptr;
};

std::span<const FormatRow> formats();

/// The row whose extension `path` has; for a folder, or a name without an extension, the one of folders. Error usage
/// lists the known ones.
const FormatRow& format_of(const std::filesystem::path& path);
const FormatRow& get_format(std::string_view name);

/// Reads a model into canonical form, roles assigned. Errors: io, input (with the file's name), unsupported.
Model open_model(const std::filesystem::path& path, const OpenOptions& options = {});

}  // namespace terse
