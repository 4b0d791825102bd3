#include "formats/safetensors/checkpoint.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "formats/architectures/architecture.h"
#include "formats/error.h"
#include "formats/json_fields.h"
#include "formats/safetensors/compressed_tensors.h"
#include "formats/safetensors/folder_files.h"
#include "formats/safetensors/lowering.h"
#include "formats/safetensors/model_card.h"
#include "formats/safetensors/quantized.h"
#include "formats/safetensors/writer.h"
#include "formats/source_notes.h"

namespace terse::safetensors {
namespace {

constexpr std::string_view kCard = "README.md";
constexpr std::string_view kFormat = "format";  // of __metadata__: "pt", for transformers

std::string find_metadata(const Model& model, std::string_view key) {
  const auto found = std::ranges::find(model.metadata, key, [](const auto& entry) { return entry.first; });
  return found == model.metadata.end() ? "" : found->second;
}

/// "organisation/name", if that is what config.json says of the model's origin: not a path, and not a bare title.
std::string origin(const std::string& config) {
  const nlohmann::json document = parse_json(config);
  const auto field = JsonField(document, "").find("_name_or_path");
  const std::string name = field && field->value().is_string() ? field->text() : "";
  const bool is_plain = std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) != 0 || std::string_view("/-_.").find(static_cast<char>(c)) != std::string_view::npos;
  });
  return is_plain && std::ranges::count(name, '/') == 1 && name.front() != '/' && name.front() != '.' &&
                 name.back() != '/'
             ? name
             : "";
}

/// Of the files that `write` gives beside weights, as `layout` counts them.
int64_t bytes_beside_weights(const std::filesystem::path& folder) {
  int64_t bytes = 0;
  for (const FolderFile& file : files_to_copy(folder)) {
    bytes += file.bytes();
  }
  for (const std::string_view name : {std::string_view("config.json"), kCard}) {
    bytes +=
        std::filesystem::exists(folder / name) ? static_cast<int64_t>(std::filesystem::file_size(folder / name)) : 0;
  }
  return bytes;
}

struct Plan {
  LoweredCheckpoint lowered;
  std::vector<PlannedFile> weights;
  std::vector<FolderFile> others;
};

FolderFile card(const Model& model, bool has_codes) {
  const Checkpoint& checkpoint = *model.checkpoint;
  const CardFacts facts{.base_model = origin(checkpoint.config),
                        .pipeline = find_metadata(model, "terse.pipeline"),
                        .version = TERSE_VERSION,
                        .has_codes = has_codes};
  return {.name = std::string(kCard), .source = {}, .text = extend_card(read_text(checkpoint.folder / kCard), facts)};
}

Plan make_plan(const Model& model) {
  Plan plan{.lowered = lower(model), .weights = {}, .others = {}};
  FileOptions options;
  options.metadata.insert(model.metadata.begin(), model.metadata.end());
  plan.weights = plan_files(plan.lowered.tensors, options);
  plan.others = files_beside(*model.checkpoint);
  plan.others.push_back({.name = "config.json", .source = {}, .text = plan.lowered.config});
  if (const auto& folder = model.checkpoint->folder; !folder.empty() && std::filesystem::exists(folder / kCard)) {
    plan.others.push_back(card(model, plan.lowered.has_codes));
  }
  return plan;
}

}  // namespace

Model open(const std::filesystem::path& path, const OpenOptions& options) {
  const bool is_folder = std::filesystem::is_directory(path);
  const std::filesystem::path folder = is_folder ? path : path.parent_path();
  if (!std::filesystem::exists(folder / "config.json")) {
    throw Error(Kind::input, "{}: has no config.json, expected a checkpoint", folder.string());
  }
  std::string config = read_text(folder / "config.json");
  NamedTensors tensors = read_weights(path);
  return with_context(path.string(), [&] {
    auto metadata = tensors.metadata;
    metadata.erase(std::string(kFormat));
    unpack(tensors, config, folder);
    Model model = architectures::build(folder, std::move(config), std::move(tensors), options);
    assign_roles(model.graph);
    model.metadata.assign(metadata.begin(), metadata.end());
    model.path = path;
    model.format = "safetensors";
    model.file_bytes += is_folder ? bytes_beside_weights(folder) : 0;
    return model;
  });
}

Layout layout(const Model& model, const std::filesystem::path& /*path*/, const WriteOptions& /*options*/) {
  const Plan plan = make_plan(model);
  Layout layout{.files = {}, .entries = {}, .notes = source_notes(model)};
  std::map<ValueId, size_t> entries;
  for (const PlannedFile& file : plan.weights) {
    layout.files.push_back({file.name, file.bytes});
    for (const size_t i : file.tensors) {
      const StoredTensor& tensor = plan.lowered.tensors[i];
      const std::vector<ValueId>& sources = plan.lowered.sources[i];
      for (const ValueId source : sources) {
        const auto [entry, is_new] = entries.emplace(source, layout.entries.size());
        if (is_new) {
          layout.entries.push_back({source, file.name, 0});
        }
        layout.entries[entry->second].bytes +=
            packed_bytes(tensor.dtype, checked_count(tensor.shape).value_or(0)) / std::ssize(sources);
      }
    }
  }
  for (const FolderFile& file : plan.others) {
    layout.files.push_back({file.name, file.bytes()});
  }
  return layout;
}

void write(const Model& model, const std::filesystem::path& path, const WriteOptions& /*options*/) {
  const Plan plan = make_plan(model);
  if (std::filesystem::is_directory(path)) {
    check_replaceable(path);
  }
  AtomicFolder folder(path);
  write_files(plan.weights, plan.lowered.tensors, folder.temporary());
  for (const FolderFile& file : plan.others) {
    write_file(file, folder.temporary());
  }
  folder.commit();
}

}  // namespace terse::safetensors
