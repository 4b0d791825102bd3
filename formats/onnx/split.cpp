#include "formats/onnx/split.h"

#include <algorithm>
#include <array>

namespace terse::onnx {
namespace {

constexpr std::string_view kIds = "input_ids", kMask = "attention_mask", kDecoderIds = "decoder_input_ids";

Model copy(const Model& model) {
  Model result = model;
  result.graph = deep_copy(model.graph);
  return result;
}

/// Makes `id` something that nodes read, and none makes.
void cut_off(Graph& graph, ValueId id) {
  for (Node& node : graph.main.nodes) {
    std::ranges::replace(node.outputs, id, kNoValue);
  }
}

void rename(Graph& graph, std::string_view from, std::string_view to) {
  if (const auto id = graph.find(from)) {
    graph.value(*id).name = to;
  }
}

Model encoder_of(const Model& whole) {
  Model model = copy(whole);
  Graph& graph = model.graph;
  const ValueId encoded = *graph.find(kEncoded);
  std::erase_if(graph.main.inputs, [&](ValueId id) { return graph.value(id).name == kDecoderIds; });
  graph.main.outputs = {encoded};
  remove_dead(graph);
  rename(graph, kEncoded, "last_hidden_state");
  sort_and_validate(graph);
  return model;
}

Model decoder_of(const Model& whole) {
  Model model = copy(whole);
  Graph& graph = model.graph;
  const ValueId encoded = *graph.find(kEncoded);
  cut_off(graph, encoded);
  std::erase_if(graph.main.inputs, [&](ValueId id) { return graph.value(id).name == kIds; });
  graph.main.inputs.push_back(encoded);
  remove_dead(graph);
  rename(graph, kDecoderIds, kIds);
  rename(graph, kMask, "encoder_attention_mask");
  rename(graph, kEncoded, "encoder_hidden_states");
  sort_and_validate(graph);
  return model;
}

}  // namespace

bool is_encoder_decoder(const Graph& graph) {
  const auto has = [&](const std::vector<ValueId>& values, std::string_view name) {
    return std::ranges::any_of(values, [&](ValueId id) { return graph.value(id).name == name; });
  };
  return graph.find(kEncoded) && has(graph.main.inputs, kDecoderIds) && has(graph.main.inputs, kMask);
}

EncoderAndDecoder split_encoder_decoder(const Model& whole) {
  return {.encoder = encoder_of(whole), .decoder = decoder_of(whole)};
}

}  // namespace terse::onnx
