#include "formats/architectures/encoder.h"

#include <fmt/format.h>

#include "formats/architectures/activations.h"
#include "formats/architectures/attention.h"
#include "formats/architectures/masks.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

const Dimension kBatch = {.symbol = "batch"};
const Dimension kSequence = {.symbol = "sequence"};

class EncoderBuilder {
 public:
  EncoderBuilder(const EncoderTraits& traits, Graph& graph, Weights& weights)
      : t_(traits), builder_(graph), blocks_(builder_, weights) {}

  void build(Head head) {
    const ValueId last = model();
    switch (head) {
      case Head::features:
        return add_features(last);
      case Head::masked_lm:
        return add_logits(masked_lm(last), {kBatch, kSequence, {.size = t_.vocabulary.value}});
      case Head::sequence_classification:
        return add_logits(classifier(sequence_features(last)), {kBatch, {.size = t_.labels.value}});
      case Head::token_classification:
        return add_logits(classifier(last), {kBatch, kSequence, {.size = t_.labels.value}});
      default:
        throw Error(Kind::internal, "an encoder has no such head");
    }
  }

 private:
  ValueId input(std::string_view name) { return builder_.input(name, DType::i64, {kBatch, kSequence}); }

  ValueId model() {
    const ValueId ids = input("input_ids");
    const ValueId mask = input("attention_mask");
    const ValueId types = t_.token_types.value > 0 ? input("token_type_ids") : kNoValue;
    const OpBuilder::Scope scope(builder_, t_.names.model);
    ValueId x = embeddings(ids, types);
    const ValueId tokens = builder_.dimension(ids, 1);
    const ValueId bias = attention_bias(builder_, {.attention_mask = mask, .queries = tokens, .keys = tokens});
    for (int64_t i = 0; i < t_.layers; ++i) {
      const OpBuilder::Scope layer_scope(builder_, fmt::format("{}.{}", t_.names.layers, i));
      x = layer(x, bias);
    }
    return x;
  }

  ValueId embeddings(ValueId ids, ValueId types) {
    words_ = blocks_.weight(fmt::format("{}.weight", t_.names.words), {t_.vocabulary, t_.width});
    ValueId x = blocks_.embedding(ids, t_.names.words, t_.vocabulary, t_.width);
    if (types != kNoValue) {
      x = builder_.add(x, blocks_.embedding(types, t_.names.token_types, t_.token_types, t_.width));
    }
    const ValueId positions = counted_positions(builder_, ids);
    x = builder_.add(x, blocks_.embedding(positions, t_.names.positions, t_.positions, t_.width));
    return norm(x, t_.names.embedding_norm);
  }

  ValueId norm(ValueId x, std::string_view name) {
    return blocks_.norm(x, name, {.kind = NormKind::layer, .width = t_.width, .epsilon = t_.epsilon});
  }

  ValueId square(ValueId x, std::string_view name) {
    return blocks_.linear(x, name, {.out = t_.width, .in = t_.width});
  }

  ValueId layer(ValueId x, ValueId bias) {
    x = norm(builder_.add(self_attention(x, bias), x), t_.names.attention_norm);
    const ValueId inner = blocks_.feed_forward(
        x,
        {.up = t_.names.up, .down = t_.names.down, .activation = t_.activation, .width = t_.width, .inner = t_.inner});
    return norm(builder_.add(inner, x), t_.names.output_norm);
  }

  ValueId self_attention(ValueId x, ValueId bias) {
    const AttentionInputs inputs = {
        .q = square(x, t_.names.query), .k = square(x, t_.names.key), .v = square(x, t_.names.value), .bias = bias};
    const AttentionTraits traits = {
        .heads = t_.attention_heads, .kv_heads = t_.attention_heads, .head_size = t_.width.value / t_.attention_heads};
    return square(attention(builder_, traits, inputs).context, t_.names.attention_output);
  }

  ValueId transform(ValueId x, const TransformTraits& traits) {
    return traits.linear.empty() ? x : activation(builder_, traits.activation, square(x, traits.linear));
  }

  ValueId first_token(ValueId x) {
    return builder_.op("Gather", {x, builder_.integer(0)}, {{.name = "axis", .value = int64_t{1}}});
  }

  bool has_pooler() {
    return !t_.heads.pooler.linear.empty() && blocks_.weights().has(fmt::format("{}.weight", t_.heads.pooler.linear));
  }

  void add_features(ValueId last) {
    builder_.output("last_hidden_state", last, DType::f32, {kBatch, kSequence, {.size = t_.width.value}});
    if (has_pooler()) {
      const ValueId pooled = transform(first_token(last), t_.heads.pooler);
      builder_.output("pooler_output", pooled, DType::f32, {kBatch, {.size = t_.width.value}});
    }
  }

  void add_logits(ValueId logits, std::vector<Dimension> shape) {
    builder_.output("logits", logits, DType::f32, std::move(shape));
  }

  ValueId masked_lm(ValueId x) {
    x = norm(transform(x, t_.heads.before_logits), t_.heads.norm);
    const ValueId weight = blocks_.head_weight(
        {.name = t_.heads.decoder, .table = words_, .vocabulary = t_.vocabulary, .width = t_.width, .tie = t_.tie});
    return builder_.linear(x, weight, blocks_.weight(t_.heads.decoder_bias, {t_.vocabulary}));
  }

  ValueId sequence_features(ValueId last) {
    return transform(transform(first_token(last), t_.heads.pooler), t_.heads.before_classifier);
  }

  ValueId classifier(ValueId x) { return blocks_.linear(x, t_.heads.classifier, {.out = t_.labels, .in = t_.width}); }

  const EncoderTraits& t_;
  OpBuilder builder_;
  Blocks blocks_;
  ValueId words_ = kNoValue;  ///< the table
};

void check(const EncoderTraits& traits) {
  if (traits.width.value % traits.attention_heads != 0) {
    throw Error(Kind::input, "{} is {}, expected a multiple of the {} attention heads", traits.width.key,
                traits.width.value, traits.attention_heads);
  }
}

}  // namespace

Graph build_encoder(const EncoderTraits& traits, Weights& weights, Head head) {
  check(traits);
  Graph graph;
  EncoderBuilder(traits, graph, weights).build(head);
  return graph;
}

}  // namespace terse::architectures
