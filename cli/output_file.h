#pragma once

#include <filesystem>
#include <string>

#include "cli/command.h"
#include "formats/model.h"
#include "formats/onnx/model_folder.h"

namespace terse::cli {

/// What commands that write a model accept of its file.
struct OutputOptions {
  std::string path;
  std::string target;  ///< a format's name; empty: the path's extension says it
  bool force = false;
  bool external_data = false;
  bool kv_cache = false;  ///< the graph of a checkpoint's decoder gets inputs and outputs for a cache
  std::string onnx_style = "contrib";

  WriteOptions write_options() const;
  void drop_slashes();  ///< at the end of a folder's name
};

void declare_output(Arguments& arguments, OutputOptions& options);

/// The format to write, once nothing speaks against writing there: to be asked before any work. A folder for
/// --kv-cache need not be there yet. Errors: usage if the target is unknown or holds no cache, the file exists without
/// --force, or is the model itself (by whatever name or link); io if its folder is missing or cannot be written.
const FormatRow& check_output(const OutputOptions& options, const std::filesystem::path& model);

/// The same for a folder of several ONNX models, written in place of `folder`'s. Gives the format of the models.
/// Errors: usage, too, if the target is another one, or an old folder has what should not be removed with it.
const FormatRow& check_output_folder(const OutputOptions& options, const onnx::ModelFolder& folder);

/// The same for a report (or any small file that `option` names) beside it, which may replace an older one but none of
/// `others`.
void check_report_path(std::string_view option, const std::filesystem::path& report,
                       std::initializer_list<std::filesystem::path> others);

/// Opens the model, its graph built as the output wants it. Errors: usage, unsupported if --kv-cache does not apply.
Model open_for_output(const OutputOptions& options, const std::filesystem::path& model);

/// Error usage if files that the output consists of beside OUT itself are there already, without --force.
void check_files(const OutputOptions& options, const Layout& layout);

/// Says on stderr what of the model the target has no place for.
void print_notes(const Layout& layout, const GlobalOptions& options);

}  // namespace terse::cli
