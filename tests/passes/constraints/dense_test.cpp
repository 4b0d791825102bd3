#include "passes/constraints/dense.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "passes/solvers/solver.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

Encoding cast(const EncodingPtr& weight, DType dtype) {
  DenseConstraint constraint(*weight, dtype);
  constraint.allocate();
  solve_nearest(*weight, constraint, [](int64_t) {});
  return constraint.finish();
}

TEST_SUITE("passes/constraints/dense") {
  TEST_CASE("numbers are rounded as conversions of whole tensors round them") {
    const EncodingPtr weight = random_matrix(70, 33);
    for (const DType dtype : {DType::f16, DType::bf16, DType::f32}) {
      const Tensor expected = from_f32(decode(*weight), dtype);
      const Encoding encoding = cast(weight, dtype);
      CHECK(encoding.dense()->dtype == dtype);
      CHECK(std::equal(expected.bytes().begin(), expected.bytes().end(), encoding.dense()->values.bytes().begin()));
    }
  }

  TEST_CASE("a transposed weight comes out in its logical order") {
    const EncodingPtr weight = make_dense_transposed(Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
    const Encoding encoding = cast(weight, DType::f32);
    CHECK(encoding.shape == Shape{3, 2});
    CHECK_FALSE(encoding.dense()->transposed);
    const auto numbers = encoding.dense()->values.values<float>();
    CHECK(std::vector<float>(numbers.begin(), numbers.end()) == std::vector<float>{1, 4, 2, 5, 3, 6});
  }

  TEST_CASE("a number that the type cannot hold is an error") {
    CHECK_THROWS_WITH_AS(cast(matrix(1, 2, {1, 65520}), DType::f16),
                         "a number is too large for f16, keep f32 or use bf16", Error);
    CHECK_NOTHROW(cast(matrix(1, 2, {1, 65519}), DType::f16));
  }
}

}  // namespace
}  // namespace terse::passes
