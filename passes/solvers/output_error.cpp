#include "passes/solvers/output_error.h"

#include <algorithm>
#include <functional>
#include <vector>

#include "calibration/gemm.h"
#include "calibration/parallel.h"
#include "passes/solvers/panels.h"

namespace terse::passes {
namespace {

/// Sum over the rows x of x H x^T.
double quadratic_form(const std::vector<float>& x, int64_t rows, const calibration::Gram& hessian,
                      std::vector<float>& product) {
  const int64_t columns = hessian.columns();
  calibration::multiply({.m = rows,
                         .n = columns,
                         .k = columns,
                         .a = x.data(),
                         .lda = columns,
                         .b = hessian.matrix().data(),
                         .ldb = columns,
                         .c = product.data(),
                         .ldc = columns});
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += static_cast<double>(x[i]) * static_cast<double>(product[i]);
  }
  return sum;
}

/// Sum over the rows of each number's square, times its column's weight.
double diagonal_form(const std::vector<float>& x, int64_t rows, Importance diagonal) {
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

/// Adds up `form(numbers, rows)` of the original and of the error over panels of rows.
template <typename Form>
OutputError sum_over_panels(const Encoding& before, const Encoding& after, Form&& form) {
  std::vector<OutputError> parts(static_cast<size_t>((before.rows() + kPanelRows - 1) / kPanelRows));
  calibration::parallel_ranges(before.rows(), kPanelRows, [&](int64_t begin, int64_t end) {
    const auto count = static_cast<size_t>((end - begin) * before.columns());
    std::vector<float> w(count), e(count);
    decode_rows(before, begin, end - begin, w);
    decode_rows(after, begin, end - begin, e);
    std::ranges::transform(w, e, e.begin(), std::minus<>());
    parts[static_cast<size_t>(begin / kPanelRows)] = {.signal = form(w, end - begin), .noise = form(e, end - begin)};
  });
  OutputError total;
  for (const OutputError& part : parts) {
    total.noise += part.noise;
    total.signal += part.signal;
  }
  return total;
}

}  // namespace

OutputError output_error(const Encoding& before, const Encoding& after, const calibration::Gram& hessian) {
  return sum_over_panels(before, after, [&](const std::vector<float>& x, int64_t rows) {
    std::vector<float> product(x.size());
    return quadratic_form(x, rows, hessian, product);
  });
}

OutputError output_error(const Encoding& before, const Encoding& after, Importance diagonal) {
  return sum_over_panels(before, after,
                         [&](const std::vector<float>& x, int64_t rows) { return diagonal_form(x, rows, diagonal); });
}

}  // namespace terse::passes
