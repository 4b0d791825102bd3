#include "formats/safetensors/coded_module.h"

#include <algorithm>

#include "formats/error.h"

namespace terse::safetensors {

std::string CodedModule::weight() const { return name_ + ".weight"; }

std::optional<Tensor> CodedModule::take(std::string_view suffix) {
  const auto node = tensors_.extract(fmt::format("{}{}", name_, suffix));
  return node.empty() ? std::nullopt : std::optional(node.mapped());
}

Tensor CodedModule::get(std::string_view suffix) {
  auto tensor = take(suffix);
  if (!tensor) {
    throw Error(Kind::input, "tensor {}{} is missing: the module's weight is stored as codes", name_, suffix);
  }
  return *tensor;
}

void CodedModule::expect(const Tensor& tensor, std::string_view suffix, const Shape& shape) const {
  if (tensor.shape() != shape) {
    throw Error(Kind::input, "tensor {}{} has shape {}, expected {}", name_, suffix, to_string(tensor.shape()),
                to_string(shape));
  }
}

void CodedModule::expect_matrix(const Tensor& tensor, std::string_view suffix) const {
  if (tensor.rank() != 2 || tensor.count() == 0) {
    throw Error(Kind::input, "tensor {}{} has shape {}, expected a matrix", name_, suffix, to_string(tensor.shape()));
  }
}

void CodedModule::expect(const Tensor& tensor, std::string_view suffix, std::initializer_list<DType> types) const {
  if (std::ranges::find(types, tensor.dtype()) == types.end()) {
    throw Error(Kind::unsupported, "tensor {}{} has type {}, which weights with codes do not have", name_, suffix,
                name(tensor.dtype()));
  }
}

Tensor CodedModule::get_scales(std::string_view suffix) {
  Tensor scales = get(suffix).aligned();
  expect(scales, suffix, {DType::f32, DType::f16, DType::bf16});
  return scales;
}

std::vector<std::string> find_modules(const NamedTensors& tensors, std::string_view suffix) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors.tensors) {
    if (name.ends_with(suffix) && name.size() > suffix.size()) {
      names.push_back(name.substr(0, name.size() - suffix.size()));
    }
  }
  return names;
}

}  // namespace terse::safetensors
