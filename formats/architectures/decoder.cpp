#include "formats/architectures/decoder.h"

#include <fmt/format.h>

#include <map>

#include "formats/architectures/decoder_head.h"
#include "formats/architectures/masks.h"

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
    const ValueId last = norm(x, traits_.names.final_norm);
    add_decoder_head(blocks_, traits_, head, {.ids = ids_, .table = table_, .hidden = last});
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
    ValueId tokens = blocks_.embedding(ids_, traits_.names.tokens, traits_.vocabulary, traits_.hidden);
    table_ = builder_.graph().main.nodes.back().inputs.front();
    tokens = blocks_.scale(tokens, traits_.embedding_scale);
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
    const DecoderNames& names = traits_.names;
    const ValueId normed = norm(x, names.attention_norm);
    const ValueId attended = branch(attend(layer, normed), names.after_attention_norm);
    if (names.feed_forward_norm.empty()) {
      const ValueId both = builder_.add(attended, branch(feed_forward(layer, normed), names.after_feed_forward_norm));
      return builder_.add(both, x);
    }
    x = builder_.add(x, attended);
    const ValueId fed = feed_forward(layer, norm(x, names.feed_forward_norm));
    return builder_.add(x, branch(fed, names.after_feed_forward_norm));
  }

  /// What is added to the residual.
  ValueId branch(ValueId x, std::string_view after_norm) {
    return blocks_.scale(after_norm.empty() ? x : norm(x, after_norm), traits_.residual_scale);
  }

  /// [batch, tokens, heads * head_size], each head normalised.
  ValueId head_norm(ValueId x, std::string_view name, int64_t heads, int64_t head_size) {
    if (name.empty()) {
      return x;
    }
    const ValueId split = builder_.reshape(x, {0, 0, heads, head_size});
    const NormTraits norm = {.kind = traits_.norm, .width = {head_size, "head_dim"}, .epsilon = traits_.epsilon};
    return builder_.reshape(blocks_.norm(split, name, norm), {0, 0, heads * head_size});
  }

  ValueId attend(size_t layer, ValueId x) {
    const AttentionTraits& sizes = traits_.layers[layer].attention;
    AttentionInputs in = project(sizes, x);
    in.q = head_norm(in.q, traits_.names.q_norm, sizes.heads, sizes.head_size);
    in.k = head_norm(in.k, traits_.names.k_norm, sizes.kv_heads, sizes.head_size);
    if (traits_.rotary) {
      in.q = rotate(builder_, in.q, sizes.heads, *traits_.rotary, tables_);
      in.k = rotate(builder_, in.k, sizes.kv_heads, *traits_.rotary, tables_);
    }
    in.bias = bias(traits_.layers[layer]);
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

  /// Layers with the same window share their bias. See attention for what must be in it.
  ValueId bias(const DecoderLayer& layer) {
    const bool is_causal = layer.window > 0 || layer.attention.softcap > 0;
    const std::pair kind(layer.window, is_causal);
    const auto found = biases_.find(kind);
    if (found != biases_.end()) {
      return found->second;
    }
    const Visibility visibility = {.attention_mask = mask_,
                                   .queries = builder_.dimension(ids_, 1),
                                   .keys = builder_.dimension(mask_, 1),
                                   .order = is_causal ? Order::causal : Order::any,
                                   .window = layer.window};
    return biases_[kind] = attention_bias(builder_, visibility);
  }

  ValueId feed_forward(size_t layer, ValueId x) {
    if (traits_.layers[layer].has_experts) {
      ExpertsTraits experts = traits_.experts;
      experts.activation = traits_.activation;
      experts.width = traits_.hidden;
      experts.inner = {traits_.layers[layer].inner, traits_.keys.inner};
      return add_experts(blocks_, x, experts);
    }
    return blocks_.feed_forward(x, {.gate_up = traits_.names.gate_up,
                                    .gate = traits_.names.gate,
                                    .up = traits_.names.up,
                                    .down = traits_.names.down,
                                    .activation = traits_.activation,
                                    .width = traits_.hidden,
                                    .inner = {traits_.layers[layer].inner, traits_.keys.inner},
                                    .bias = traits_.feed_forward_bias,
                                    .stored = traits_.stored});
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
  std::map<std::pair<int64_t, bool>, ValueId> biases_;  ///< of attention, by window and whether they are causal
  std::vector<KeyValue> past_, present_;
};

}  // namespace

void set_windows(DecoderTraits& traits, const std::vector<int64_t>& windows) {
  for (size_t layer = 0; layer < traits.layers.size(); ++layer) {
    traits.layers[layer].window = windows.at(layer);
  }
}

void set_experts(DecoderTraits& traits, const ExpertsTraits& experts) {
  traits.experts = experts;
  for (DecoderLayer& layer : traits.layers) {
    layer.has_experts = true;
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
