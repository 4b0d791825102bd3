#include "calibration/inputs.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include "formats/error.h"

namespace terse::calibration {
namespace {

/// The shape that token inputs share: that of the ids.
const Shape& ids_shape(const Sample& sample, std::string_view missing) {
  for (const std::string_view name : {"input_ids", "decoder_input_ids"}) {
    if (const auto found = sample.find(name); found != sample.end() && found->second.rank() == 2) {
      return found->second.shape();
    }
  }
  throw Error(Kind::input, "input '{}' is missing, and there are no input_ids [batch, tokens] to shape it as", missing);
}

Tensor filled(const Shape& shape, int64_t value) {
  Tensor tensor = Tensor::uninitialized(DType::i64, shape);
  std::ranges::fill(tensor.mutable_values<int64_t>(), value);
  return tensor;
}

Tensor make_ones(const Value& value, const Sample& sample) { return filled(ids_shape(sample, value.name), 1); }

Tensor make_zeros(const Value& value, const Sample& sample) { return filled(ids_shape(sample, value.name), 0); }

Tensor make_counting(const Value& value, const Sample& sample) {
  const Shape& shape = ids_shape(sample, value.name);
  Tensor tensor = Tensor::uninitialized(DType::i64, shape);
  const auto values = tensor.mutable_values<int64_t>();
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<int64_t>(i) % shape[1];
  }
  return tensor;
}

/// A cache that holds nothing yet: as many sequences as the sample has, of no tokens.
Tensor make_empty(const Value& value, const Sample& sample) {
  if (!value.type || !value.type->shape) {
    throw Error(Kind::input, "input '{}' is missing and the graph does not say its shape", value.name);
  }
  Shape shape;
  for (const Dimension& dimension : *value.type->shape) {
    const int64_t otherwise = shape.empty() ? ids_shape(sample, value.name)[0] : 0;
    shape.push_back(dimension.size >= 0 ? dimension.size : otherwise);
  }
  const auto count = checked_count(shape);
  if (!count || *count != 0) {
    throw Error(Kind::input, "input '{}' is missing and its shape {} cannot be empty", value.name, to_string(shape));
  }
  return Tensor::make(value.type->dtype, shape);
}

struct DefaultRow {
  std::string_view prefix;
  Tensor (*make)(const Value& value, const Sample& sample);
};

constexpr std::array<DefaultRow, 4> kDefaults = {{
    {"attention_mask", make_ones},
    {"token_type_ids", make_zeros},
    {"position_ids", make_counting},
    {"past_", make_empty},
}};

const DefaultRow* find_default(std::string_view name) {
  const auto* row = std::ranges::find_if(kDefaults, [&](const DefaultRow& r) { return name.starts_with(r.prefix); });
  return row == kDefaults.end() ? nullptr : row;
}

std::string describe_inputs(const Graph& graph) {
  std::string text;
  for (const ValueId id : real_inputs(graph)) {
    text += (text.empty() ? "" : ", ") + graph.value(id).name;
  }
  return text;
}

void check_names(const Graph& graph, const Sample& sample) {
  for (const auto& [name, tensor] : sample) {
    const auto inputs = real_inputs(graph);
    if (std::ranges::none_of(inputs, [&](ValueId id) { return graph.value(id).name == name; })) {
      throw Error(Kind::input, "the model has no input '{}', expected {}", name, describe_inputs(graph));
    }
  }
}

template <typename To>
Tensor convert_integers(const Tensor& tensor) {
  const auto numbers = to_int64s(tensor);
  Tensor converted = Tensor::uninitialized(kDTypeOf<To>, tensor.shape());
  std::ranges::transform(numbers, converted.mutable_values<To>().begin(), [](int64_t number) {
    if (!std::in_range<To>(number)) {
      throw Error(Kind::input, "{} does not fit into {}", number, name(kDTypeOf<To>));
    }
    return static_cast<To>(number);
  });
  return converted;
}

Tensor to_boolean(const Tensor& tensor) {
  const auto numbers = to_int64s(tensor);
  Tensor converted = Tensor::uninitialized(DType::boolean, tensor.shape());
  std::ranges::transform(numbers, converted.mutable_values<bool>().begin(), [](int64_t number) { return number != 0; });
  return converted;
}

/// The tensor as the declared type, if both are integers (or a mask of integers is to be bool).
Tensor as_declared(const Tensor& tensor, DType declared) {
  if (tensor.dtype() == declared || declared == DType::undefined) {
    return tensor;
  }
  if (is_integer(tensor.dtype()) && declared == DType::boolean) {
    return to_boolean(tensor);
  }
  Tensor converted;
  if (is_integer(tensor.dtype()) && is_integer(declared)) {
    dispatch(declared, [&]<typename To>() {
      if constexpr (std::is_integral_v<To> && !std::is_same_v<To, bool>) {
        converted = convert_integers<To>(tensor);
      }
    });
  } else if (is_float(tensor.dtype()) && is_float(declared)) {
    converted = from_f32(to_f32(tensor), declared);
  } else {
    throw Error(Kind::input, "elements are {}, expected {}", name(tensor.dtype()), name(declared));
  }
  return converted;
}

void check_shape(const Tensor& tensor, const std::optional<std::vector<Dimension>>& declared) {
  if (!declared) {
    return;
  }
  bool fits = std::ssize(*declared) == tensor.rank();
  for (size_t d = 0; fits && d < declared->size(); ++d) {
    const int64_t size = (*declared)[d].size;
    fits = size < 0 || size == tensor.shape()[d];
  }
  if (!fits) {
    Shape expected;
    std::ranges::transform(*declared, std::back_inserter(expected), [](const Dimension& d) { return d.size; });
    throw Error(Kind::input, "shape {} does not fit the declared {} (-1: any)", to_string(tensor.shape()),
                to_string(expected));
  }
}

/// A cache may be empty, nothing else.
void check_given(const Sample& sample) {
  for (const auto& [name, tensor] : sample) {
    if (tensor.count() == 0 && !name.starts_with("past_")) {
      throw Error(Kind::input, "input '{}': shape {} has no numbers", name, to_string(tensor.shape()));
    }
  }
}

void check_ids(const Tensor& tensor, int64_t vocabulary) {
  for (const int64_t id : to_int64s(tensor)) {
    if (id < 0 || id >= vocabulary) {
      throw Error(Kind::input, "token id {} is outside of the vocabulary of {}", id, vocabulary);
    }
  }
}

/// Brings one array into the declared form. Error input.
Tensor fit(const Graph& graph, const Value& value, const Tensor& tensor) {
  const ValueType type = value.type.value_or(ValueType{});
  Tensor fitted = as_declared(tensor, type.dtype);
  check_shape(fitted, type.shape);
  if (const auto vocabulary = find_vocabulary(graph, value.name)) {
    check_ids(fitted, *vocabulary);
  }
  return fitted;
}

}  // namespace

std::vector<ValueId> real_inputs(const Graph& graph) {
  std::vector<ValueId> inputs;
  std::ranges::copy_if(graph.main.inputs, std::back_inserter(inputs),
                       [&](ValueId id) { return !graph.is_constant(id); });
  return inputs;
}

bool has_default(std::string_view name) { return find_default(name) != nullptr; }

void complete_sample(const Model& model, Sample& sample) {
  const Graph& graph = model.graph;
  check_names(graph, sample);
  check_given(sample);
  for (const ValueId id : real_inputs(graph)) {
    const Value& value = graph.value(id);
    if (!sample.contains(value.name)) {
      const DefaultRow* row = find_default(value.name);
      if (row == nullptr) {
        throw Error(Kind::input, "input '{}' is missing, the model has the inputs {}", value.name,
                    describe_inputs(graph));
      }
      sample.emplace(value.name, row->make(value, sample));
    }
    Tensor& tensor = sample[value.name];
    tensor = with_context(fmt::format("input '{}'", value.name), [&] { return fit(graph, value, tensor); });
  }
}

std::optional<int64_t> find_vocabulary(const Graph& graph, std::string_view name) {
  const auto input = graph.find(name);
  for (const Node& node : graph.main.nodes) {
    if (input && node.is("Gather") && node.input(1) == *input && graph.is_constant(node.input(0)) &&
        node.get_int("axis", 0) == 0) {
      const Shape& shape = graph.value(node.input(0)).constant->shape;
      return shape.size() == 2 ? std::optional(shape[0]) : std::nullopt;
    }
  }
  return std::nullopt;
}

}  // namespace terse::calibration
