#include "formats/architectures/encoder.h"

#include <fmt/format.h>

#include "formats/architectures/activations.h"
#include "formats/architectures/encoder_layers.h"
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
      case Head::replaced_token_detection:
        return add_logits(detector(last), {kBatch, kSequence});
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
    const EncoderInputs inputs = {.ids = input("input_ids"),
                                  .attention_mask = input("attention_mask"),
                                  .token_types = t_.token_types.value > 0 ? input("token_type_ids") : kNoValue};
    const OpBuilder::Scope scope(builder_, t_.names.model);
    words_ = blocks_.weight(fmt::format("{}.weight", t_.names.words), {t_.vocabulary, t_.embeddings.width});
    return encoder_layers(blocks_, t_, inputs, encoder_embeddings(blocks_, t_, inputs));
  }

  ValueId transform(ValueId x, const TransformTraits& traits, const Size& out) {
    if (traits.linear.empty()) {
      return x;
    }
    return activation(builder_, traits.activation, blocks_.linear(x, traits.linear, {.out = out, .in = t_.width}));
  }

  ValueId transform(ValueId x, const TransformTraits& traits) { return transform(x, traits, t_.width); }

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
    const Size& width = t_.heads.logits_width.value > 0 ? t_.heads.logits_width : t_.width;
    x = transform(x, t_.heads.before_logits, width);
    x = blocks_.norm(x, t_.heads.norm, {.kind = NormKind::layer, .width = width, .epsilon = t_.epsilon});
    const ValueId logits = t_.heads.decoder_rest.empty() ? builder_.linear(x, decoder()) : two_tables(x, width);
    return builder_.add(logits, blocks_.weight(t_.heads.decoder_bias, {t_.vocabulary}));
  }

  ValueId decoder() {
    return blocks_.head_weight({.name = t_.heads.decoder,
                                .table = words_,
                                .vocabulary = t_.vocabulary,
                                .width = t_.embeddings.width,
                                .tie = t_.tie});
  }

  /// The first columns times the table of words, the others times the rest's.
  ValueId two_tables(ValueId x, const Size& width) {
    const int64_t first = t_.embeddings.width.value;
    const Size rest = {width.value - first, "hidden_size - embedding_size"};
    if (rest.value == 0) {
      return builder_.linear(x, decoder());
    }
    const auto parts =
        builder_.op_n("Split", {x, builder_.ints({first, rest.value})}, 2, {{.name = "axis", .value = int64_t{-1}}});
    const ValueId table = blocks_.weight(t_.heads.decoder_rest, {t_.vocabulary, rest}, Stored::in_out);
    return builder_.add(builder_.linear(parts[0], decoder()), builder_.linear(parts[1], table));
  }

  ValueId detector(ValueId last) {
    const ValueId x = transform(last, t_.heads.before_detector);
    const ValueId column = blocks_.linear(x, t_.heads.detector, {.out = {1, "1"}, .in = t_.width});
    return builder_.op("Squeeze", {column, builder_.ints({-1})});
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

void check(const EncoderTraits& t) {
  const Size& width = t.bottleneck ? t.bottleneck->width : t.width;
  if (width.value % t.attention_heads != 0) {
    throw Error(Kind::input, "{} is {}, expected a multiple of the {} attention heads", width.key, width.value,
                t.attention_heads);
  }
  if (!t.heads.decoder_rest.empty() && t.width.value < t.embeddings.width.value) {
    throw Error(Kind::input, "{} is {}, expected at least {} {}", t.width.key, t.width.value, t.embeddings.width.key,
                t.embeddings.width.value);
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
