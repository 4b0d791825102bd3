#include <fmt/format.h>

#include <limits>

#include "formats/architectures/encoder_layers.h"
#include "formats/architectures/masks.h"

namespace terse::architectures {
namespace {

using Projects = EmbeddingTraits::Projects;

ValueId columns_after_each_other(OpBuilder& builder, std::vector<ValueId> parts) {
  return builder.op("Concat", std::move(parts), {{.name = "axis", .value = int64_t{-1}}});
}

/// [batch, tokens, width] as [batch, tokens, 3 * width]: the next token's, its own, the previous token's; zeros where
/// there is none.
ValueId trigrams(OpBuilder& builder, ValueId x) {
  const ValueId framed = builder.op("Pad", {x, builder.ints({0, 1, 0, 0, 1, 0})});
  const auto tokens = [&](int64_t begin, int64_t end) {
    return builder.op("Slice", {framed, builder.ints({begin}), builder.ints({end}), builder.ints({1})});
  };
  const ValueId next = tokens(2, std::numeric_limits<int64_t>::max());
  return columns_after_each_other(builder, {next, x, tokens(0, -2)});
}

ValueId project(Blocks& blocks, const EncoderTraits& t, ValueId x, const Size& in) {
  return t.names.projection.empty() ? x : blocks.linear(x, t.names.projection, {.out = t.width, .in = in});
}

}  // namespace

ValueId encoder_embeddings(Blocks& blocks, const EncoderTraits& t, const EncoderInputs& inputs) {
  OpBuilder& builder = blocks.builder();
  const bool is_normalised_first = t.embeddings.projects == Projects::normalised;
  const Size& width = is_normalised_first ? t.embeddings.width : t.width;
  ValueId x = blocks.embedding(inputs.ids, t.names.words, t.vocabulary, t.embeddings.width);
  if (!is_normalised_first) {
    x = project(blocks, t, trigrams(builder, x), {3 * t.embeddings.width.value, t.embeddings.width.key});
  }
  if (inputs.token_types != kNoValue) {
    x = builder.add(x, blocks.embedding(inputs.token_types, t.names.token_types, t.token_types, width));
  }
  const ValueId positions = counted_positions(builder, inputs.ids);
  x = builder.add(x, blocks.embedding(positions, t.names.positions, t.positions, width));
  x = blocks.norm(x, t.names.embedding_norm, {.kind = t.norm, .width = width, .epsilon = t.epsilon});
  return is_normalised_first ? project(blocks, t, x, width) : x;
}

}  // namespace terse::architectures
