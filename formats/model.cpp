#include "formats/model.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "formats/onnx/canonical.h"
#include "formats/onnx/layout.h"
#include "formats/onnx/lowering.h"
#include "formats/onnx/raise.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/writer.h"

namespace terse {
namespace {

Model open_onnx(const std::filesystem::path& path) {
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
        .check = onnx::check,
    },
};

std::string known(std::string_view FormatRow::*what) {
  std::string list;
  for (const FormatRow& row : kFormats) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", row.*what);
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
  if (const FormatRow* row = find_format([&](const FormatRow& r) { return r.extension == extension; })) {
    return *row;
  }
  throw Error(Kind::usage, "{}: extension '{}' names no format, expected one of {}", path.string(), extension,
              known(&FormatRow::extension));
}

const FormatRow& get_format(std::string_view name) {
  if (const FormatRow* row = find_format([&](const FormatRow& r) { return r.name == name; })) {
    return *row;
  }
  throw Error(Kind::usage, "'{}' is no format, expected one of {}", name, known(&FormatRow::name));
}

Model open_model(const std::filesystem::path& path) { return format_of(path).open(path); }

}  // namespace terse
