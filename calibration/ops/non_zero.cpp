#include "calibration/ops/lines.h"
#include "calibration/ops/op.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

template <typename T>
std::vector<int64_t> positions_of_non_zero(const Tensor& data) {
  std::vector<int64_t> positions;
  const auto values = data.values<T>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (comparable(values[i]) != 0) {
      positions.push_back(static_cast<int64_t>(i));
    }
  }
  return positions;
}

}  // namespace

/// Coordinates [rank, n] of the elements that are not zero, in row-major order.
std::vector<Tensor> non_zero(const OpCall& call) {
  const Tensor& data = call.input(0);
  std::vector<int64_t> positions;
  if (!dispatch(data.dtype(), [&]<typename T>() { positions = positions_of_non_zero<T>(data); })) {
    throw Error(Kind::unsupported, "element type {}", name(data.dtype()));
  }
  const auto count = std::ssize(positions);
  Tensor out = Tensor::uninitialized(DType::i64, {data.rank(), count});
  const auto coordinates = out.mutable_values<int64_t>();
  for (int64_t axis = data.rank() - 1; axis >= 0; --axis) {
    const int64_t size = data.shape()[static_cast<size_t>(axis)];
    for (int64_t i = 0; i < count; ++i) {
      int64_t& rest = positions[static_cast<size_t>(i)];
      coordinates[static_cast<size_t>(axis * count + i)] = rest % size;
      rest /= size;
    }
  }
  return {out};
}

}  // namespace terse::calibration::ops
