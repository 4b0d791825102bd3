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

}  // namespace

OutputError output_error(const Encoding& before, const Encoding& after, const calibration::Gram& hessian) {
  const int64_t columns = hessian.columns();
  std::vector<OutputError> parts(static_cast<size_t>((before.rows() + kPanelRows - 1) / kPanelRows));
  calibration::parallel_ranges(before.rows(), kPanelRows, [&](int64_t begin, int64_t end) {
    const auto count = static_cast<size_t>((end - begin) * columns);
    std::vector<float> w(count), e(count), product(count);
    decode_rows(before, begin, end - begin, w);
    decode_rows(after, begin, end - begin, e);
    std::ranges::transform(w, e, e.begin(), std::minus<>());
    OutputError& part = parts[static_cast<size_t>(begin / kPanelRows)];
    part.noise = quadratic_form(e, end - begin, hessian, product);
    part.signal = quadratic_form(w, end - begin, hessian, product);
  });
  OutputError total;
  for (const OutputError& part : parts) {
    total.noise += part.noise;
    total.signal += part.signal;
  }
  return total;
}

}  // namespace terse::passes
