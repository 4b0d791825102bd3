#include "formats/architectures/encoder_layers.h"

#include <fmt/format.h>

#include "formats/architectures/attention.h"
#include "formats/architectures/masks.h"

namespace terse::architectures {
namespace {

class LayerBuilder {
 public:
  LayerBuilder(Blocks& blocks, const EncoderTraits& traits, ValueId bias)
      : blocks_(&blocks),
        t_(traits),
        width_(traits.bottleneck ? traits.bottleneck->width : traits.width),
        bias_(bias) {}

  ValueId layer(ValueId x) {
    if (!t_.bottleneck) {
      return feed_forward(attend(x, x, x));
    }
    const BottleneckTraits& b = *t_.bottleneck;
    const ValueId residual = norm(linear(x, b.input, width_, t_.width), b.input_norm, width_);
    const ValueId shared = norm(linear(x, b.attention, width_, t_.width), b.attention_norm, width_);
    ValueId y = attend(shared, x, residual);
    for (const std::string& scope_name : numbered(b.feed_forward, b.feed_forwards)) {
      const OpBuilder::Scope scope(builder(), scope_name);
      y = feed_forward(y);
    }
    y = linear(feed_forward(y), b.output, t_.width, width_);
    return norm(builder().add(y, x), b.output_norm, t_.width);
  }

 private:
  OpBuilder& builder() { return blocks_->builder(); }

  ValueId linear(ValueId x, std::string_view name, const Size& out, const Size& in) {
    return blocks_->linear(x, name, {.out = out, .in = in});
  }

  ValueId norm(ValueId x, std::string_view name, const Size& width) {
    return blocks_->norm(x, name, {.kind = t_.norm, .width = width, .epsilon = t_.epsilon});
  }

  /// Values are made of the layer's input, whatever queries and keys are made of.
  ValueId attend(ValueId query_key, ValueId value, ValueId residual) {
    const AttentionInputs inputs = {.q = linear(query_key, t_.names.query, width_, width_),
                                    .k = linear(query_key, t_.names.key, width_, width_),
                                    .v = linear(value, t_.names.value, width_, t_.width),
                                    .bias = bias_};
    const AttentionTraits traits = {
        .heads = t_.attention_heads, .kv_heads = t_.attention_heads, .head_size = width_.value / t_.attention_heads};
    const ValueId context = attention(builder(), traits, inputs).context;
    const ValueId sum = builder().add(linear(context, t_.names.attention_output, width_, width_), residual);
    return norm(sum, t_.names.attention_norm, width_);
  }

  ValueId feed_forward(ValueId x) {
    const ValueId inner = blocks_->feed_forward(
        x, {.up = t_.names.up, .down = t_.names.down, .activation = t_.activation, .width = width_, .inner = t_.inner});
    return norm(builder().add(inner, x), t_.names.output_norm, width_);
  }

  Blocks* blocks_;
  const EncoderTraits& t_;
  Size width_;  ///< inside
  ValueId bias_;
};

}  // namespace

std::vector<std::string> numbered(std::string_view scope, int64_t count) {
  std::vector<std::string> scopes;
  for (int64_t i = 0; i < count; ++i) {
    scopes.push_back(fmt::format("{}.{}", scope, i));
  }
  return scopes;
}

ValueId encoder_layers(Blocks& blocks, const EncoderTraits& traits, const EncoderInputs& inputs, ValueId x) {
  OpBuilder& builder = blocks.builder();
  const ValueId tokens = builder.dimension(inputs.ids, 1);
  const ValueId bias =
      attention_bias(builder, {.attention_mask = inputs.attention_mask, .queries = tokens, .keys = tokens});
  LayerBuilder layers(blocks, traits, bias);
  for (const std::string& scope_name : traits.layers) {
    const OpBuilder::Scope scope(builder, scope_name);
    x = layers.layer(x);
  }
  return x;
}

}  // namespace terse::architectures
