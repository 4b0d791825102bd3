#include <array>

#include "calibration/ops/op.h"

namespace terse::calibration {
namespace ops {

// Each is defined in a file of this folder.
using Operator = std::vector<Tensor>(const OpCall& call);
Operator abs;
Operator add;
Operator arg_max;
Operator arg_min;
Operator attention;
Operator batch_normalization;
Operator bit_shift;
Operator bitwise_and;
Operator bitwise_not;
Operator bitwise_or;
Operator bitwise_xor;
Operator cast;
Operator cast_like;
Operator ceil;
Operator clip;
Operator concat;
Operator constant;
Operator constant_of_shape;
Operator cos;
Operator cum_sum;
Operator dequantize_linear;
Operator div;
Operator dropout;
Operator dynamic_quantize_linear;
Operator elu;
Operator equal;
Operator erf;
Operator exp;
Operator expand;
Operator eye_like;
Operator flatten;
Operator floor;
Operator fused_matmul;
Operator gather;
Operator gather_block_quantized;
Operator gather_elements;
Operator gather_nd;
Operator gelu;
Operator gemm;
Operator greater;
Operator greater_or_equal;
Operator hard_sigmoid;
Operator hardmax;
Operator identity;
Operator is_inf;
Operator is_nan;
Operator layer_normalization;
Operator leaky_relu;
Operator less;
Operator less_or_equal;
Operator log;
Operator log_softmax;
Operator logical_and;
Operator logical_not;
Operator logical_or;
Operator logical_xor;
Operator matmul;
Operator matmul_integer;
Operator matmul_nbits;
Operator max;
Operator mean;
Operator min;
Operator mod;
Operator mul;
Operator neg;
Operator non_zero;
Operator one_hot;
Operator pad;
Operator pow;
Operator qlinear_matmul;
Operator quantize_linear;
Operator range;
Operator reciprocal;
Operator reduce_l1;
Operator reduce_l2;
Operator reduce_log_sum;
Operator reduce_log_sum_exp;
Operator reduce_max;
Operator reduce_mean;
Operator reduce_min;
Operator reduce_prod;
Operator reduce_sum;
Operator reduce_sum_square;
Operator relu;
Operator reshape;
Operator rms_normalization;
Operator rotary_embedding;
Operator round;
Operator scatter_elements;
Operator scatter_nd;
Operator shape;
Operator sigmoid;
Operator sign;
Operator simplified_layer_normalization;
Operator sin;
Operator size;
Operator slice;
Operator softmax;
Operator softplus;
Operator split;
Operator sqrt;
Operator squeeze;
Operator sub;
Operator sum;
Operator swish;
Operator tanh;
Operator tile;
Operator top_k;
Operator transpose;
Operator trilu;
Operator unsqueeze;
Operator where;

}  // namespace ops

namespace {

/// One row an operator, sorted by domain and name (in bytes: capitals first).
// clang-format off
constexpr std::array kOperators = {
    OpRow{"", "Abs", ops::abs},
    OpRow{"", "Add", ops::add},
    OpRow{"", "And", ops::logical_and},
    OpRow{"", "ArgMax", ops::arg_max},
    OpRow{"", "ArgMin", ops::arg_min},
    OpRow{"", "Attention", ops::attention},
    OpRow{"", "BatchNormalization", ops::batch_normalization},
    OpRow{"", "BitShift", ops::bit_shift},
    OpRow{"", "BitwiseAnd", ops::bitwise_and},
    OpRow{"", "BitwiseNot", ops::bitwise_not},
    OpRow{"", "BitwiseOr", ops::bitwise_or},
    OpRow{"", "BitwiseXor", ops::bitwise_xor},
    OpRow{"", "Cast", ops::cast},
    OpRow{"", "CastLike", ops::cast_like},
    OpRow{"", "Ceil", ops::ceil},
    OpRow{"", "Clip", ops::clip},
    OpRow{"", "Concat", ops::concat},
    OpRow{"", "Constant", ops::constant},
    OpRow{"", "ConstantOfShape", ops::constant_of_shape},
    OpRow{"", "Cos", ops::cos},
    OpRow{"", "CumSum", ops::cum_sum},
    OpRow{"", "DequantizeLinear", ops::dequantize_linear},
    OpRow{"", "Div", ops::div},
    OpRow{"", "Dropout", ops::dropout},
    OpRow{"", "DynamicQuantizeLinear", ops::dynamic_quantize_linear},
    OpRow{"", "Elu", ops::elu},
    OpRow{"", "Equal", ops::equal},
    OpRow{"", "Erf", ops::erf},
    OpRow{"", "Exp", ops::exp},
    OpRow{"", "Expand", ops::expand},
    OpRow{"", "EyeLike", ops::eye_like},
    OpRow{"", "Flatten", ops::flatten},
    OpRow{"", "Floor", ops::floor},
    OpRow{"", "Gather", ops::gather},
    OpRow{"", "GatherElements", ops::gather_elements},
    OpRow{"", "GatherND", ops::gather_nd},
    OpRow{"", "Gelu", ops::gelu},
    OpRow{"", "Gemm", ops::gemm},
    OpRow{"", "Greater", ops::greater},
    OpRow{"", "GreaterOrEqual", ops::greater_or_equal},
    OpRow{"", "HardSigmoid", ops::hard_sigmoid},
    OpRow{"", "Hardmax", ops::hardmax},
    OpRow{"", "Identity", ops::identity},
    OpRow{"", "IsInf", ops::is_inf},
    OpRow{"", "IsNaN", ops::is_nan},
    OpRow{"", "LayerNormalization", ops::layer_normalization},
    OpRow{"", "LeakyRelu", ops::leaky_relu},
    OpRow{"", "Less", ops::less},
    OpRow{"", "LessOrEqual", ops::less_or_equal},
    OpRow{"", "Log", ops::log},
    OpRow{"", "LogSoftmax", ops::log_softmax},
    OpRow{"", "MatMul", ops::matmul},
    OpRow{"", "MatMulInteger", ops::matmul_integer},
    OpRow{"", "Max", ops::max},
    OpRow{"", "Mean", ops::mean},
    OpRow{"", "Min", ops::min},
    OpRow{"", "Mod", ops::mod},
    OpRow{"", "Mul", ops::mul},
    OpRow{"", "Neg", ops::neg},
    OpRow{"", "NonZero", ops::non_zero},
    OpRow{"", "Not", ops::logical_not},
    OpRow{"", "OneHot", ops::one_hot},
    OpRow{"", "Or", ops::logical_or},
    OpRow{"", "Pad", ops::pad},
    OpRow{"", "Pow", ops::pow},
    OpRow{"", "QLinearMatMul", ops::qlinear_matmul},
    OpRow{"", "QuantizeLinear", ops::quantize_linear},
    OpRow{"", "RMSNormalization", ops::rms_normalization},
    OpRow{"", "Range", ops::range},
    OpRow{"", "Reciprocal", ops::reciprocal},
    OpRow{"", "ReduceL1", ops::reduce_l1},
    OpRow{"", "ReduceL2", ops::reduce_l2},
    OpRow{"", "ReduceLogSum", ops::reduce_log_sum},
    OpRow{"", "ReduceLogSumExp", ops::reduce_log_sum_exp},
    OpRow{"", "ReduceMax", ops::reduce_max},
    OpRow{"", "ReduceMean", ops::reduce_mean},
    OpRow{"", "ReduceMin", ops::reduce_min},
    OpRow{"", "ReduceProd", ops::reduce_prod},
    OpRow{"", "ReduceSum", ops::reduce_sum},
    OpRow{"", "ReduceSumSquare", ops::reduce_sum_square},
    OpRow{"", "Relu", ops::relu},
    OpRow{"", "Reshape", ops::reshape},
    OpRow{"", "RotaryEmbedding", ops::rotary_embedding},
    OpRow{"", "Round", ops::round},
    OpRow{"", "ScatterElements", ops::scatter_elements},
    OpRow{"", "ScatterND", ops::scatter_nd},
    OpRow{"", "Shape", ops::shape},
    OpRow{"", "Sigmoid", ops::sigmoid},
    OpRow{"", "Sign", ops::sign},
    OpRow{"", "SimplifiedLayerNormalization", ops::simplified_layer_normalization},
    OpRow{"", "Sin", ops::sin},
    OpRow{"", "Size", ops::size},
    OpRow{"", "Slice", ops::slice},
    OpRow{"", "Softmax", ops::softmax},
    OpRow{"", "Softplus", ops::softplus},
    OpRow{"", "Split", ops::split},
    OpRow{"", "Sqrt", ops::sqrt},
    OpRow{"", "Squeeze", ops::squeeze},
    OpRow{"", "Sub", ops::sub},
    OpRow{"", "Sum", ops::sum},
    OpRow{"", "Swish", ops::swish},
    OpRow{"", "Tanh", ops::tanh},
    OpRow{"", "Tile", ops::tile},
    OpRow{"", "TopK", ops::top_k},
    OpRow{"", "Transpose", ops::transpose},
    OpRow{"", "Trilu", ops::trilu},
    OpRow{"", "Unsqueeze", ops::unsqueeze},
    OpRow{"", "Where", ops::where},
    OpRow{"", "Xor", ops::logical_xor},
    OpRow{"com.microsoft", "FusedMatMul", ops::fused_matmul},
    OpRow{"com.microsoft", "GatherBlockQuantized", ops::gather_block_quantized},
    OpRow{"com.microsoft", "MatMulNBits", ops::matmul_nbits},
    OpRow{"com.microsoft", "SimplifiedLayerNormalization", ops::simplified_layer_normalization},
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
