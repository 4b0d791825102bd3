#include "formats/architectures/architecture.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/architectures/rows.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr int64_t kOpset = 23;      // has Attention, RotaryEmbedding and RMSNormalization
constexpr int64_t kIrVersion = 10;  // what opset 23 asks for at least: 4-bit types

/// By name, but BERT behind those whose files have its signature too.
constexpr std::array kFamilies = {
    &kAlbert, &kDistilbert, &kElectra, &kMobilebert, &kBert,  &kGemma,    &kGemma2,  &kGptNeo,
    &kGpt2,   &kGptj,       &kGranite, &kGraniteMoe, &kLlama, &kMistral,  &kMixtral, &kOpenelm,
    &kPhi,    &kPhi3,       &kPhiMsft, &kQwen2,      &kQwen3, &kQwen3Moe, &kT5,
};

std::string known_families() {
  std::string list;
  for (const FamilyRow* row : kFamilies) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", row->model_type);
  }
  return list;
}

/// Old uploads name no family: the names of their tensors do.
const FamilyRow& infer_family(const NamedTensors& tensors) {
  for (const FamilyRow* row : kFamilies) {
    const bool is_signed = std::ranges::any_of(
        tensors.tensors, [&](const auto& entry) { return std::string_view(entry.first).ends_with(row->signature); });
    if (is_signed && !row->signature.empty()) {
      return *row;
    }
  }
  throw Error(Kind::unsupported, "config.json: 'model_type' is missing, and the tensors' names are those of none of {}",
              known_families());
}

std::string architectures_of(const FamilyRow& row) {
  std::string list;
  for (const HeadRow& head : row.heads) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", head.architecture);
  }
  return list;
}

const HeadRow& get_head(const FamilyRow& row, const std::string& architecture) {
  const auto found = std::ranges::find(row.heads, architecture, &HeadRow::architecture);
  if (found == row.heads.end()) {
    throw Error(Kind::unsupported,
                "config.json: architectures: '{}' is none of family {}'s that this version knows: {}", architecture,
                row.model_type, architectures_of(row));
  }
  return *found;
}

/// The first head whose own tensors are there, else the last row: the plain model.
const HeadRow& infer_head(const FamilyRow& row, const Weights& weights) {
  const auto found = std::ranges::find_if(
      row.heads, [&](const HeadRow& head) { return !head.signature.empty() && weights.has(head.signature); });
  return found == row.heads.end() ? row.heads.back() : *found;
}

const HeadRow& head_of(const FamilyRow& row, const JsonField& config, const Weights& weights) {
  const auto architectures = config.find("architectures");
  if (architectures && architectures->array_size() > 0) {
    return get_head(row, architectures->at(0).text());
  }
  return infer_head(row, weights);
}

/// What passes will change in the graph, and a folder is written by.
Checkpoint describe_checkpoint(const FamilyRow& row, const Graph& graph, const Weights& weights) {
  Checkpoint checkpoint{.family = row.model_type, .unused = weights.unused()};
  for (const UsedTensor& tensor : weights.used()) {
    const DenseEncoding* dense = graph.value(tensor.value).constant->dense();
    checkpoint.tensors.push_back(tensor.name);
    checkpoint.stored[tensor.name] = {.standard_name = tensor.standard_name,
                                      .dtype = dense == nullptr ? DType::undefined : dense->dtype,
                                      .in_out = tensor.stored == Stored::in_out,
                                      .stack = find_stack(row.stacks, tensor.standard_name)};
  }
  return checkpoint;
}

Model build_family(const FamilyRow& row, const JsonField& config, Weights& weights, const OpenOptions& options) {
  const HeadRow& head = head_of(row, config, weights);
  Model model;
  model.graph = with_context("config.json", [&] { return row.build(config, weights, head.head, options); });
  weights.check(row.ignored);
  model.checkpoint = std::make_shared<const Checkpoint>(describe_checkpoint(row, model.graph, weights));
  model.graph.main.name = row.model_type;
  sort_and_validate(model.graph);
  model.opsets = {{"", kOpset}};
  model.ir_version = kIrVersion;
  model.file_bytes = weights.tensors().file_bytes;
  return model;
}

}  // namespace

std::span<const FamilyRow* const> families() { return kFamilies; }

const FamilyRow& get_family(std::string_view model_type) {
  const auto* found = std::ranges::find(kFamilies, model_type, [](const FamilyRow* row) { return row->model_type; });
  if (found == kFamilies.end()) {
    throw Error(Kind::unsupported, "config.json: model_type '{}' is no family that this version knows: {}", model_type,
                known_families());
  }
  return **found;
}

Model build(const std::filesystem::path& folder, std::string config, NamedTensors tensors, const OpenOptions& options) {
  const nlohmann::json document = with_context("config.json", [&] { return parse_json(config); });
  const JsonField root(document, "");
  const auto type = with_context("config.json", [&] { return root.text_or("model_type", ""); });
  const FamilyRow& row = type.empty() ? infer_family(tensors) : get_family(type);
  split_stacks(tensors, row.stacks);
  Weights weights(std::move(tensors), row.prefix);
  Model model = build_family(row, root, weights, options);
  Checkpoint checkpoint = *model.checkpoint;
  checkpoint.folder = folder;
  checkpoint.config = std::move(config);
  model.checkpoint = std::make_shared<const Checkpoint>(std::move(checkpoint));
  return model;
}

}  // namespace terse::architectures
