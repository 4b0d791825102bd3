#include "calibration/encoder_feed.h"

#include <algorithm>
#include <array>

#include "calibration/inputs.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kHidden = "last_hidden_state";
constexpr std::string_view kTaken = "encoder_hidden_states";
constexpr std::string_view kMask = "encoder_attention_mask";

bool has(const Graph& graph, const std::vector<ValueId>& values, std::string_view name) {
  return std::ranges::any_of(values, [&](ValueId id) { return graph.value(id).name == name; });
}

}  // namespace

bool gives_hidden_states(const Graph& graph) {
  return has(graph, graph.main.outputs, kHidden) && has(graph, real_inputs(graph), "input_ids") &&
         !takes_hidden_states(graph);
}

bool takes_hidden_states(const Graph& graph) { return has(graph, real_inputs(graph), kTaken); }

Model whole_of(const Model& decoder) {
  Model whole;
  whole.path = decoder.path;
  for (const std::string_view name : {"input_ids", "attention_mask", "decoder_input_ids"}) {
    const ValueId id = whole.graph.add(name);
    whole.graph.value(id).type =
        ValueType{.dtype = DType::i64,
                  .shape = std::vector<Dimension>{
                      {.symbol = "batch"}, {.symbol = name.starts_with("decoder") ? "decoder_sequence" : "sequence"}}};
    whole.graph.main.inputs.push_back(id);
  }
  return whole;
}

EncoderFeed::EncoderFeed(const Model& encoder)
    : encoder_(encoder), executor_(encoder, {.outputs = {std::string(kHidden)}}) {}

Sample EncoderFeed::feed(const Model& decoder, const Sample& whole) const {
  Sample to_encode = {{"input_ids", whole.find("input_ids")->second}};
  if (const auto mask = whole.find("attention_mask");
      mask != whole.end() && has(encoder_.graph, real_inputs(encoder_.graph), "attention_mask")) {
    to_encode.insert(*mask);
  }
  complete_sample(encoder_, to_encode);
  Sample sample = {{"input_ids", whole.find("decoder_input_ids")->second},
                   {std::string(kTaken), executor_.run(to_encode).front()}};
  if (has(decoder.graph, real_inputs(decoder.graph), kMask)) {
    sample.emplace(kMask, whole.find("attention_mask")->second);
  }
  complete_sample(decoder, sample);
  return sample;
}

}  // namespace terse::calibration
