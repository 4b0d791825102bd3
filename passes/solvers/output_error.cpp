#include "passes/solvers/output_error.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>
#include <vector>

#include "calibration/gemm.h"
#include "calibration/parallel.h"

namespace terse::passes {
namespace {

constexpr int64_t kRows = 64;  // at a time: packing H for a product costs as much as 20 rows of it
constexpr size_t kLanes = 8;   // sums side by side, so that one does not wait for the other

/// Sum of a_i b_i.
double dot(std::span<const float> a, std::span<const float> b) {
  std::array<double, kLanes> sums{};
  const size_t whole = a.size() / kLanes * kLanes;
  for (size_t i = 0; i < whole; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
    }
  }
  for (size_t i = whole; i < a.size(); ++i) {
    sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

double quadratic_form(std::span<const float> x, int64_t rows, const calibration::Gram& hessian) {
  const int64_t columns = hessian.columns();
  std::vector<float> product(x.size());
  calibration::multiply({.m = rows,
                         .n = columns,
                         .k = columns,
                         .a = x.data(),
                         .lda = columns,
                         .b = hessian.matrix().data(),
                         .ldb = columns,
                         .c = product.data(),
                         .ldc = columns});
  return dot(x, product);
}

/// Sum over the rows of each number's square, times its column's weight.
double diagonal_form(std::span<const float> x, int64_t rows, Importance diagonal) {
  double sum = 0;
  const float* number = x.data();
  for (int64_t row = 0; row < rows; ++row) {
    for (const float weight : diagonal) {
      sum += static_cast<double>(*number) * static_cast<double>(*number) * static_cast<double>(weight);
      ++number;
    }
  }
  return sum;
}

/// Adds up the form over all rows of a matrix of the encoding's shape, which `decode(first, numbers)` gives.
template <typename Form, typename Decode>
double sum_over_rows(const Encoding& encoding, const Form& form, Decode&& decode) {
  std::vector<double> parts(static_cast<size_t>((encoding.rows() + kRows - 1) / kRows));
  calibration::parallel_ranges(encoding.rows(), kRows, [&](int64_t begin, int64_t end) {
    std::vector<float> numbers(static_cast<size_t>((end - begin) * encoding.columns()));
    decode(begin, end - begin, numbers);
    parts[static_cast<size_t>(begin / kRows)] = form(numbers, end - begin);
  });
  release_pages(encoding);
  return std::accumulate(parts.begin(), parts.end(), 0.0);
}

}  // namespace

OutputError::OutputError(const Encoding& before, Form form) : before_(before), form_(std::move(form)) {
  signal_ = sum_over_rows(before_, form_, [&](int64_t first, int64_t count, std::vector<float>& numbers) {
    decode_rows(before_, first, count, numbers);
  });
}

OutputError::OutputError(const Encoding& before, const calibration::Gram& hessian)
    : OutputError(before,
                  [&hessian](std::span<const float> x, int64_t rows) { return quadratic_form(x, rows, hessian); }) {}

OutputError::OutputError(const Encoding& before, Importance diagonal)
    : OutputError(before,
                  [diagonal](std::span<const float> x, int64_t rows) { return diagonal_form(x, rows, diagonal); }) {}

double OutputError::relative(const Encoding& after) const {
  const double noise = sum_over_rows(before_, form_, [&](int64_t first, int64_t count, std::vector<float>& numbers) {
    std::vector<float> rounded(numbers.size());
    decode_rows(before_, first, count, numbers);
    decode_rows(after, first, count, rounded);
    std::ranges::transform(numbers, rounded, numbers.begin(), std::minus<>());
  });
  return signal_ > 0 ? noise / signal_ : 0;
}

}  // namespace terse::passes
