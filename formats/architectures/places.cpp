#include "formats/architectures/places.h"

#include <numeric>

namespace terse::architectures {
namespace {

const std::vector<Attribute> kAlongFirst = {{.name = "axis", .value = int64_t{0}}};

}  // namespace

Places split_places(OpBuilder& builder, ValueId chosen, int64_t experts) {
  std::vector<int64_t> numbers(static_cast<size_t>(experts));
  std::iota(numbers.begin(), numbers.end(), 0);
  const ValueId column = builder.op("Unsqueeze", {builder.ints(numbers), builder.ints({1})});
  const ValueId hits = builder.op("Equal", {column, builder.reshape(chosen, {1, -1})});  // [experts, places]
  const ValueId order = builder.op("Gather", {builder.op("NonZero", {hits}), builder.integer(1)}, kAlongFirst);
  const ValueId counts = builder.op("ReduceSum", {builder.cast(hits, DType::i64), builder.ints({1})},
                                    {{.name = "keepdims", .value = int64_t{0}}});
  return {.order = order, .of_experts = builder.op_n("Split", {order, counts}, numbers.size(), kAlongFirst)};
}

ValueId join_places(OpBuilder& builder, const Places& places, const std::vector<ValueId>& of_experts) {
  const ValueId rows = builder.op("Concat", of_experts, kAlongFirst);
  const ValueId numbers =
      builder.op("Range", {builder.integer(0), builder.op("Size", {places.order}), builder.integer(1)});
  const ValueId row_of_place = builder.op("ScatterElements", {places.order, places.order, numbers}, kAlongFirst);
  return builder.op("Gather", {rows, row_of_place}, kAlongFirst);
}

}  // namespace terse::architectures
