#include <array>
#include <cmath>

#include "calibration/ops/elementwise.h"
#include "calibration/ops/op.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

/// y = x * factor + offset, one of each a channel.
struct Affine {
  std::vector<float> factor, offset;
};

Affine get_affine(const OpCall& call, int64_t channels) {
  std::array<Tensor, 4> tables;  // scale, bias, mean, variance
  for (size_t i = 0; i < tables.size(); ++i) {
    tables[i] = to_f32(call.input(i + 1));
    if (tables[i].shape() != Shape{channels}) {
      throw Error(Kind::input, "input {} has shape {}, expected [{}]", i + 1, to_string(tables[i].shape()), channels);
    }
  }
  const float epsilon = call.node.get_float("epsilon", 1e-5F);
  Affine affine;
  for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
    const auto at = [&](size_t table) { return tables[table].values<float>()[c]; };
    affine.factor.push_back(at(0) / std::sqrt(at(3) + epsilon));
    affine.offset.push_back(at(1) - at(2) * affine.factor.back());
  }
  return affine;
}

}  // namespace

/// As in inference: with the mean and variance that training left.
std::vector<Tensor> batch_normalization(const OpCall& call) {
  if (call.node.get_int("training_mode", 0) != 0) {
    throw Error(Kind::unsupported, "BatchNormalization in training mode");
  }
  const Tensor data = to_f32(call.input(0));
  if (data.rank() < 1) {
    throw Error(Kind::input, "a scalar, expected a batch");
  }
  const int64_t channels = data.rank() > 1 ? data.shape()[1] : 1;
  const Affine affine = get_affine(call, channels);
  Tensor out = Tensor::uninitialized(DType::f32, data.shape());
  const int64_t lines = data.shape()[0] * channels;
  const int64_t length = lines == 0 ? 0 : data.count() / lines;
  const float* from = data.values<float>().data();
  float* to = out.mutable_values<float>().data();
  const int64_t grain = std::max<int64_t>(1, kElementsPerTask / std::max<int64_t>(1, length));
  parallel_ranges(lines, grain, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const auto channel = static_cast<size_t>(line % channels);
      for (int64_t i = line * length; i < (line + 1) * length; ++i) {
        to[i] = from[i] * affine.factor[channel] + affine.offset[channel];
      }
    }
  });
  return {from_f32(out, call.input(0).dtype())};
}

}  // namespace terse::calibration::ops
