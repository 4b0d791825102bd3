#include "formats/architectures/weights.h"

#include <algorithm>
#include <array>

#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr size_t kMostListed = 8;

struct Spelling {
  std::string_view now, before;
};
constexpr std::array kOldSpellings = {
    Spelling{"LayerNorm.weight", "LayerNorm.gamma"},
    Spelling{"LayerNorm.bias", "LayerNorm.beta"},
};

std::string listed(const std::vector<std::string>& names) {
  const auto shown = std::min(names.size(), kMostListed);
  std::string list;
  for (size_t i = 0; i < shown; ++i) {
    list += fmt::format("{}{}", i == 0 ? "" : ", ", names[i]);
  }
  return names.size() == shown ? list : fmt::format("{} and {} more", list, names.size() - shown);
}

std::vector<std::string> spellings(std::string_view name) {
  std::vector<std::string> all = {std::string(name)};
  for (const Spelling& spelling : kOldSpellings) {
    if (name.ends_with(spelling.now)) {
      all.push_back(fmt::format("{}{}", name.substr(0, name.size() - spelling.now.size()), spelling.before));
    }
  }
  return all;
}

Shape stored_shape(Shape shape, Stored stored) {
  if (stored == Stored::in_out) {
    std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
  }
  return shape;
}

}  // namespace

Weights::Weights(NamedTensors tensors, std::string_view prefix_that_may_be_missing)
    : tensors_(std::move(tensors)), prefix_(prefix_that_may_be_missing) {}

std::optional<std::string> Weights::find_name(std::string_view name) const {
  for (const std::string& spelling : spellings(name)) {
    if (tensors_.tensors.contains(spelling)) {
      return spelling;
    }
    if (!prefix_.empty() && spelling.starts_with(prefix_) &&
        tensors_.tensors.contains(spelling.substr(prefix_.size()))) {
      return spelling.substr(prefix_.size());
    }
  }
  return std::nullopt;
}

bool Weights::has(std::string_view name) const { return find_name(name).has_value(); }

const Tensor* Weights::find(std::string_view name) const {
  const auto found = find_name(name);
  return found ? &tensors_.tensors.find(*found)->second : nullptr;
}

std::optional<Shape> Weights::find_shape(std::string_view name) const {
  const Tensor* tensor = find(name);
  return tensor == nullptr ? std::nullopt : std::optional(tensor->shape());
}

void Weights::leave(std::string_view name) {
  if (const auto found = find_name(name)) {
    left_.insert(*found);
  }
}

ValueId Weights::get(Graph& graph, std::string_view name, const Shape& shape, std::string_view shape_source,
                     Stored stored) {
  const auto found = find_name(name);
  if (!found) {
    missing_.emplace(name);
    return graph.add_constant(name, make_dense(Tensor::make(DType::f32, {})));
  }
  if (const auto before = handed_out_.find(*found); before != handed_out_.end()) {
    return before->second;
  }
  const Tensor& tensor = tensors_.tensors.find(*found)->second;
  if (tensor.shape() != stored_shape(shape, stored)) {
    throw Error(Kind::input, "tensor {} has shape {}, expected {} by {}", *found, to_string(tensor.shape()),
                to_string(stored_shape(shape, stored)), shape_source);
  }
  if (!is_float(tensor.dtype())) {
    throw Error(Kind::unsupported, "tensor {} has type {}, expected f32, f16, bf16 or f64", *found,
                terse::name(tensor.dtype()));
  }
  const ValueId id =
      graph.add_constant(*found, stored == Stored::in_out ? make_dense_transposed(tensor) : make_dense(tensor));
  graph.value(id).type = ValueType{.dtype = DType::f32, .shape = {}};
  handed_out_.emplace(*found, id);
  return id;
}

void Weights::check(std::span<const std::string_view> ignored) const {
  if (!missing_.empty()) {
    throw Error(Kind::input, "tensors are missing: {}", listed({missing_.begin(), missing_.end()}));
  }
  std::vector<std::string> left_over = unused();
  std::erase_if(left_over, [&](const std::string& name) {
    return left_.contains(name) ||
           std::ranges::any_of(ignored, [&](std::string_view part) { return name.find(part) != std::string::npos; });
  });
  if (!left_over.empty()) {
    throw Error(Kind::input, "tensors belong to no part of the model: {}", listed(left_over));
  }
}

std::vector<std::string> Weights::used() const {
  std::vector<std::string> names;
  for (const auto& [name, id] : handed_out_) {
    names.push_back(name);
  }
  return names;
}

std::vector<std::string> Weights::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors_.tensors) {
    if (!handed_out_.contains(name)) {
      names.push_back(name);
    }
  }
  return names;
}

}  // namespace terse::architectures
