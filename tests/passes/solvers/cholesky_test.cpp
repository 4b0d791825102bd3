#include "passes/solvers/cholesky.h"

#include <doctest/doctest.h>

#include <Eigen/Cholesky>
#include <random>

#include "calibration/parallel.h"

namespace terse::passes {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix random_products(int64_t size) {
  std::mt19937 generator(1);
  std::normal_distribution<double> normal;
  Matrix rows(2 * size, size);
  for (int64_t i = 0; i < rows.size(); ++i) {
    rows.data()[i] = normal(generator);
  }
  return rows.transpose() * rows;
}

std::vector<float> floats_of(const Matrix& matrix) { return {matrix.data(), matrix.data() + matrix.size()}; }

TEST_SUITE("passes/solvers/cholesky") {
  TEST_CASE("the inverse factor is Eigen's in double, for whole and broken blocks, on any number of threads") {
    for (const int64_t size : {1, 7, 127, 128, 129, 300, 512}) {
      CAPTURE(size);
      const Matrix matrix = random_products(size);
      Matrix expected = Matrix::Identity(size, size);
      Eigen::LLT<Matrix>(matrix).matrixL().solveInPlace(expected);
      const auto found = inverse_cholesky(floats_of(matrix), size);
      REQUIRE(found);
      const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> view(found->data(),
                                                                                                         size, size);
      CHECK((view.cast<double>() - expected).norm() < 1e-4 * expected.norm());
      const calibration::ThreadLimit one(1);
      CHECK(*inverse_cholesky(floats_of(matrix), size) == *found);
    }
  }

  TEST_CASE("a matrix that is not positive definite has none, wherever that shows") {
    for (const int64_t bad : {0, 100, 200}) {
      CAPTURE(bad);
      Matrix matrix = random_products(300);
      matrix(bad, bad) = -1;
      CHECK(!inverse_cholesky(floats_of(matrix), 300));
    }
  }
}

}  // namespace
}  // namespace terse::passes
