#include <cstring>

#include "calibration/ops/arguments.h"
#include "calibration/ops/cast.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

int64_t get_depth(const Tensor& tensor) {
  const Tensor depth = cast_to(tensor, DType::i64);
  if (depth.count() != 1 || depth.values<int64_t>()[0] < 0) {
    throw Error(Kind::input, "depth of shape {}, expected one number that is not negative", to_string(tensor.shape()));
  }
  return depth.values<int64_t>()[0];
}

}  // namespace

/// Every index becomes a line of `depth` elements along `axis`: values[1] where the index says, values[0] elsewhere.
/// An index out of range gives a line without values[1].
std::vector<Tensor> one_hot(const OpCall& call) {
  const Tensor indices = cast_to(call.input(0), DType::i64);
  const int64_t depth = get_depth(call.input(1));
  const Tensor& values = call.input(2);
  if (values.shape() != Shape{2}) {
    throw Error(Kind::input, "values of shape {}, expected [2]", to_string(values.shape()));
  }
  const int64_t axis = get_axis(call.node.get_int("axis", -1), indices.rank() + 1);
  Shape shape = indices.shape();
  shape.insert(shape.begin() + axis, depth);
  Tensor out = make_output(values.dtype(), shape);
  const int64_t bytes = element_bytes(values);
  std::byte* to = out.mutable_bytes().data();
  copy({.shape = {out.count()},
        .from = values.bytes().data(),
        .from_strides = {0},
        .to = to,
        .to_strides = {bytes},
        .element_bytes = bytes});
  const int64_t inner = product(indices.shape(), axis, indices.rank());
  for (int64_t i = 0; i < indices.count(); ++i) {
    const int64_t given = indices.values<int64_t>()[static_cast<size_t>(i)];
    const int64_t index = given < 0 ? given + depth : given;
    if (index >= 0 && index < depth) {
      const int64_t element = (i / inner * depth + index) * inner + i % inner;
      std::memcpy(to + element * bytes, values.bytes().data() + bytes, static_cast<size_t>(bytes));
    }
  }
  return {out};
}

}  // namespace terse::calibration::ops
