#include "formats/architectures/blocks.h"

#include <fmt/format.h>

#include <algorithm>

#include "formats/architectures/activations.h"

namespace terse::architectures {
namespace {

bool are_equal(const Tensor& a, const Tensor& b) {
  const bool same = a.dtype() == b.dtype() && a.shape() == b.shape() && std::ranges::equal(a.bytes(), b.bytes());
  a.release_pages();
  b.release_pages();
  return same;
}

}  // namespace

std::string Blocks::path(std::string_view name) const {
  const std::string& scope = builder_->scope();
  return fmt::format("{}{}{}", scope, scope.empty() ? "" : ".", name);
}

ValueId Blocks::weight(std::string_view name, std::initializer_list<Size> shape, Stored stored) {
  Shape logical;
  std::string keys;
  for (const Size& size : shape) {
    logical.push_back(size.value);
    keys += fmt::format("{}{}", keys.empty() ? "" : ", ", size.key);
  }
  return weights_->get(builder_->graph(), path(name), logical, keys, stored);
}

ValueId Blocks::bias(const Size& size, Bias bias) {
  const bool is_there = bias == Bias::always || (bias == Bias::where_there && weights_->has(path("bias")));
  return is_there ? weight("bias", {size}) : kNoValue;
}

ValueId Blocks::linear(ValueId x, std::string_view name, const LinearTraits& traits) {
  const OpBuilder::Scope scope(*builder_, name);
  const ValueId matrix = weight("weight", {traits.out, traits.in}, traits.stored);
  return builder_->linear(x, matrix, bias(traits.out, traits.bias));
}

ValueId Blocks::norm(ValueId x, std::string_view name, const NormTraits& traits) {
  const OpBuilder::Scope scope(*builder_, name);
  const std::vector<Attribute> attributes = {{.name = "axis", .value = int64_t{-1}},
                                             {.name = "epsilon", .value = traits.epsilon}};
  ValueId gain = weight("weight", {traits.width});
  switch (traits.kind) {
    case NormKind::layer:
      return builder_->op("LayerNormalization", {x, gain, weight("bias", {traits.width})}, attributes);
    case NormKind::none:
      return builder_->add(builder_->mul(x, gain), weight("bias", {traits.width}));
    case NormKind::rms_plus_one:
      gain = builder_->add(gain, builder_->scalar(1));
      break;
    case NormKind::rms:
      break;
  }
  return builder_->op("RMSNormalization", {x, gain}, attributes);
}

ValueId Blocks::embedding(ValueId indices, std::string_view name, const Size& rows, const Size& width) {
  const OpBuilder::Scope scope(*builder_, name);
  return builder_->op("Gather", {weight("weight", {rows, width}), indices});
}

ValueId Blocks::inner_of(ValueId x, const FeedForwardTraits& t) {
  const auto widen = [&](std::string_view name, const Size& out) {
    return linear(x, name, {.out = out, .in = t.width, .bias = t.bias, .stored = t.stored});
  };
  if (!t.gate_up.empty()) {
    const int64_t inner = t.inner.value;
    const ValueId both = widen(t.gate_up, {2 * inner, t.inner.key});
    const auto halves =
        builder_->op_n("Split", {both, builder_->ints({inner, inner})}, 2, {{.name = "axis", .value = int64_t{-1}}});
    return builder_->mul(activation(*builder_, t.activation, halves[0]), halves[1]);
  }
  const ValueId inner = activation(*builder_, t.activation, widen(t.gate.empty() ? t.up : t.gate, t.inner));
  return t.gate.empty() ? inner : builder_->mul(inner, widen(t.up, t.inner));
}

ValueId Blocks::feed_forward(ValueId x, const FeedForwardTraits& t) {
  return linear(inner_of(x, t), t.down, {.out = t.width, .in = t.inner, .bias = t.bias, .stored = t.stored});
}

ValueId Blocks::soft_cap(ValueId x, float cap) {
  return cap == 0 ? x : scale(builder_->op("Tanh", {scale(x, 1 / cap)}), cap);
}

ValueId Blocks::scale(ValueId x, float factor) { return factor == 1 ? x : builder_->mul(x, builder_->scalar(factor)); }

ValueId Blocks::head_weight(const HeadWeightTraits& t) {
  const Tensor* own = weights_->find(t.name);
  const bool may_share = t.tie == Tie::by_default;
  const DenseEncoding* table = builder_->graph().value(t.table).constant->dense();
  const bool is_copy = own != nullptr && table != nullptr && are_equal(*own, table->values);
  if (may_share && (!weights_->has(t.name) || is_copy)) {
    weights_->leave(t.name);
    return t.table;
  }
  const std::string keys = fmt::format("{}, {}", t.vocabulary.key, t.width.key);
  return weights_->get(builder_->graph(), t.name, {t.vocabulary.value, t.width.value}, keys);
}

}  // namespace terse::architectures
