#include <algorithm>

#include "calibration/ops/op.h"

namespace terse::calibration::ops {

/// Dimensions [start, end), both clamped.
std::vector<Tensor> shape(const OpCall& call) {
  const Tensor& data = call.input(0);
  const auto clamped = [&](std::string_view attribute, int64_t otherwise) {
    const int64_t given = call.node.get_int(attribute, otherwise);
    return std::clamp(given < 0 ? given + data.rank() : given, int64_t{0}, data.rank());
  };
  const int64_t start = clamped("start", 0);
  const int64_t end = std::max(start, clamped("end", data.rank()));
  const Shape dimensions(data.shape().begin() + start, data.shape().begin() + end);
  return {Tensor::of<int64_t>({end - start}, dimensions)};
}

std::vector<Tensor> size(const OpCall& call) { return {Tensor::scalar(call.input(0).count())}; }

}  // namespace terse::calibration::ops
