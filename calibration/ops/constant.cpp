#include <cmath>
#include <cstring>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "formats/error.h"
#include "formats/overloaded.h"

// Operators that make their values themselves.

namespace terse::calibration::ops {
namespace {

const Tensor* find_tensor(const Node& node, std::string_view attribute) {
  const Attribute* found = node.find(attribute);
  return found != nullptr ? std::get_if<Tensor>(&found->value) : nullptr;
}

Tensor filled(const Tensor& value, const Shape& shape) {
  const int64_t bytes = element_bytes(value);
  Tensor out = make_output(value.dtype(), shape);
  copy({.shape = {out.count()},
        .from = value.bytes().data(),
        .from_strides = {0},
        .to = out.mutable_bytes().data(),
        .to_strides = {bytes},
        .element_bytes = bytes});
  return out;
}

/// The length of the sequence start, start + delta, ... before limit. As in ONNX: max(ceil((limit - start) / delta),
/// 0).
template <typename T>
int64_t range_length(T start, T limit, T delta) {
  if constexpr (std::is_floating_point_v<T>) {
    const double steps =
        std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
    return steps > 0 ? static_cast<int64_t>(std::min(steps, 0x1p60)) : 0;
  } else {
    const auto distance = static_cast<double>(limit) - static_cast<double>(start);
    if (distance == 0 || (distance > 0) != (delta > 0)) {
      return 0;
    }
    const auto far =
        static_cast<uint64_t>(delta > 0 ? limit : start) - static_cast<uint64_t>(delta > 0 ? start : limit);
    const auto step = delta > 0 ? static_cast<uint64_t>(delta) : uint64_t{0} - static_cast<uint64_t>(delta);
    return static_cast<int64_t>(std::min((far - 1) / step, uint64_t{1} << 60)) + 1;
  }
}

template <typename T>
Tensor make_range(T start, T limit, T delta) {
  if (delta == T{0} || std::isnan(static_cast<double>(delta))) {
    throw Error(Kind::input, "a range with a step of {}", delta);
  }
  Tensor out = make_output(kDTypeOf<T>, {range_length(start, limit, delta)});
  const auto values = out.mutable_values<T>();
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_floating_point_v<T>) {
      values[i] = start + static_cast<T>(i) * delta;
    } else {
      values[i] = static_cast<T>(static_cast<uint64_t>(start) + i * static_cast<uint64_t>(delta));
    }
  }
  return out;
}

void check_scalar(const Tensor& tensor, DType dtype) {
  if (tensor.count() != 1 || tensor.dtype() != dtype) {
    throw Error(Kind::input, "{} {}, expected one number of type {}", name(tensor.dtype()), to_string(tensor.shape()),
                name(dtype));
  }
}

}  // namespace

std::vector<Tensor> constant(const OpCall& call) {
  if (call.node.attributes.size() != 1) {
    throw Error(Kind::input, "Constant with {} attributes, expected 1", call.node.attributes.size());
  }
  const auto list = [](const auto& values) { return Tensor::of({std::ssize(values)}, std::span(values)); };
  const auto unsupported = []() -> Tensor { throw Error(Kind::unsupported, "Constant of this kind"); };
  return {std::visit(
      Overloaded{[](const Tensor& tensor) { return tensor; }, [](int64_t value) { return Tensor::scalar(value); },
                 [](float value) { return Tensor::scalar(value); },
                 [](const std::string& value) { return Tensor::strings({}, {value}); },
                 [&](const std::vector<int64_t>& values) { return list(values); },
                 [&](const std::vector<float>& values) { return list(values); },
                 [](const std::vector<std::string>& values) { return Tensor::strings({std::ssize(values)}, values); },
                 [&](const auto&) { return unsupported(); }},
      call.node.attributes[0].value)};
}

std::vector<Tensor> constant_of_shape(const OpCall& call) {
  const Tensor* given = find_tensor(call.node, "value");
  const Tensor value = given != nullptr ? *given : Tensor::scalar(0.0F);
  if (value.count() != 1) {
    throw Error(Kind::input, "value has {} elements, expected 1", value.count());
  }
  const Shape shape = to_int64s(call.input(0));
  return {move_elements(value, [&](const Tensor& element) { return filled(element, shape); })};
}

std::vector<Tensor> eye_like(const OpCall& call) {
  const Tensor& like = call.input(0);
  if (like.rank() != 2) {
    throw Error(Kind::input, "a tensor of rank {}, expected a matrix", like.rank());
  }
  const int64_t rows = like.shape()[0];
  const int64_t columns = like.shape()[1];
  const int64_t offset = call.node.get_int("k", 0);
  Tensor out = Tensor::make(get_dtype(call.node, "dtype", like.dtype()), like.shape());
  const bool known = dispatch(out.dtype(), [&]<typename T>() {
    const auto one = [] {
      if constexpr (std::is_same_v<T, Half>) {
        return to_half(1);
      } else if constexpr (std::is_same_v<T, BFloat16>) {
        return to_bfloat16(1);
      } else {
        return T{1};
      }
    }();
    for (int64_t row = 0; row < rows; ++row) {
      if (offset >= -row && offset < columns - row) {
        out.mutable_values<T>()[static_cast<size_t>(row * columns + row + offset)] = one;
      }
    }
  });
  if (!known) {
    throw Error(Kind::unsupported, "EyeLike of {}", name(out.dtype()));
  }
  return {out};
}

std::vector<Tensor> range(const OpCall& call) {
  const DType dtype = call.input(0).dtype();
  for (size_t i = 0; i < 3; ++i) {
    check_scalar(call.input(i), dtype);
  }
  Tensor out;
  const auto make = [&]<typename T>(const Tensor& start, const Tensor& limit, const Tensor& delta) {
    return make_range(start.values<T>()[0], limit.values<T>()[0], delta.values<T>()[0]);
  };
  dispatch(dtype, [&]<typename T>() {
    if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
      out = from_f32(
          make.template operator()<float>(to_f32(call.input(0)), to_f32(call.input(1)), to_f32(call.input(2))), dtype);
    } else if constexpr (!std::is_same_v<T, bool>) {
      out = make.template operator()<T>(call.input(0), call.input(1), call.input(2));
    }
  });
  if (out.empty()) {
    throw Error(Kind::unsupported, "a range of {}", name(dtype));
  }
  return {out};
}

}  // namespace terse::calibration::ops
