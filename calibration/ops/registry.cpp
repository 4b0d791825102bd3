#include <array>

#include "calibration/ops/op.h"

namespace terse::calibration {
namespace ops {

// Each is defined in a file of this folder.
using Operator = std::vector<Tensor>(const OpCall& call);
Operator add;
Operator arg_max;
Operator arg_min;
Operator cast;
Operator cast_like;
Operator concat;
Operator constant;
Operator constant_of_shape;
Operator cum_sum;
Operator div;
Operator dropout;
Operator expand;
Operator eye_like;
Operator flatten;
Operator fused_matmul;
Operator gather;
Operator gather_elements;
Operator gather_nd;
Operator gemm;
Operator identity;
Operator matmul;
Operator max;
Operator mean;
Operator min;
Operator mod;
Operator mul;
Operator non_zero;
Operator one_hot;
Operator pad;
Operator pow;
Operator range;
Operator reshape;
Operator scatter_elements;
Operator scatter_nd;
Operator shape;
Operator size;
Operator slice;
Operator split;
Operator squeeze;
Operator sub;
Operator sum;
Operator tile;
Operator top_k;
Operator transpose;
Operator trilu;
Operator unsqueeze;

}  // namespace ops

namespace {

/// One row an operator, sorted by domain and name (in bytes: capitals first).
// clang-format off
constexpr std::array kOperators = {
    OpRow{"", "Add", ops::add},
    OpRow{"", "ArgMax", ops::arg_max},
    OpRow{"", "ArgMin", ops::arg_min},
    OpRow{"", "Cast", ops::cast},
    OpRow{"", "CastLike", ops::cast_like},
    OpRow{"", "Concat", ops::concat},
    OpRow{"", "Constant", ops::constant},
    OpRow{"", "ConstantOfShape", ops::constant_of_shape},
    OpRow{"", "CumSum", ops::cum_sum},
    OpRow{"", "Div", ops::div},
    OpRow{"", "Dropout", ops::dropout},
    OpRow{"", "Expand", ops::expand},
    OpRow{"", "EyeLike", ops::eye_like},
    OpRow{"", "Flatten", ops::flatten},
    OpRow{"", "Gather", ops::gather},
    OpRow{"", "GatherElements", ops::gather_elements},
    OpRow{"", "GatherND", ops::gather_nd},
    OpRow{"", "Gemm", ops::gemm},
    OpRow{"", "Identity", ops::identity},
    OpRow{"", "MatMul", ops::matmul},
    OpRow{"", "Max", ops::max},
    OpRow{"", "Mean", ops::mean},
    OpRow{"", "Min", ops::min},
    OpRow{"", "Mod", ops::mod},
    OpRow{"", "Mul", ops::mul},
    OpRow{"", "NonZero", ops::non_zero},
    OpRow{"", "OneHot", ops::one_hot},
    OpRow{"", "Pad", ops::pad},
    OpRow{"", "Pow", ops::pow},
    OpRow{"", "Range", ops::range},
    OpRow{"", "Reshape", ops::reshape},
    OpRow{"", "ScatterElements", ops::scatter_elements},
    OpRow{"", "ScatterND", ops::scatter_nd},
    OpRow{"", "Shape", ops::shape},
    OpRow{"", "Size", ops::size},
    OpRow{"", "Slice", ops::slice},
    OpRow{"", "Split", ops::split},
    OpRow{"", "Squeeze", ops::squeeze},
    OpRow{"", "Sub", ops::sub},
    OpRow{"", "Sum", ops::sum},
    OpRow{"", "Tile", ops::tile},
    OpRow{"", "TopK", ops::top_k},
    OpRow{"", "Transpose", ops::transpose},
    OpRow{"", "Trilu", ops::trilu},
    OpRow{"", "Unsqueeze", ops::unsqueeze},
    OpRow{"com.microsoft", "FusedMatMul", ops::fused_matmul},
};
// clang-format on

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
