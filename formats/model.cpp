#include "formats/model.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "formats/gguf/gguf_model.h"
#include "formats/onnx/canonical.h"
#include "formats/onnx/layout.h"
#include "formats/onnx/lowering.h"
#include "formats/onnx/raise.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"
#include "formats/safetensors/checkpoint.h"
#include "formats/safetensors/folder_files.h"

namespace terse {
namespace {

Model open_onnx(const std::filesystem::path& path, const OpenOptions& /*options*/) {
  Model model = onnx::read(path);
  with_context(path.string(), [&] {
    onnx::raise_encodings(model.graph);
    onnx::canonicalize(model.graph);
    assign_roles(model.graph);
  });
  return model;
}

constexpr std::array kFormats = {
    FormatRow{
        .name = "onnx",
        .extension = ".onnx",
        .encodings = onnx::kEncodings,
        .open = open_onnx,
        .layout = onnx::layout,
        .write = onnx::write,
    },
    FormatRow{
        .name = "gguf",
        .extension = ".gguf",
        .encodings = gguf::kEncodings,
        .open = gguf::open,
        .layout = gguf::layout,
        .write = gguf::write,
    },
    FormatRow{
        .name = "safetensors",
        .extension = ".safetensors",
        .is_folder = true,
        .encodings = safetensors::kEncodings,
        .open = safetensors::open,
        .layout = safetensors::layout,
        .write = safetensors::write,
        .check_replaceable = safetensors::check_replaceable,
    },
};

std::string known_names() {
  std::string list;
  for (const FormatRow& row : kFormats) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", row.name);
  }
  return list;
}

std::string known_extensions() {
  std::string list;
  for (const FormatRow& row : kFormats) {
    list += fmt::format("{}{}{}", list.empty() ? "" : ", ", row.extension, row.is_folder ? ", or a folder" : "");
  }
  return list;
}

template <typename Matches>
const FormatRow* find_format(Matches&& matches) {
  const auto* found = std::find_if(kFormats.begin(), kFormats.end(), matches);
  return found == kFormats.end() ? nullptr : found;
}

}  // namespace

int64_t Layout::total_bytes() const {
  int64_t bytes = 0;
  for (const File& file : files) {
    bytes += file.bytes;
  }
  return bytes;
}

std::span<const FormatRow> formats() { return kFormats; }

const FormatRow& format_of(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  const bool is_folder = extension.empty() || std::filesystem::is_directory(path);
  const auto matches = [&](const FormatRow& r) { return is_folder ? r.is_folder : r.extension == extension; };
  if (const FormatRow* row = find_format(matches)) {
    return *row;
  }
  throw Error(Kind::usage, "{}: extension '{}' names no format, expected one of {}", path.string(), extension,
              known_extensions());
}

const FormatRow& get_format(std::string_view name) {
  if (const FormatRow* row = find_format([&](const FormatRow& r) { return r.name == name; })) {
    return *row;
  }
  throw Error(Kind::usage, "'{}' is no format, expected one of {}", name, known_names());
}

Model open_model(const std::filesystem::path& path, const OpenOptions& options) {
  return format_of(path).open(path, options);
}

}  // namespace terse
