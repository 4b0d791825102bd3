#include "calibration/token_weights.h"

#include <doctest/doctest.h>

namespace terse::calibration {
namespace {

TEST_SUITE("calibration/token_weights") {
  TEST_CASE("a token counts by its norm relative to the median token's") {
    const Tensor residual = Tensor::of<float>({1, 3, 2}, {30, 40, 3, 4, 0, 5});
    CHECK(token_weights({residual}, 3, {0, 1, 2}) == std::vector<float>{10, 1, 1});
  }

  TEST_CASE("of several values that pass by the largest ratio counts; scalars and other shapes do not") {
    const Tensor a = Tensor::of<float>({3, 2}, {0, 1, 0, 1, 0, 3}), b = Tensor::of<float>({3, 2}, {4, 0, 1, 0, 1, 0});
    const Tensor scalars = Tensor::of<float>({3, 1}, {1, 1, 99}), other = Tensor::of<float>({2, 2}, {1, 2, 3, 4});
    const Tensor ids = Tensor::of<int64_t>({3, 2}, {1, 2, 3, 4, 5, 600});
    CHECK(token_weights({a, scalars, b, other, ids}, 3, {0, 1, 2}) == std::vector<float>{4, 1, 3});
  }

  TEST_CASE("padding is neither weighted nor part of the median") {
    const Tensor residual = Tensor::of<float>({4, 2}, {0, 1, 0, 1, 0, 100, 0, 2});
    CHECK(token_weights({residual}, 4, {0, 1, 3}) == std::vector<float>{1, 1, 2});
  }

  TEST_CASE("where nothing passes by, or only zeros do, all tokens count the same") {
    CHECK(token_weights({}, 2, {0, 1}) == std::vector<float>{1, 1});
    CHECK(token_weights({Tensor::of<float>({2, 2}, {0, 0, 0, 0})}, 2, {0, 1}) == std::vector<float>{1, 1});
    CHECK(token_weights({}, 0, {}).empty());
  }
}

}  // namespace
}  // namespace terse::calibration
