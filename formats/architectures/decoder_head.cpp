#include "formats/architectures/decoder_head.h"

#include <fmt/format.h>

#include "formats/architectures/masks.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

const Dimension kBatch = {.symbol = "batch"};
const Dimension kSequence = {.symbol = "sequence"};

/// A checkpoint without a head of its own shares the table, whatever its configuration says.
ValueId head_weight(Blocks& blocks, const DecoderTraits& traits, ValueId table) {
  const std::string name = fmt::format("{}.weight", traits.names.head);
  const bool is_tied = traits.is_tied || !blocks.weights().has(name);
  const auto tie = is_tied ? Tie::by_default : Tie::never;
  return blocks.head_weight(
      {.name = name, .table = table, .vocabulary = traits.vocabulary, .width = traits.hidden, .tie = tie});
}

ValueId logits(Blocks& blocks, const DecoderTraits& traits, const DecoderHeadInputs& inputs) {
  const ValueId bias = traits.head_bias == Bias::none
                           ? kNoValue
                           : blocks.weight(fmt::format("{}.bias", traits.names.head), {traits.vocabulary});
  const ValueId scores = blocks.builder().linear(inputs.hidden, head_weight(blocks, traits, inputs.table), bias);
  return blocks.soft_cap(blocks.scale(scores, traits.logits_scale), traits.logits_soft_cap);
}

/// [batch, tokens, hidden] at each sequence's last token that is no padding, [batch, hidden].
ValueId last_token(OpBuilder& builder, const DecoderTraits& traits, const DecoderHeadInputs& inputs) {
  const ValueId is_last = builder.integer(-1);
  if (!traits.padding) {
    return builder.op("Gather", {inputs.hidden, is_last}, {{.name = "axis", .value = int64_t{1}}});
  }
  const ValueId is_padding = builder.op("Equal", {inputs.ids, builder.integer(*traits.padding)});
  const ValueId is_token = builder.cast(builder.op("Not", {is_padding}), DType::i64);
  const ValueId places = builder.mul(counted_positions(builder, inputs.ids), is_token);
  const ValueId last = builder.op("ReduceMax", {places, builder.ints({1})});
  return builder.op("GatherND", {inputs.hidden, last}, {{.name = "batch_dims", .value = int64_t{1}}});
}

ValueId classes(Blocks& blocks, const DecoderTraits& traits, const DecoderHeadInputs& inputs) {
  const LinearTraits linear = {.out = traits.labels, .in = traits.hidden, .bias = Bias::none};
  return blocks.linear(last_token(blocks.builder(), traits, inputs), traits.names.classifier, linear);
}

}  // namespace

void add_decoder_head(Blocks& blocks, const DecoderTraits& traits, Head head, const DecoderHeadInputs& inputs) {
  OpBuilder& builder = blocks.builder();
  switch (head) {
    case Head::causal_lm:
      builder.output("logits", logits(blocks, traits, inputs), DType::f32,
                     {kBatch, kSequence, {.size = traits.vocabulary.value}});
      return;
    case Head::sequence_classification:
      builder.output("logits", classes(blocks, traits, inputs), DType::f32, {kBatch, {.size = traits.labels.value}});
      return;
    case Head::features:
      builder.output("last_hidden_state", inputs.hidden, DType::f32,
                     {kBatch, kSequence, {.size = traits.hidden.value}});
      return;
    default:
      throw Error(Kind::internal, "a decoder has no such head");
  }
}

}  // namespace terse::architectures
