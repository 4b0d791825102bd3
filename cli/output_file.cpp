#include "cli/output_file.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cli/console.h"
#include "formats/error.h"
#include "formats/onnx/genai_config.h"

namespace terse::cli {
namespace {

namespace fs = std::filesystem;

bool is_same_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;  // of files that do not exist
  return fs::equivalent(a, b, ignored);
}

/// The folder that `path` is to be made in is there and may be written.
void check_parent(const fs::path& path) {
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    throw Error(Kind::io, "{}: the folder {} does not exist", path.string(), folder.string());
  }
  if (::access(folder.c_str(), W_OK) != 0) {
    throw Error(Kind::io, "{}: cannot write into the folder {}: {}", path.string(), folder.string(),
                std::strerror(errno));
  }
}

/// A file can be made where this one is to be.
void check_place(const fs::path& path) {
  check_parent(path);
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_regular_file(path, ignored)) {
    throw Error(Kind::usage, "{}: is {}, expected the name of a file", path.string(),
                fs::is_directory(path, ignored) ? "a folder" : "no regular file");
  }
}

/// True if `path` is `folder` or lies in it, links followed.
bool is_inside(const fs::path& path, const fs::path& folder) {
  std::error_code ignored;
  const fs::path inner = fs::weakly_canonical(path, ignored), outer = fs::weakly_canonical(folder, ignored);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

/// A folder can be made, or replaced, where this one is to be: it has a name of its own, and the model stays as it is.
void check_folder_place(const FormatRow& format, const fs::path& path, const fs::path& model) {
  if (path.filename() == "." || path.filename() == ".." || !path.has_filename()) {
    throw Error(Kind::usage, "{}: expected the name of a folder to make", path.string());
  }
  if (path.extension() == format.extension) {
    throw Error(Kind::usage, "{}: a checkpoint is written as a folder, expected a name without {}", path.string(),
                format.extension);
  }
  check_parent(path);
  std::error_code ignored;
  if (fs::exists(path, ignored) && !fs::is_directory(path, ignored)) {
    throw Error(Kind::usage, "{}: is a file, expected the name of a folder", path.string());
  }
  const auto refuse_if = [&](bool is_wrong, std::string_view relation) {
    if (is_wrong) {
      throw Error(Kind::usage, "{}: {} the model {}, expected another folder to write", path.string(), relation,
                  model.string());
    }
  };
  refuse_if(is_same_file(path, model), "is");
  refuse_if(fs::is_directory(model, ignored) && is_inside(path, model), "lies in");
  refuse_if(is_inside(model, path), "holds");
}

struct OnnxStyleRow {
  std::string_view name;  ///< as --onnx takes it
  OnnxStyle style;
};

constexpr OnnxStyleRow kOnnxStyles[] = {
    {"contrib", OnnxStyle::contrib}, {"fast", OnnxStyle::fast}, {"standard", OnnxStyle::standard}};

/// The folder of `path` if that is still to be made, else `path`.
fs::path place_of_folder(const fs::path& path) {
  std::error_code ignored;
  return path.has_parent_path() && !fs::exists(path.parent_path(), ignored) ? path.parent_path() : path;
}

}  // namespace

WriteOptions OutputOptions::write_options() const {
  const auto* row = std::ranges::find(kOnnxStyles, onnx_style, &OnnxStyleRow::name);
  return {.external_data = external_data, .onnx_style = row->style};
}

void OutputOptions::drop_slashes() {
  while (path.size() > 1 && path.ends_with('/')) {
    path.pop_back();
  }
}

void declare_output(Arguments& arguments, OutputOptions& options) {
  std::string targets;
  for (const FormatRow& row : formats()) {
    targets += (targets.empty() ? "" : "|") + std::string(row.name);
  }
  arguments.option("-o,--output", "OUT", options.path,
                   "the file to write, its extension names the target; without one: the folder of a checkpoint");
  arguments.require();
  arguments.option("--to", targets, options.target, "the target, whatever the extension");
  arguments.flag("--force", options.force, "replace OUT if it exists");
  arguments.flag("--external-data", options.external_data, "weights in a file of their own beside OUT");
  arguments.flag("--kv-cache", options.kv_cache,
                 "give a decoder's graph inputs and outputs for a cache, and put what onnxruntime-genai reads beside "
                 "OUT (checkpoints to ONNX only)");
  arguments.choice("--onnx", {"contrib", "fast", "standard"}, options.onnx_style,
                   "how ONNX files spell compressed weights: com.microsoft's operators; fast lets 8-bit products round "
                   "their inputs too; standard: only ONNX's own");
}

const FormatRow& check_output(const OutputOptions& options, const fs::path& model) {
  const fs::path path = options.path;
  const FormatRow& format = options.target.empty() ? format_of(path) : get_format(options.target);
  if (options.kv_cache && format.name != "onnx") {
    throw Error(Kind::usage, "--kv-cache: {}: a cache belongs to a graph, expected an ONNX file such as {}",
                path.string(), (path / "model.onnx").string());
  }
  format.is_folder ? check_folder_place(format, path, model)
                   : check_place(options.kv_cache ? place_of_folder(path) : path);
  if (is_same_file(path, model)) {
    throw Error(Kind::usage, "{}: is the model itself, expected another file to write", path.string());
  }
  std::error_code ignored;
  const bool exists = fs::exists(path, ignored);
  if (exists && !options.force) {
    throw Error(Kind::usage, "{}: exists already, --force replaces it", path.string());
  }
  if (exists && format.check_replaceable != nullptr) {
    format.check_replaceable(path);
  }
  return format;
}

const FormatRow& check_output_folder(const OutputOptions& options, const onnx::ModelFolder& folder) {
  const fs::path path = options.path;
  const FormatRow& format = get_format("onnx");
  if (!options.target.empty() && options.target != format.name) {
    throw Error(Kind::usage, "--to {}: ONNX models stay what they are", options.target);
  }
  if (options.kv_cache) {
    throw Error(Kind::usage, "--kv-cache: a cache is built from an architecture, which a graph does not name");
  }
  if (!path.extension().empty()) {
    throw Error(Kind::usage, "{}: {} is a folder of {} models, expected the name of a folder to write", path.string(),
                folder.path.string(), folder.models.size());
  }
  check_folder_place(format, path, folder.path);
  std::error_code ignored;
  if (fs::exists(path, ignored)) {
    if (!options.force) {
      throw Error(Kind::usage, "{}: exists already, --force replaces it", path.string());
    }
    onnx::check_replaceable(path, folder);
  }
  return format;
}

Model open_for_output(const OutputOptions& options, const fs::path& path) {
  if (!options.kv_cache) {
    return open_model(path);
  }
  Model model = open_model(path, {.cache = KeyValueCache::inputs_and_outputs});
  if (!model.checkpoint) {
    throw Error(Kind::unsupported, "--kv-cache: {}: a cache is built from an architecture, which a graph does not name",
                path.string());
  }
  if (!onnx::has_cache(model.graph)) {
    throw Error(Kind::unsupported, "--kv-cache: {}: family {} is no decoder that keeps keys and values", path.string(),
                model.checkpoint->family);
  }
  return model;
}

void check_files(const OutputOptions& options, const Layout& layout) {
  const fs::path path = options.path;
  for (const Layout::File& file : layout.files) {
    const fs::path other = path.parent_path() / file.name;
    std::error_code ignored;
    if (!options.force && file.name != path.filename() && fs::exists(other, ignored)) {
      throw Error(Kind::usage, "{}: exists already, --force replaces it", other.string());
    }
  }
}

void print_notes(const Layout& layout, const GlobalOptions& options) {
  for (const std::string& note : layout.notes) {
    if (!options.quiet) {
      print_message("note: " + note);
    }
  }
}

void check_report_path(std::string_view option, const fs::path& report, std::initializer_list<fs::path> others) {
  check_place(report);
  for (const fs::path& other : others) {
    if (is_same_file(report, other) || report == other) {
      throw Error(Kind::usage, "{}: {} is a model, expected another file to write", option, report.string());
    }
  }
}

}  // namespace terse::cli
