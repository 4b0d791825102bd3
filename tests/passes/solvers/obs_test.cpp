#include "passes/solvers/obs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "calibration/parallel.h"
#include "formats/error.h"
#include "passes/constraints/affine.h"
#include "passes/constraints/gguf_blocks.h"
#include "passes/constraints/sparsity.h"
#include "passes/pipeline.h"
#include "passes/projection.h"
#include "passes/solvers/column_order.h"
#include "passes/solvers/descent.h"
#include "passes/solvers/output_error.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

/// Inputs whose columns go together, as a layer's do.
calibration::Gram correlated_inputs(int64_t columns, int64_t rows = 400) {
  std::vector<float> x = normal_numbers(rows * columns, 7);
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 1; column < columns; ++column) {
      x[static_cast<size_t>(row * columns + column)] += 0.8F * x[static_cast<size_t>(row * columns + column - 1)];
    }
  }
  calibration::Gram gram(columns);
  gram.add(x, {});
  gram.finish();
  return gram;
}

/// (H + 0.05 diag(H) + damping)^-1 in double, by Gauss-Jordan.
std::vector<double> inverse(const calibration::Gram& hessian, double damping) {
  const auto n = static_cast<size_t>(hessian.columns());
  double mean = 0;
  for (size_t i = 0; i < n; ++i) {
    mean += static_cast<double>(hessian.at(static_cast<int64_t>(i), static_cast<int64_t>(i))) / static_cast<double>(n);
  }
  std::vector<double> a(n * n), b(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      a[i * n + j] = static_cast<double>(hessian.matrix()[i * n + j]) +
                     (i == j ? 0.05 * static_cast<double>(hessian.matrix()[i * n + j]) + damping * mean : 0);
    }
    b[i * n + i] = 1;
  }
  for (size_t pivot = 0; pivot < n; ++pivot) {
    const double scale = 1 / a[pivot * n + pivot];
    for (size_t j = 0; j < n; ++j) {
      a[pivot * n + j] *= scale;
      b[pivot * n + j] *= scale;
    }
    for (size_t i = 0; i < n; ++i) {
      const double factor = i == pivot ? 0 : a[i * n + pivot];
      for (size_t j = 0; j < n; ++j) {
        a[i * n + j] -= factor * a[pivot * n + j];
        b[i * n + j] -= factor * b[pivot * n + j];
      }
    }
  }
  return b;
}

/// Optimal brain surgery as its first paper has it: after each column the inverse of what is left is updated. Rounds to
/// multiples of `step`.
std::vector<double> slow_obs(std::vector<double> w, int64_t rows, std::vector<double> inverse_hessian, double step) {
  const size_t n = w.size() / static_cast<size_t>(rows);
  std::vector<double>& h = inverse_hessian;
  for (size_t column = 0; column < n; ++column) {
    for (size_t row = 0; row < static_cast<size_t>(rows); ++row) {
      const double rounded = std::nearbyint(w[row * n + column] / step) * step;
      const double error = (rounded - w[row * n + column]) / h[column * n + column];
      for (size_t j = column + 1; j < n; ++j) {
        w[row * n + j] += error * h[column * n + j];
      }
      w[row * n + column] = rounded;
    }
    for (size_t i = column + 1; i < n; ++i) {
      for (size_t j = column + 1; j < n; ++j) {
        h[i * n + j] -= h[i * n + column] * h[column * n + j] / h[column * n + column];
      }
    }
  }
  return w;
}

/// Multiples of a fixed step.
class StepConstraint : public Constraint {
 public:
  StepConstraint(float step, std::vector<float>& out, int64_t columns) : step_(step), out_(out), columns_(columns) {}
  FittingBlock fitting_block() const override { return {}; }
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t /*row_count*/) override {
    return std::make_unique<Fit>(*this, first_row);
  }

 private:
  class Fit : public PanelFit {
   public:
    Fit(StepConstraint& owner, int64_t first_row) : owner_(owner), first_row_(first_row) {}
    void fit(const ConstBlock& /*block*/, Importance /*importance*/) override {}
    void snap(const Block& block) override {
      for (int64_t row = 0; row < block.rows; ++row) {
        for (int64_t i = 0; i < block.columns; ++i) {
          float& value = block.row(row)[i];
          value = std::nearbyint(value / owner_.step_) * owner_.step_;
          owner_.out_[static_cast<size_t>((first_row_ + row) * owner_.columns_ + block.first_column + i)] = value;
        }
      }
    }

   private:
    StepConstraint& owner_;
    int64_t first_row_;
  };
  float step_;
  std::vector<float>& out_;
  int64_t columns_;
};

struct Quantized {
  Encoding encoding;
  double error = 0;
};

enum class How { nearest, weighted, obs, descent };

Quantized quantize(const EncodingPtr& weight, const calibration::Gram& hessian, const AffineOptions& options, How how) {
  AffineConstraint constraint(*weight, options);
  constraint.allocate();
  const auto ignore = [](int64_t) {};
  const ObsFactor factor(hessian);
  std::vector<float> diagonal;
  for (int64_t i = 0; i < hessian.columns(); ++i) {
    diagonal.push_back(hessian.at(i, i));
  }
  switch (how) {
    case How::nearest:
      solve_nearest(*weight, constraint, ignore);
      break;
    case How::weighted:
      solve_weighted(*weight, constraint, diagonal, ignore);
      break;
    case How::obs:
      solve_obs(*weight, constraint, factor, ignore);
      break;
    case How::descent:
      solve_descent(*weight, constraint, factor, hessian, ignore);
      break;
  }
  Quantized result{.encoding = constraint.finish()};
  result.error = OutputError(*weight, hessian).relative(result.encoding);
  return result;
}

TEST_SUITE("passes/solvers/obs") {
  TEST_CASE("the factor's square is the damped inverse") {
    const auto hessian = correlated_inputs(50);
    const ObsFactor factor(hessian);
    CHECK(factor.damping() == doctest::Approx(0.003));
    const auto expected = inverse(hessian, factor.damping());
    for (int64_t i = 0; i < 50; ++i) {
      for (int64_t j = 0; j < 50; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < 50; ++k) {
          sum += static_cast<double>(factor.row(k)[i]) * static_cast<double>(factor.row(k)[j]);
        }
        CHECK(sum == doctest::Approx(expected[static_cast<size_t>(i * 50 + j)]).epsilon(1e-3));
      }
    }
  }

  TEST_CASE("columns come out as updating the inverse after each of them in double has it") {
    constexpr int64_t kRows = 40, kColumns = 300;  // more than a panel of rows and two chunks of columns
    const auto hessian = correlated_inputs(kColumns, 900);
    const auto numbers = normal_numbers(kRows * kColumns);
    const ObsFactor factor(hessian);
    const auto expected = slow_obs({numbers.begin(), numbers.end()}, kRows, inverse(hessian, factor.damping()), 0.125);
    std::vector<float> found(numbers.size());
    StepConstraint constraint(0.125F, found, kColumns);
    solve_obs(*matrix(kRows, kColumns, numbers), constraint, factor, [](int64_t) {});
    int64_t different = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      different += std::fabs(static_cast<double>(found[i]) - expected[i]) > 1e-6 ? 1 : 0;
    }
    // Numbers half way between two steps may go either way, and take those behind them along.
    CHECK(different < kRows * kColumns / 50);
  }

  TEST_CASE("columns in another order come out as those of a matrix that is stored in it") {
    constexpr int64_t kRows = 8, kColumns = 160;
    const auto hessian = correlated_inputs(kColumns, 900);
    const auto numbers = normal_numbers(kRows * kColumns);
    std::vector<int64_t> order(kColumns);
    for (int64_t i = 0; i < kColumns; ++i) {
      order[static_cast<size_t>(i)] = i * 57 % kColumns;
    }
    const ObsFactor factor(hessian, order);
    const auto stored = inverse(hessian, factor.damping());
    std::vector<double> ordered(stored.size()), target(numbers.size());
    for (int64_t i = 0; i < kColumns; ++i) {
      const int64_t column = order[static_cast<size_t>(i)];
      for (int64_t row = 0; row < kRows; ++row) {
        target[static_cast<size_t>(row * kColumns + i)] = numbers[static_cast<size_t>(row * kColumns + column)];
      }
      for (int64_t j = 0; j < kColumns; ++j) {
        ordered[static_cast<size_t>(i * kColumns + j)] =
            stored[static_cast<size_t>(column * kColumns + order[static_cast<size_t>(j)])];
      }
    }
    const auto expected = slow_obs(target, kRows, ordered, 0.125);
    std::vector<float> found(numbers.size());
    StepConstraint constraint(0.125F, found, kColumns);
    solve_obs(*matrix(kRows, kColumns, numbers), constraint, factor, [](int64_t) {});
    int64_t different = 0;
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < kColumns; ++i) {
        const auto at = static_cast<size_t>(row * kColumns + order[static_cast<size_t>(i)]);
        different +=
            std::fabs(static_cast<double>(found[at]) - expected[static_cast<size_t>(row * kColumns + i)]) > 1e-6 ? 1
                                                                                                                 : 0;
      }
    }
    CHECK(different < kRows * kColumns / 50);
  }

  TEST_CASE("super-blocks leave a smaller error where their sub-blocks are fitted again on the way") {
    /// The same set, whose sub-blocks keep what was fitted at first.
    class Stiff : public BlockConstraint {
     public:
      using BlockConstraint::BlockConstraint;
      FittingBlock fitting_block() const override { return {.columns = BlockConstraint::fitting_block().columns}; }
    };
    const auto weight = random_matrix(64, 512);
    const auto hessian = correlated_inputs(512, 2000);
    const ObsFactor factor(hessian);
    for (const BlockType type :
         {BlockType::q2_k, BlockType::q3_k, BlockType::q4_k, BlockType::q5_k, BlockType::q6_k, BlockType::iq4_xs}) {
      CAPTURE(row(type).name);
      const auto error = [&](EncodedConstraint& constraint) {
        constraint.allocate();
        solve_obs(*weight, constraint, factor, [](int64_t) {});
        return OutputError(*weight, hessian).relative(constraint.finish());
      };
      BlockConstraint refitted(*weight, type);
      Stiff stiff(*weight, type);
      CHECK(error(refitted) < error(stiff));
    }
  }

  TEST_CASE("each solver leaves a smaller error of the outputs than the one before") {
    const auto weight = random_matrix(48, 256);
    const auto hessian = correlated_inputs(256, 2000);
    for (const bool asymmetric : {false, true}) {
      for (const int64_t block : {32, 64, 256}) {
        CAPTURE(asymmetric);
        CAPTURE(block);
        const AffineOptions options{.bits = 4, .block_columns = block, .asymmetric = asymmetric};
        const double nearest = quantize(weight, hessian, options, How::nearest).error;
        const double obs = quantize(weight, hessian, options, How::obs).error;
        const double descent = quantize(weight, hessian, options, How::descent).error;
        CHECK(obs < 0.6 * nearest);
        CHECK(descent < obs);
      }
    }
  }

  TEST_CASE("a weighted fit favours columns that are large") {
    const auto weight = random_matrix(32, 64);
    std::vector<float> x = normal_numbers(int64_t{64} * 500, 3);
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] *= i % 8 == 0 ? 30 : 1;
    }
    calibration::Gram gram(64);
    gram.add(x, {});
    gram.finish();
    const AffineOptions options{.bits = 4, .block_columns = 32};
    CHECK(quantize(weight, gram, options, How::weighted).error <
          0.8 * quantize(weight, gram, options, How::nearest).error);
  }

  TEST_CASE("the same bytes on any number of threads") {
    const auto weight = random_matrix(100, 256);
    const auto hessian = correlated_inputs(256);
    const AffineOptions options{.bits = 4, .block_columns = 32};
    const Encoding many = quantize(weight, hessian, options, How::descent).encoding;
    const calibration::ThreadLimit one(1);
    const Encoding alone = quantize(weight, hessian, options, How::descent).encoding;
    CHECK(std::ranges::equal(many.affine()->codes.bytes(), alone.affine()->codes.bytes()));
    CHECK(std::ranges::equal(many.affine()->scales.bytes(), alone.affine()->scales.bytes()));
  }

  TEST_CASE("columns that no sample reaches, and data of few directions, need no more than damping") {
    const auto weight = random_matrix(8, 64);
    std::vector<float> x(int64_t{64} * 3, 1.0F);
    for (size_t i = 0; i < x.size(); i += 64) {
      x[i + 5] = 0;
    }
    calibration::Gram gram(64);
    gram.add(x, {});
    gram.finish();
    const AffineOptions options{.bits = 4, .block_columns = 32};
    CHECK(std::isfinite(quantize(weight, gram, options, How::descent).error));
  }

  TEST_CASE("without a sample nothing is made up for") {
    const auto weight = random_matrix(8, 64);
    calibration::Gram empty(64);
    empty.finish();
    const AffineOptions options{.bits = 4, .block_columns = 32};
    CHECK(std::ranges::equal(quantize(weight, empty, options, How::obs).encoding.affine()->codes.bytes(),
                             quantize(weight, empty, options, How::nearest).encoding.affine()->codes.bytes()));
  }

  TEST_CASE("blocks of columns that no sample reaches are rounded as plainly as without data") {
    // Columns 0 to 63 are dead, and so are 96 to 127: whole blocks, whole sub-blocks and parts of super-blocks.
    constexpr int64_t kRows = 8, kColumns = 256;
    std::vector<float> x = normal_numbers(kColumns * 600, 3);
    const auto is_dead = [](int64_t column) { return column < 64 || (column >= 96 && column < 128); };
    for (size_t i = 0; i < x.size(); ++i) {
      x[i] = is_dead(static_cast<int64_t>(i) % kColumns) ? 0 : x[i];
    }
    calibration::Statistics statistics{.solving = calibration::Gram(kColumns), .held_out = calibration::Gram(kColumns)};
    statistics.solving.add(x, {});
    statistics.solving.finish();
    const auto weight = random_matrix(kRows, kColumns);
    const auto numbers = decode(*weight);
    const auto dead_error = [&](std::string_view pass, std::string_view solver, LayerInputs* inputs) {
      const PassCall call = parse_pass(pass);
      const PassRow& row = get_pass(call.name);
      const auto projection = row.project(Arguments(row, call));
      const Encoding found =
          project(weight, {}, projection.get(), Effort::solve, solver, inputs, [](double) {}).encoding;
      const Tensor after = decode(found);
      double error = 0;
      for (int64_t i = 0; i < kRows * kColumns; ++i) {
        const auto at = static_cast<size_t>(i);
        const double difference =
            static_cast<double>(after.values<float>()[at]) - static_cast<double>(numbers.values<float>()[at]);
        REQUIRE(std::isfinite(difference));
        error += is_dead(i % kColumns) ? difference * difference : 0;
      }
      return error;
    };
    constexpr double kOwnScale = 1.6, kSharedTable = 3;  // a row's table serves the columns that count
    const std::vector<std::pair<std::string_view, double>> cases = {
        {"quantize,bits=4,block=32", kOwnScale}, {"quantize,bits=4,block=64,grid=asymmetric", kOwnScale},
        {"quantize,bits=2,block=16", kOwnScale}, {"quantize,type=Q4_K", kOwnScale},
        {"quantize,type=Q6_K", kOwnScale},       {"quantize,type=Q3_K", kOwnScale},
        {"quantize,type=Q4_0", kOwnScale},       {"quantize,type=IQ4_NL", kOwnScale},
        {"cluster,centroids=16", kSharedTable}};
    for (const auto& [pass, bound] : cases) {
      CAPTURE(pass);
      const double plain = dead_error(pass, "nearest", nullptr);
      for (const std::string_view solver : {"weighted", "obs", "descent", "auto"}) {
        CAPTURE(solver);
        LayerInputs inputs(statistics);
        const double calibrated = dead_error(pass, solver, &inputs);
        CHECK(calibrated < bound * plain);
      }
    }
  }

  TEST_CASE("where no damping helps, weights are solved without the inverse, and the note says so") {
    // The largest float is 3.4028e38: even the smallest damping takes the diagonal beyond it.
    constexpr int64_t kColumns = 64;
    calibration::Statistics statistics{.solving = calibration::Gram(kColumns), .held_out = calibration::Gram(kColumns)};
    statistics.solving.add(std::vector<float>(kColumns, 1.842e19F), {});
    statistics.solving.finish();
    REQUIRE(std::isfinite(statistics.solving.at(0, 0)));
    REQUIRE_FALSE(ObsFactor::find(statistics.solving, stored_order(kColumns)));
    const auto weight = random_matrix(8, kColumns);
    const PassCall call = parse_pass("quantize,bits=4,block=32");
    const auto projection = get_pass(call.name).project(Arguments(get_pass(call.name), call));
    for (const auto& [solver, used] :
         {std::pair("auto", "nearest"), std::pair("obs", "weighted"), std::pair("descent", "weighted")}) {
      CAPTURE(solver);
      LayerInputs inputs(statistics);
      const Projected found = project(weight, {}, projection.get(), Effort::solve, solver, &inputs, [](double) {});
      CHECK(found.solver == used);
      CHECK(found.note ==
            "no damping makes the statistics of its inputs positive definite, so solved by " + std::string(used));
      CHECK(found.solution->noise < 0.02 * found.solution->signal);
    }
  }

  TEST_CASE("a Hessian that is not finite is wrong input") {
    calibration::Gram gram(2);
    gram.add(std::vector<float>{INFINITY, 1}, {});
    gram.finish();
    CHECK_THROWS_AS(ObsFactor{gram}, Error);
  }
}

}  // namespace
}  // namespace terse::passes
