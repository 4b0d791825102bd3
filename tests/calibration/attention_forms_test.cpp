#include <doctest/doctest.h>

#include <random>

#include "calibration/executor.h"
#include "formats/architectures/attention.h"

namespace terse::calibration {
namespace {

using architectures::AttentionInputs;
using architectures::AttentionTraits;
using architectures::OpBuilder;

constexpr AttentionTraits kTraits = {.heads = 4, .kv_heads = 2, .head_size = 3, .softcap = 0.5F};

Tensor random(Shape shape, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<float> normal;
  Tensor tensor = Tensor::make(DType::f32, std::move(shape));
  std::ranges::generate(tensor.mutable_values<float>(), [&] { return normal(generator); });
  return tensor;
}

/// Queries, keys and values of 5 tokens through what `append` makes of them.
template <typename Append>
Tensor run(Append&& append) {
  Model model{.opsets = {{"", 23}}};
  OpBuilder builder(model.graph);
  const ValueId q = builder.input("q", DType::f32, {{}, {}, {}});
  const ValueId k = builder.input("k", DType::f32, {{}, {}, {}});
  const ValueId v = builder.input("v", DType::f32, {{}, {}, {}});
  builder.output("y", append(builder, q, k, v), DType::f32, {{}, {}, {}});
  return Executor(model).run(
      {{"q", random({2, 5, 12}, 1)}, {"k", random({2, 5, 6}, 2)}, {"v", random({2, 5, 6}, 3)}})[0];
}

}  // namespace

TEST_SUITE("calibration/attention_forms") {
  TEST_CASE("attention spelled out for its soft cap equals the operator's where no mask is added") {
    const Tensor spelled_out = run([](OpBuilder& builder, ValueId q, ValueId k, ValueId v) {
      return attention(builder, kTraits, AttentionInputs{.q = q, .k = k, .v = v}).context;
    });
    const Tensor expected = run([](OpBuilder& builder, ValueId q, ValueId k, ValueId v) {
      return builder.op(
          "Attention", {q, k, v},
          {{"q_num_heads", kTraits.heads}, {"kv_num_heads", kTraits.kv_heads}, {"softcap", kTraits.softcap}});
    });
    REQUIRE(spelled_out.shape() == expected.shape());
    for (size_t i = 0; i < expected.values<float>().size(); ++i) {
      CAPTURE(i);
      CHECK(spelled_out.values<float>()[i] == doctest::Approx(expected.values<float>()[i]).epsilon(1e-4));
    }
  }
}

}  // namespace terse::calibration
