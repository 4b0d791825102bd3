#include "formats/architectures/activations.h"

#include <algorithm>
#include <array>
#include <string>

#include "formats/error.h"

namespace terse::architectures {
namespace {

ValueId gelu(OpBuilder& builder, ValueId x, std::string_view approximate) {
  return builder.op("Gelu", {x}, {{.name = "approximate", .value = std::string(approximate)}});
}

ValueId gelu_exact(OpBuilder& builder, ValueId x) { return gelu(builder, x, "none"); }

ValueId gelu_tanh(OpBuilder& builder, ValueId x) { return gelu(builder, x, "tanh"); }

ValueId sigmoid(OpBuilder& builder, ValueId x) { return builder.op("Sigmoid", {x}); }

/// ONNX has Swish since opset 24.
ValueId silu(OpBuilder& builder, ValueId x) { return builder.mul(x, sigmoid(builder, x)); }

ValueId quick_gelu(OpBuilder& builder, ValueId x) {
  return builder.mul(x, sigmoid(builder, builder.mul(x, builder.scalar(1.702F))));
}

ValueId relu(OpBuilder& builder, ValueId x) { return builder.op("Relu", {x}); }

ValueId squared_relu(OpBuilder& builder, ValueId x) {
  const ValueId positive = relu(builder, x);
  return builder.mul(positive, positive);
}

ValueId tanh(OpBuilder& builder, ValueId x) { return builder.op("Tanh", {x}); }

struct ActivationRow {
  std::string_view name;
  ValueId (*append)(OpBuilder& builder, ValueId x);
};

/// transformers spells the tanh form in five ways that differ by rounding only.
constexpr std::array kActivations = {
    ActivationRow{"gelu", gelu_exact},
    ActivationRow{"gelu_accurate", gelu_tanh},
    ActivationRow{"gelu_fast", gelu_tanh},
    ActivationRow{"gelu_new", gelu_tanh},
    ActivationRow{"gelu_python", gelu_exact},
    ActivationRow{"gelu_python_tanh", gelu_tanh},
    ActivationRow{"gelu_pytorch_tanh", gelu_tanh},
    ActivationRow{"quick_gelu", quick_gelu},
    ActivationRow{"relu", relu},
    ActivationRow{"relu2", squared_relu},
    ActivationRow{"sigmoid", sigmoid},
    ActivationRow{"silu", silu},
    ActivationRow{"swish", silu},
    ActivationRow{"tanh", tanh},
};

std::string known_activations() {
  std::string list;
  for (const ActivationRow& row : kActivations) {
    list += fmt::format("{}{}", list.empty() ? "" : ", ", row.name);
  }
  return list;
}

}  // namespace

ValueId activation(OpBuilder& builder, std::string_view name, ValueId x) {
  const auto* row = std::ranges::find(kActivations, name, &ActivationRow::name);
  if (row == kActivations.end()) {
    throw Error(Kind::unsupported, "activation '{}' is none that this version knows: {}", name, known_activations());
  }
  return row->append(builder, x);
}

}  // namespace terse::architectures
