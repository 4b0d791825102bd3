#include <array>

#include "calibration/ops/op.h"

namespace terse::calibration {
namespace ops {

// Each is defined in a file of this folder.
using Operator = std::vector<Tensor>(const OpCall& call);
Operator add;
Operator div;
Operator fused_matmul;
Operator gemm;
Operator identity;
Operator matmul;
Operator max;
Operator mean;
Operator min;
Operator mod;
Operator mul;
Operator pow;
Operator sub;
Operator sum;

}  // namespace ops

namespace {

/// One row an operator, sorted by domain and name (in bytes: capitals first).
constexpr std::array kOperators = {
    OpRow{"", "Add", ops::add},       OpRow{"", "Div", ops::div},
    OpRow{"", "Gemm", ops::gemm},     OpRow{"", "Identity", ops::identity},
    OpRow{"", "MatMul", ops::matmul}, OpRow{"", "Max", ops::max},
    OpRow{"", "Mean", ops::mean},     OpRow{"", "Min", ops::min},
    OpRow{"", "Mod", ops::mod},       OpRow{"", "Mul", ops::mul},
    OpRow{"", "Pow", ops::pow},       OpRow{"", "Sub", ops::sub},
    OpRow{"", "Sum", ops::sum},       OpRow{"com.microsoft", "FusedMatMul", ops::fused_matmul},
};

static_assert([] {
  for (size_t i = 1; i < kOperators.size(); ++i) {
    const OpRow& a = kOperators[i - 1];
    const OpRow& b = kOperators[i];
    if (a.domain != b.domain ? a.domain > b.domain : a.name >= b.name) {
      return false;
    }
  }
  return true;
}());

}  // namespace

std::span<const OpRow> operators() { return kOperators; }

}  // namespace terse::calibration
