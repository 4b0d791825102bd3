#include "formats/onnx/layout.h"

#include <map>

#include "formats/onnx/genai_config.h"
#include "formats/onnx/lowering_context.h"
#include "formats/onnx/wire.h"
#include "formats/onnx/writer_proto.h"
#include "formats/source_notes.h"

namespace terse::onnx {
namespace {

constexpr int64_t kLargestModelBytes = 1'900'000'000;  // protobuf ends at 2^31 - 1, and some readers a bit before
constexpr int64_t kSmallestExternalBytes = 1024;       // shapes and axes must be inline: runtimes want them early
constexpr int64_t kDataAlignment = 4096;               // so that runtimes can map it

std::string data_name(const std::filesystem::path& path) {
  std::string name = path.filename().string() + ".data";
  for (int i = 1; std::filesystem::exists(path.parent_path() / name); ++i) {
    name = fmt::format("{}.data{}", path.filename().string(), i);
  }
  return name;
}

bool is_external(const Initializer& initializer) {
  return initializer.dtype != DType::string && initializer.bytes >= kSmallestExternalBytes;
}

bool wants_data_file(const Lowered& lowered, const WriteOptions& options) {
  int64_t total = 0;
  bool any = false;
  for (const Initializer& initializer : lowered.initializers) {
    total += initializer.bytes;
    any |= is_external(initializer);
  }
  return any && (options.external_data || total > kLargestModelBytes);
}

/// The tag and length of a field, then its first bytes.
std::string field_head(uint32_t field, int64_t rest_bytes, std::string_view first) {
  std::string out;
  wire::append_tag(out, field, wire::Type::length_delimited);
  wire::append_varint(out, static_cast<uint64_t>(rest_bytes) + first.size());
  out += first;
  return out;
}

void place_external(FilePlan& plan, const Initializer& initializer, Placement& placement, std::string tensor) {
  placement.external = true;
  placement.offset = divide_up(plan.data_bytes, kDataAlignment) * kDataAlignment;
  plan.data_bytes = placement.offset + initializer.bytes;
  tensor += encode_place({plan.data_name, placement.offset, initializer.bytes});
  placement.head = field_head(kInitializerField, 0, tensor);
}

void place_inline(const Initializer& initializer, Placement& placement, std::string tensor) {
  int64_t raw_bytes = 0;
  if (initializer.dtype != DType::string) {
    tensor += field_head(kRawDataField, initializer.bytes, "");
    raw_bytes = initializer.bytes;
  }
  placement.head = field_head(kInitializerField, raw_bytes, tensor);
}

int64_t inline_bytes(const Initializer& initializer, const Placement& placement) {
  const bool has_raw = !placement.external && initializer.dtype != DType::string;
  return static_cast<int64_t>(placement.head.size()) + (has_raw ? initializer.bytes : 0);
}

/// A checkpoint's files that are to stand where they stand already are left out.
std::vector<safetensors::FolderFile> plan_companions(const Model& model, const std::filesystem::path& path) {
  std::vector<safetensors::FolderFile> files;
  if (!model.checkpoint || !has_cache(model.graph)) {
    return files;
  }
  files.push_back({.name = "genai_config.json", .source = {}, .text = genai_config(model, path.filename().string())});
  for (safetensors::FolderFile& file : safetensors::files_beside(*model.checkpoint)) {
    std::error_code ignored;
    if (!std::filesystem::equivalent(file.source, path.parent_path() / file.name, ignored)) {
      files.push_back(std::move(file));
    }
  }
  return files;
}

int64_t string_bytes(const Tensor& strings) {
  int64_t bytes = 0;
  for (const std::string& text : strings.string_values()) {
    bytes += static_cast<int64_t>(text.size());
  }
  return bytes;
}

}  // namespace

FilePlan plan_files(const Model& model, const std::filesystem::path& path, const WriteOptions& options) {
  FilePlan plan{.lowered = lower(model, options)};
  if (wants_data_file(plan.lowered, options)) {
    plan.data_name = data_name(path);
  }
  int64_t tensors_bytes = 0;
  for (const Initializer& initializer : plan.lowered.initializers) {
    Placement& placement = plan.placements.emplace_back();
    std::string tensor = encode_tensor(plan.lowered, initializer);
    if (!plan.data_name.empty() && is_external(initializer)) {
      place_external(plan, initializer, placement, std::move(tensor));
    } else {
      place_inline(initializer, placement, std::move(tensor));
    }
    tensors_bytes += inline_bytes(initializer, placement);
  }
  plan.head = encode_model(model, plan.lowered);
  plan.head += field_head(kGraphField, tensors_bytes, encode_graph(plan.lowered));

  int64_t offset = static_cast<int64_t>(plan.head.size());
  for (size_t i = 0; i < plan.placements.size(); ++i) {
    Placement& placement = plan.placements[i];
    if (!placement.external) {
      placement.offset = offset + static_cast<int64_t>(placement.head.size());
    }
    offset += inline_bytes(plan.lowered.initializers[i], placement);
  }
  plan.model_bytes = offset;
  plan.companions = plan_companions(model, path);
  return plan;
}

Layout layout(const Model& model, const std::filesystem::path& path, const WriteOptions& options) {
  const FilePlan plan = plan_files(model, path, options);
  Layout result{.files = {}, .entries = {}, .notes = source_notes(model)};
  const std::string name = path.filename().string();
  result.files.push_back({name, plan.model_bytes});
  if (!plan.data_name.empty()) {
    result.files.push_back({plan.data_name, plan.data_bytes});
  }
  for (const safetensors::FolderFile& file : plan.companions) {
    result.files.push_back({file.name, file.bytes()});
  }
  std::map<ValueId, size_t> entries;
  for (size_t i = 0; i < plan.placements.size(); ++i) {
    const Initializer& initializer = plan.lowered.initializers[i];
    if (initializer.source == kNoValue) {
      continue;
    }
    const auto [entry, is_new] = entries.emplace(initializer.source, result.entries.size());
    if (is_new) {
      result.entries.push_back({initializer.source, plan.placements[i].external ? plan.data_name : name, 0});
    }
    result.entries[entry->second].bytes +=
        initializer.dtype == DType::string ? string_bytes(initializer.strings) : initializer.bytes;
  }
  return result;
}

}  // namespace terse::onnx
