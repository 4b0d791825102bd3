#include "formats/architectures/encoder_decoder.h"

#include <fmt/format.h>

#include "formats/architectures/attention.h"
#include "formats/architectures/masks.h"
#include "formats/architectures/relative_bias.h"
#include "formats/onnx/split.h"

namespace terse::architectures {
namespace {

const Dimension kBatch = {.symbol = "batch"};
const Dimension kSequence = {.symbol = "sequence"};
const Dimension kDecoderSequence = {.symbol = "decoder_sequence"};

constexpr std::string_view kTable = "shared.weight";

class EncoderDecoderBuilder {
 public:
  EncoderDecoderBuilder(const EncoderDecoderTraits& traits, Graph& graph, Weights& weights)
      : t_(traits), builder_(graph), blocks_(builder_, weights) {}

  void build(Head head) {
    const ValueId ids = builder_.input("input_ids", DType::i64, {kBatch, kSequence});
    const ValueId mask = builder_.input("attention_mask", DType::i64, {kBatch, kSequence});
    table_ = blocks_.weight(kTable, {t_.vocabulary, t_.width});
    if (head == Head::features) {
      builder_.output("last_hidden_state", encoder(ids, mask), DType::f32,
                      {kBatch, kSequence, {.size = t_.width.value}});
      return;
    }
    const ValueId decoder_ids = builder_.input("decoder_input_ids", DType::i64, {kBatch, kDecoderSequence});
    const ValueId encoded = encoder(ids, mask);
    Value& value = builder_.graph().value(encoded);
    value.name = onnx::kEncoded;
    value.type =
        ValueType{.dtype = DType::f32, .shape = std::vector<Dimension>{kBatch, kSequence, {.size = t_.width.value}}};
    builder_.output("logits", logits(decoder(decoder_ids, encoded, mask)), DType::f32,
                    {kBatch, kDecoderSequence, {.size = t_.vocabulary.value}});
  }

 private:
  using Sees = RelativeBiasTraits::Sees;

  ValueId encoder(ValueId ids, ValueId mask) {
    const OpBuilder::Scope scope(builder_, "encoder");
    const ValueId tokens = builder_.dimension(ids, 1);
    const ValueId padding = attention_bias(builder_, {.attention_mask = mask, .queries = tokens, .keys = tokens});
    const ValueId bias = builder_.add(stack_bias(tokens, Sees::both_sides), padding);
    ValueId x = embed(ids);
    for (int64_t i = 0; i < t_.encoder_layers; ++i) {
      const OpBuilder::Scope block(builder_, fmt::format("block.{}", i));
      x = self_attention(x, bias, Order::any);
      x = feed_forward(x, "layer.1");
    }
    return norm(x, "final_layer_norm");
  }

  ValueId decoder(ValueId ids, ValueId encoded, ValueId mask) {
    const OpBuilder::Scope scope(builder_, "decoder");
    const ValueId tokens = builder_.dimension(ids, 1);
    const ValueId bias = stack_bias(tokens, Sees::past);
    const ValueId padding =
        attention_bias(builder_, {.attention_mask = mask, .queries = tokens, .keys = builder_.dimension(encoded, 1)});
    ValueId x = embed(ids);
    for (int64_t i = 0; i < t_.decoder_layers; ++i) {
      const OpBuilder::Scope block(builder_, fmt::format("block.{}", i));
      x = self_attention(x, bias, Order::causal);
      x = cross_attention(x, encoded, padding);
      x = feed_forward(x, "layer.2");
    }
    return norm(x, "final_layer_norm");
  }

  ValueId embed(ValueId ids) { return builder_.op("Gather", {table_, ids}); }

  ValueId stack_bias(ValueId tokens, Sees sees) {
    return relative_bias(
        blocks_, "block.0.layer.0.SelfAttention.relative_attention_bias",
        {.buckets = t_.buckets, .heads = t_.heads, .greatest_distance = t_.greatest_distance, .sees = sees}, tokens);
  }

  ValueId norm(ValueId x, std::string_view name) {
    return blocks_.norm(x, name, {.kind = NormKind::rms, .width = t_.width, .epsilon = t_.epsilon});
  }

  ValueId self_attention(ValueId x, ValueId bias, Order order) {
    const OpBuilder::Scope layer(builder_, "layer.0");
    const ValueId normed = norm(x, "layer_norm");
    const OpBuilder::Scope scope(builder_, "SelfAttention");
    return builder_.add(x, attend(normed, normed, bias, order));
  }

  ValueId cross_attention(ValueId x, ValueId encoded, ValueId bias) {
    const OpBuilder::Scope layer(builder_, "layer.1");
    const ValueId normed = norm(x, "layer_norm");
    const OpBuilder::Scope scope(builder_, "EncDecAttention");
    return builder_.add(x, attend(normed, encoded, bias, Order::any));
  }

  ValueId attend(ValueId from, ValueId to, ValueId bias, Order order) {
    const auto project = [&](ValueId x, std::string_view name) {
      return blocks_.linear(x, name, {.out = t_.attention_width, .in = t_.width, .bias = Bias::none});
    };
    const AttentionInputs inputs = {
        .q = project(from, "q"), .k = project(to, "k"), .v = project(to, "v"), .bias = bias};
    const AttentionTraits traits = {.heads = t_.heads.value,
                                    .kv_heads = t_.heads.value,
                                    .head_size = t_.attention_width.value / t_.heads.value,
                                    .scale = 1.0F,
                                    .order = order};
    return blocks_.linear(attention(builder_, traits, inputs).context, "o",
                          {.out = t_.width, .in = t_.attention_width, .bias = Bias::none});
  }

  ValueId feed_forward(ValueId x, std::string_view layer_name) {
    const OpBuilder::Scope layer(builder_, layer_name);
    const ValueId normed = norm(x, "layer_norm");
    const OpBuilder::Scope scope(builder_, "DenseReluDense");
    const bool is_gated = t_.feed_forward == FeedForwardKind::gated;
    return builder_.add(x, blocks_.feed_forward(normed, {.gate = is_gated ? "wi_0" : "",
                                                         .up = is_gated ? "wi_1" : "wi",
                                                         .down = "wo",
                                                         .activation = t_.activation,
                                                         .width = t_.width,
                                                         .inner = t_.inner,
                                                         .bias = Bias::none}));
  }

  ValueId logits(ValueId x) {
    if (t_.logits_scale != 1) {
      x = builder_.mul(x, builder_.scalar(t_.logits_scale));
    }
    return builder_.linear(x, blocks_.head_weight({.name = "lm_head.weight",
                                                   .table = table_,
                                                   .vocabulary = t_.vocabulary,
                                                   .width = t_.width,
                                                   .tie = t_.tie}));
  }

  const EncoderDecoderTraits& t_;
  OpBuilder builder_;
  Blocks blocks_;
  ValueId table_ = kNoValue;
};

}  // namespace

Graph build_encoder_decoder(const EncoderDecoderTraits& traits, Weights& weights, Head head) {
  Graph graph;
  EncoderDecoderBuilder(traits, graph, weights).build(head);
  return graph;
}

}  // namespace terse::architectures
