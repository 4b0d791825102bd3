#include <algorithm>
#include <array>
#include <cstring>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"

// ScatterElements and ScatterND. Updates are made in order: where indices repeat, the last one wins.

namespace terse::calibration::ops {
namespace {

enum class Reduction : uint8_t { none, add, mul, max, min };

size_t at(int64_t index) { return static_cast<size_t>(index); }

Reduction get_reduction(const Node& node) {
  constexpr std::array<std::string_view, 5> kNames = {"none", "add", "mul", "max", "min"};  // in the order of Reduction
  const std::string name = node.get_string("reduction", "none");
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) {
    throw Error(Kind::unsupported, "reduction '{}'", name);
  }
  return static_cast<Reduction>(found - kNames.begin());
}

template <typename T>
T reduce(Reduction reduction, T a, T b) {
  switch (reduction) {
    case Reduction::add:
      return static_cast<T>(a + b);
    case Reduction::mul:
      return static_cast<T>(a * b);
    case Reduction::max:
      return std::max(a, b);
    case Reduction::min:
      return std::min(a, b);
    default:
      return b;
  }
}

template <typename T>
void reduce_into(Reduction reduction, T& target, T update) {
  if constexpr (std::is_same_v<T, Half>) {
    target = to_half(reduce(reduction, to_float(target), to_float(update)));
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    target = to_bfloat16(reduce(reduction, to_float(target), to_float(update)));
  } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    using Wrapping = std::make_unsigned_t<T>;
    const bool is_sum = reduction == Reduction::add;
    const bool is_product = reduction == Reduction::mul;
    target = is_sum       ? static_cast<T>(static_cast<Wrapping>(target) + static_cast<Wrapping>(update))
             : is_product ? static_cast<T>(uint64_t{1} * static_cast<Wrapping>(target) * static_cast<Wrapping>(update))
                          : reduce(reduction, target, update);
  } else {
    target = reduce(reduction, target, update);
  }
}

Tensor copy_of(const Tensor& data) {
  Tensor out = Tensor::uninitialized(data.dtype(), data.shape());
  copy_bytes(out.mutable_bytes().data(), data.bytes().data(), static_cast<int64_t>(data.bytes().size()));
  return out;
}

void check_types(const Tensor& data, const Tensor& updates) {
  if (data.dtype() != updates.dtype()) {
    throw Error(Kind::input, "updates of type {} for data of type {}", name(updates.dtype()), name(data.dtype()));
  }
}

/// One write: `count` elements from update `from` on to element `to` on.
template <typename T>
void write(Reduction reduction, std::span<T> out, int64_t to, std::span<const T> updates, int64_t from, int64_t count) {
  if (reduction == Reduction::none) {
    std::copy_n(updates.begin() + from, count, out.begin() + to);
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    reduce_into(reduction, out[at(to + i)], updates[at(from + i)]);
  }
}

template <typename Body>
Tensor scatter(const Tensor& data, Body&& body) {
  Tensor out = copy_of(data);
  if (!dispatch(data.dtype(), [&]<typename T>() { body(out.mutable_values<T>()); })) {
    throw Error(Kind::unsupported, "element type {}", name(data.dtype()));
  }
  return out;
}

void check_elements(const Tensor& data, const Tensor& indices, const Tensor& updates, int64_t axis) {
  check_types(data, updates);
  bool fits = indices.shape() == updates.shape() && indices.rank() == data.rank();
  for (size_t i = 0; fits && i < data.shape().size(); ++i) {
    fits = i == at(axis) || indices.shape()[i] <= data.shape()[i];
  }
  if (!fits) {
    throw Error(Kind::input, "indices of shape {} and updates of shape {} for data of shape {}",
                to_string(indices.shape()), to_string(updates.shape()), to_string(data.shape()));
  }
}

/// Shapes: indices [..., tuple]; updates [..., data.shape[tuple:]].
void check_slices(const Tensor& data, const Tensor& indices, const Tensor& updates) {
  check_types(data, updates);
  const int64_t tuple = indices.rank() > 0 ? indices.shape().back() : -1;
  if (tuple >= 0 && tuple <= data.rank()) {
    Shape expected(indices.shape().begin(), indices.shape().end() - 1);
    expected.insert(expected.end(), data.shape().begin() + tuple, data.shape().end());
    if (updates.shape() == expected) {
      return;
    }
  }
  throw Error(Kind::input, "indices of shape {} and updates of shape {} for data of shape {}",
              to_string(indices.shape()), to_string(updates.shape()), to_string(data.shape()));
}

}  // namespace

std::vector<Tensor> scatter_elements(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor& updates = call.input(2);
  const int64_t axis = get_axis(call.node.get_int("axis", 0), data.rank());
  check_elements(data, call.input(1), updates, axis);
  const Reduction reduction = get_reduction(call.node);
  const auto indices = to_int64s(call.input(1));
  Shape strides = row_major_strides(data.shape(), 1);
  const int64_t stride = std::exchange(strides[at(axis)], 0);
  const int64_t size = data.shape()[at(axis)];
  return {scatter(data, [&]<typename T>(std::span<T> out) {
    for_each_line(updates.shape(), strides, [&](int64_t first, int64_t offset) {
      for (int64_t i = 0; i < updates.shape().back(); ++i) {
        const int64_t to = offset + i * strides.back() + get_index(indices[at(first + i)], size) * stride;
        write(reduction, out, to, updates.values<T>(), first + i, 1);
      }
    });
  })};
}

std::vector<Tensor> scatter_nd(const OpCall& call) {
  const Tensor& data = call.input(0);
  const Tensor& updates = call.input(2);
  check_slices(data, call.input(1), updates);
  const Reduction reduction = get_reduction(call.node);
  const auto indices = to_int64s(call.input(1));
  const int64_t tuple = call.input(1).shape().back();
  const int64_t slice = product(data.shape(), tuple, data.rank());
  const int64_t count = product(call.input(1).shape(), 0, call.input(1).rank() - 1);
  const Shape strides = row_major_strides(data.shape(), 1);
  return {scatter(data, [&]<typename T>(std::span<T> out) {
    for (int64_t i = 0; i < count; ++i) {
      int64_t to = 0;
      for (int64_t j = 0; j < tuple; ++j) {
        to += get_index(indices[at(i * tuple + j)], data.shape()[at(j)]) * strides[at(j)];
      }
      write(reduction, out, to, updates.values<T>(), i * slice, slice);
    }
  })};
}

}  // namespace terse::calibration::ops
