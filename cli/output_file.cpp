#include "cli/output_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "formats/error.h"

namespace terse::cli {
namespace {

namespace fs = std::filesystem;

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;  // of files that do not exist
  return fs::equivalent(a, b, ignored);
}

/// A file can be made where this one is to be: its folder is there and may be written, and it is no folder or device.
void check_place(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(Kind::io, "{}: the folder {} does not exist", path.string(), folder.string());
  }
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    throw Error(Kind::usage, "{}: is {}, expected the name of a file", path.string(),
                fs::is_directory(path, ignored) ? "a folder" : "no regular file");
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw Error(Kind::io, "{}: cannot write into the folder {}: {}", path.string(), folder.string(),
                std::strerror(errno));
  }
}

}  // namespace

WriteOptions OutputOptions::write_options() const {
  return {.external_data = external_data,
          .onnx_style = onnx_style == "standard" ? OnnxStyle::standard : OnnxStyle::contrib};
}

void declare_output(Arguments& arguments, OutputOptions& options) {
  std::string targets;
  for (const FormatRow& row : formats()) {
    targets += (targets.empty() ? "" : "|") + std::string(row.name);
  }
  arguments.option("-o,--output", "OUT", options.path, "the file to write; its extension names the target");
  arguments.require();
  arguments.option("--to", targets, options.target, "the target, whatever the extension");
  arguments.flag("--force", options.force, "replace OUT if it exists");
  arguments.flag("--external-data", options.external_data, "weights in a file of their own beside OUT");
  arguments.choice("--onnx", {"contrib", "standard"}, options.onnx_style,
                   "how ONNX files spell compressed weights: com.microsoft's operators or only ONNX's own");
}

const FormatRow& check_output(const OutputOptions& options, const fs::path& model) {
  const fs::path path = options.path;
  const FormatRow& format = options.target.empty() ? format_of(path) : get_format(options.target);
  check_place(path);
  if (is_same_file(path, model)) {
    throw Error(Kind::usage, "{}: is the model itself, expected another file to write", path.string());
  }
  std::error_code ignored;
  if (!options.force && fs::exists(path, ignored)) {
    throw Error(Kind::usage, "{}: exists already, --force replaces it", path.string());
  }
  return format;
}

void check_report_path(const fs::path& report, std::initializer_list<fs::path> others) {
  check_place(report);
  for (const fs::path& other : others) {
    if (is_same_file(report, other) || report == other) {
      throw Error(Kind::usage, "--report: {} is a model, expected another file to write", report.string());
    }
  }
}

}  // namespace terse::cli
