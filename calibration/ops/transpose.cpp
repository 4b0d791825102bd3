#include <numeric>
#include <utility>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

namespace terse::calibration::ops {
namespace {

std::vector<int64_t> get_permutation(const Node& node, int64_t rank) {
  std::vector<int64_t> reversed(static_cast<size_t>(rank));
  std::iota(reversed.rbegin(), reversed.rend(), int64_t{0});
  auto permutation = get_axes(node.get_ints("perm", reversed), rank);
  if (static_cast<int64_t>(permutation.size()) != rank) {
    throw Error(Kind::input, "a permutation of {} axes of a tensor of rank {}", permutation.size(), rank);
  }
  return permutation;
}

Tensor transposed(const Tensor& data, const std::vector<int64_t>& permutation) {
  const int64_t bytes = element_bytes(data);
  const Shape strides = row_major_strides(data.shape(), bytes);
  StridedCopy work{.from = data.bytes().data(), .element_bytes = bytes};
  for (const int64_t axis : permutation) {
    work.shape.push_back(data.shape()[static_cast<size_t>(axis)]);
    work.from_strides.push_back(strides[static_cast<size_t>(axis)]);
  }
  return copied(std::move(work), data.dtype());
}

}  // namespace

std::vector<Tensor> transpose(const OpCall& call) {
  const auto permutation = get_permutation(call.node, call.input(0).rank());
  return {move_elements(call.input(0), [&](const Tensor& data) { return transposed(data, permutation); })};
}

}  // namespace terse::calibration::ops
