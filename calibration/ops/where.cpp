#include "calibration/ops/elementwise.h"

namespace terse::calibration::ops {
namespace {

/// out[i] = c[i] ? x[i] : y[i]; steps as in Broadcast. The common pairs are written out so that compilers vectorise
/// them.
template <typename Word>
void select_run(const bool* c, int64_t c_step, const Word* x, int64_t x_step, const Word* y, int64_t y_step, Word* out,
                int64_t count) {
  const auto loop = [&](auto x_is, auto y_is) {
    for (int64_t i = 0; i < count; ++i) {
      out[i] = c[i] ? x[i * x_is] : y[i * y_is];
    }
  };
  using Step = std::integral_constant<int64_t, 1>;
  using Stay = std::integral_constant<int64_t, 0>;
  if (c_step == 0) {
    apply_run(*c ? x : y, *c ? x_step : y_step, x, 0, out, count, [](Word chosen, Word) { return chosen; });
  } else if (x_step != 0 && y_step != 0) {
    loop(Step(), Step());
  } else if (x_step != 0) {
    loop(Step(), Stay());
  } else if (y_step != 0) {
    loop(Stay(), Step());
  } else {
    loop(Stay(), Stay());
  }
}

/// Elements are only moved: a type of the same width stands for all of them.
template <typename Word>
Tensor select(const Tensor& condition, const Tensor& x, const Tensor& y, const Shape& shape) {
  Tensor out = Tensor::uninitialized(x.dtype(), shape);
  const Broadcast of_x(condition.shape(), x.shape(), shape);
  const Broadcast of_y(condition.shape(), y.shape(), shape);
  const bool* choose = condition.values<bool>().data();
  const auto* x_data = reinterpret_cast<const Word*>(x.bytes().data());
  const auto* y_data = reinterpret_cast<const Word*>(y.bytes().data());
  auto* out_data = reinterpret_cast<Word*>(out.mutable_bytes().data());
  parallel_ranges(out.count(), kElementsPerTask, [&](int64_t begin, int64_t end) {
    while (begin < end) {
      const int64_t x_inside = begin % of_x.length();
      const int64_t y_inside = begin % of_y.length();
      const int64_t count = std::min({end - begin, of_x.length() - x_inside, of_y.length() - y_inside});
      const auto x_at = of_x.offsets(begin / of_x.length());
      const auto y_at = of_y.offsets(begin / of_y.length());
      select_run(choose + x_at.a + x_inside * of_x.a_step(), of_x.a_step(), x_data + x_at.b + x_inside * of_x.b_step(),
                 of_x.b_step(), y_data + y_at.b + y_inside * of_y.b_step(), of_y.b_step(), out_data + begin, count);
      begin += count;
    }
  });
  return out;
}

}  // namespace

std::vector<Tensor> where(const OpCall& call) {
  const Tensor& condition = call.input(0);
  const Tensor& x = call.input(1);
  const Tensor& y = call.input(2);
  if (condition.dtype() != DType::boolean || x.dtype() != y.dtype()) {
    throw Error(Kind::input, "Where of {}, {} and {}, expected bool and two equal types", name(condition.dtype()),
                name(x.dtype()), name(y.dtype()));
  }
  const Shape shape = broadcast_shape(condition.shape(), broadcast_shape(x.shape(), y.shape()));
  switch (row(x.dtype()).bits) {
    case 8:
      return {select<uint8_t>(condition, x, y, shape)};
    case 16:
      return {select<uint16_t>(condition, x, y, shape)};
    case 32:
      return {select<uint32_t>(condition, x, y, shape)};
    case 64:
      return {select<uint64_t>(condition, x, y, shape)};
    default:
      throw_unsupported_dtype(call, x.dtype());
  }
}

}  // namespace terse::calibration::ops
