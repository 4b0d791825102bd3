#include "formats/architectures/experts.h"

#include "formats/architectures/activations.h"
#include "formats/architectures/places.h"

namespace terse::architectures {
namespace {

const std::vector<Attribute> kAlongLast = {{.name = "axis", .value = int64_t{-1}}};
const std::vector<Attribute> kAlongFirst = {{.name = "axis", .value = int64_t{0}}};

class Experts {
 public:
  Experts(Blocks& blocks, const ExpertsTraits& traits) : blocks_(blocks), builder_(blocks.builder()), traits_(traits) {}

  ValueId add(ValueId x) {
    const ValueId rows = builder_.reshape(x, {-1, traits_.width.value});
    choose(rows);
    const Places places = split_places(builder_, chosen_, traits_.count.value);
    std::vector<ValueId> parts;
    for (size_t expert = 0; expert < places.of_experts.size(); ++expert) {
      parts.push_back(run(expert, rows, places.of_experts[expert]));
    }
    return builder_.op("Reshape", {sum(join_places(builder_, places, parts)), builder_.op("Shape", {x})});
  }

 private:
  /// Each token's experts, and their shares by place, [places, 1].
  void choose(ValueId rows) {
    ValueId scores =
        blocks_.linear(rows, traits_.names.router, {.out = traits_.count, .in = traits_.width, .bias = Bias::none});
    if (traits_.shares == Shares::of_all) {
      scores = builder_.op("Softmax", {scores}, kAlongLast);
    }
    const auto best = builder_.op_n("TopK", {scores, builder_.ints({traits_.chosen.value})}, 2, kAlongLast);
    const ValueId shares =
        traits_.shares == Shares::of_chosen ? builder_.op("Softmax", {best[0]}, kAlongLast) : best[0];
    shares_ = builder_.reshape(shares, {-1, 1});
    chosen_ = best[1];
  }

  /// What an expert adds to the tokens of its places.
  ValueId run(size_t expert, ValueId rows, ValueId places) {
    const auto widen = [&](ValueId in, std::string_view name, const Size& out, const Size& width) {
      return blocks_.linear(in, numbered(name, expert), {.out = out, .in = width, .bias = Bias::none});
    };
    const ValueId tokens = builder_.op("Div", {places, builder_.integer(traits_.chosen.value)});
    const ValueId own = builder_.op("Gather", {rows, tokens}, kAlongFirst);
    const ValueId shares = builder_.op("Gather", {shares_, places}, kAlongFirst);
    const ValueId gate =
        activation(builder_, traits_.activation, widen(own, traits_.names.gate, traits_.inner, traits_.width));
    const ValueId inner = builder_.mul(gate, widen(own, traits_.names.up, traits_.inner, traits_.width));
    return builder_.mul(widen(inner, traits_.names.down, traits_.width, traits_.inner), shares);
  }

  /// Rows of places, summed over each token's.
  ValueId sum(ValueId rows) {
    const ValueId placed = builder_.reshape(rows, {-1, traits_.chosen.value, traits_.width.value});
    return builder_.op("ReduceSum", {placed, builder_.ints({1})}, {{.name = "keepdims", .value = int64_t{0}}});
  }

  Blocks& blocks_;
  OpBuilder& builder_;
  const ExpertsTraits& traits_;
  ValueId shares_ = kNoValue, chosen_ = kNoValue;
};

}  // namespace

ValueId add_experts(Blocks& blocks, ValueId x, const ExpertsTraits& traits) { return Experts(blocks, traits).add(x); }

}  // namespace terse::architectures
