#include "formats/architectures/decoder.h"

#include <map>

#include "formats/architectures/masks.h"
#include "formats/error.h"

namespace terse::architectures {
namespace {

const Dimension kBatch = {.symbol = "batch"};
const Dimension kSequence = {.symbol = "sequence"};
const Dimension kPast = {.symbol = "past"};
const Dimension kTotal = {.symbol = "total"};

class DecoderBuilder {
 public:
  DecoderBuilder(const DecoderTraits& traits, Weights& weights, const OpenOptions& options)
      : traits_(traits),
        builder_(graph_),
        blocks_(builder_, weights),
        has_cache_(options.cache == KeyValueCache::inputs_and_outputs) {}

  Graph build(Head head) {
    add_inputs();
    ValueId x = embed();
    for (size_t layer = 0; layer < traits_.layers.size(); ++layer) {
      x = add_layer(layer, x);
    }
    add_head(head, norm(x, traits_.names.final_norm));
    add_present();
    return std::move(graph_);
  }

 private:
  void add_inputs() {
    ids_ = builder_.input("input_ids", DType::i64, {kBatch, kSequence});
    mask_ = builder_.input("attention_mask", DType::i64, {kBatch, has_cache_ ? kTotal : kSequence});
    if (has_cache_) {
      positions_ = builder_.input("position_ids", DType::i64, {kBatch, kSequence});
      for (size_t layer = 0; layer < traits_.layers.size(); ++layer) {
        past_.push_back({past(layer, "key"), past(layer, "value")});
      }
    }
  }

  ValueId past(size_t layer, std::string_view kind) {
    const AttentionTraits& a = traits_.layers[layer].attention;
    return builder_.input(fmt::format("past_key_values.{}.{}", layer, kind), DType::f32,
                          {kBatch, {.size = a.kv_heads}, kPast, {.size = a.head_size}});
  }

  ValueId embed() {
    const ValueId tokens = blocks_.embedding(ids_, traits_.names.tokens, traits_.vocabulary, traits_.hidden);
    table_ = builder_.graph().main.nodes.back().inputs.front();
    if (positions_ == kNoValue) {
      positions_ = counted_positions(builder_, ids_);
    }
    if (traits_.rotary) {
      tables_ = rotary_tables(builder_, *traits_.rotary, for_every_sequence(positions_));
      return tokens;
    }
    return builder_.add(tokens,
                        blocks_.embedding(positions_, traits_.names.positions, traits_.positions, traits_.hidden));
  }

  ValueId for_every_sequence(ValueId positions) {
    return has_cache_ ? positions : builder_.op("Expand", {positions, builder_.op("Shape", {ids_})});
  }

  ValueId norm(ValueId x, std::string_view name) {
    return blocks_.norm(x, name, {.kind = traits_.norm, .width = traits_.hidden, .epsilon = traits_.epsilon});
  }

  ValueId add_layer(size_t layer, ValueId x) {
    const OpBuilder::Scope scope(builder_, fmt::format("{}.{}", traits_.names.layer, layer));
    x = builder_.add(x, attend(layer, norm(x, traits_.names.attention_norm)));
    return builder_.add(x, feed_forward(layer, norm(x, traits_.names.feed_forward_norm)));
  }

  ValueId attend(size_t layer, ValueId x) {
    const AttentionTraits& sizes = traits_.layers[layer].attention;
    AttentionInputs in = project(sizes, x);
    if (traits_.rotary) {
      in.q = rotate(builder_, in.q, sizes.heads, *traits_.rotary, tables_);
      in.k = rotate(builder_, in.k, sizes.kv_heads, *traits_.rotary, tables_);
    }
    in.bias = bias(traits_.layers[layer].window);
    if (has_cache_) {
      in.past_key = past_[layer].key;
      in.past_value = past_[layer].value;
    }
    AttentionTraits causal = sizes;
    causal.order = Order::causal;
    const AttentionOutputs out = attention(builder_, causal, in);
    present_.push_back({out.present_key, out.present_value});
    return blocks_.linear(out.context, traits_.names.attention_output,
                          {.out = traits_.hidden,
                           .in = {sizes.heads * sizes.head_size, traits_.keys.q},
                           .bias = traits_.attention_output_bias,
                           .stored = traits_.stored});
  }

  AttentionInputs project(const AttentionTraits& sizes, ValueId x) {
    const int64_t q = sizes.heads * sizes.head_size, kv = sizes.kv_heads * sizes.head_size;
    const auto linear = [&](std::string_view name, const Size& out) {
      return blocks_.linear(x, name,
                            {.out = out, .in = traits_.hidden, .bias = traits_.qkv_bias, .stored = traits_.stored});
    };
    const DecoderNames& names = traits_.names;
    if (names.qkv.empty()) {
      return {.q = linear(names.q, {q, traits_.keys.q}),
              .k = linear(names.k, {kv, traits_.keys.kv}),
              .v = linear(names.v, {kv, traits_.keys.kv})};
    }
    const ValueId all = linear(names.qkv, {q + 2 * kv, traits_.keys.qkv});
    const auto parts =
        builder_.op_n("Split", {all, builder_.ints({q, kv, kv})}, 3, {{.name = "axis", .value = int64_t{2}}});
    return {.q = parts[0], .k = parts[1], .v = parts[2]};
  }

  /// Layers with the same window share their bias.
  ValueId bias(int64_t window) {
    const auto found = biases_.find(window);
    if (found != biases_.end()) {
      return found->second;
    }
    const Visibility visibility = {.attention_mask = mask_,
                                   .queries = builder_.dimension(ids_, 1),
                                   .keys = builder_.dimension(mask_, 1),
                                   .order = window > 0 ? Order::causal : Order::any,
                                   .window = window};
    return biases_[window] = attention_bias(builder_, visibility);
  }

  ValueId feed_forward(size_t layer, ValueId x) {
    return blocks_.feed_forward(x, {.gate = traits_.names.gate,
                                    .up = traits_.names.up,
                                    .down = traits_.names.down,
                                    .activation = traits_.activation,
                                    .width = traits_.hidden,
                                    .inner = {traits_.layers[layer].inner, traits_.keys.inner},
                                    .bias = traits_.feed_forward_bias,
                                    .stored = traits_.stored});
  }

  void add_head(Head head, ValueId x) {
    switch (head) {
      case Head::causal_lm:
        builder_.output("logits", builder_.linear(x, head_weight()), DType::f32,
                        {kBatch, kSequence, {.size = traits_.vocabulary.value}});
        return;
      case Head::sequence_classification:
        builder_.output("logits",
                        blocks_.linear(last_token(x), traits_.names.classifier,
                                       {.out = traits_.labels, .in = traits_.hidden, .bias = Bias::none}),
                        DType::f32, {kBatch, {.size = traits_.labels.value}});
        return;
      case Head::features:
        builder_.output("last_hidden_state", x, DType::f32, {kBatch, kSequence, {.size = traits_.hidden.value}});
        return;
      default:
        throw Error(Kind::internal, "a decoder has no such head");
    }
  }

  /// A checkpoint without a head of its own shares the table, whatever its configuration says.
  ValueId head_weight() {
    const std::string name = fmt::format("{}.weight", traits_.names.head);
    const bool is_tied = traits_.is_tied || !blocks_.weights().has(name);
    const auto tie = is_tied ? Tie::by_default : Tie::never;
    return blocks_.head_weight(
        {.name = name, .table = table_, .vocabulary = traits_.vocabulary, .width = traits_.hidden, .tie = tie});
  }

  /// [batch, tokens, hidden] at each sequence's last token that is no padding, [batch, hidden].
  ValueId last_token(ValueId x) {
    const ValueId is_last = builder_.integer(-1);
    if (!traits_.padding) {
      return builder_.op("Gather", {x, is_last}, {{.name = "axis", .value = int64_t{1}}});
    }
    const ValueId is_padding = builder_.op("Equal", {ids_, builder_.integer(*traits_.padding)});
    const ValueId is_token = builder_.cast(builder_.op("Not", {is_padding}), DType::i64);
    const ValueId places = builder_.mul(counted_positions(builder_, ids_), is_token);
    const ValueId last = builder_.op("ReduceMax", {places, builder_.ints({1})});
    return builder_.op("GatherND", {x, last}, {{.name = "batch_dims", .value = int64_t{1}}});
  }

  void add_present() {
    for (size_t layer = 0; has_cache_ && layer < present_.size(); ++layer) {
      const AttentionTraits& a = traits_.layers[layer].attention;
      const std::vector<Dimension> shape = {kBatch, {.size = a.kv_heads}, kTotal, {.size = a.head_size}};
      builder_.output(fmt::format("present.{}.key", layer), present_[layer].key, DType::f32, shape);
      builder_.output(fmt::format("present.{}.value", layer), present_[layer].value, DType::f32, shape);
    }
  }

  struct KeyValue {
    ValueId key = kNoValue, value = kNoValue;
  };

  const DecoderTraits& traits_;
  Graph graph_;
  OpBuilder builder_;
  Blocks blocks_;
  bool has_cache_;
  ValueId ids_ = kNoValue, mask_ = kNoValue, positions_ = kNoValue;
  ValueId table_ = kNoValue;  ///< of the token embeddings
  RotaryTables tables_;
  std::map<int64_t, ValueId> biases_;  ///< of attention, by window
  std::vector<KeyValue> past_, present_;
};

}  // namespace

void set_windows(DecoderTraits& traits, const std::vector<int64_t>& windows) {
  for (size_t layer = 0; layer < traits.layers.size(); ++layer) {
    traits.layers[layer].window = windows.at(layer);
  }
}

Graph build_decoder(const DecoderTraits& traits, Weights& weights, Head head, const OpenOptions& options) {
  if (!traits.rotary || weights.tensors().rotary_rows == RotaryRows::as_published) {
    return DecoderBuilder(traits, weights, options).build(head);
  }
  DecoderTraits turned = traits;
  turned.rotary->pairs = RotaryTraits::Pairs::neighbours;
  return DecoderBuilder(turned, weights, options).build(head);
}

}  // namespace terse::architectures
