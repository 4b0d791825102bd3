#include "formats/architectures/weights.h"

#include <algorithm>
#include <array>

#include "formats/error.h"

namespace terse::architectures {
namespace {

constexpr size_t kMostListed = 8;

struct Spelling {
  std::string_view now, other;
};
constexpr std::array kOtherSpellings = {
    Spelling{"LayerNorm.weight", "LayerNorm.gamma"},
    Spelling{"LayerNorm.bias", "LayerNorm.beta"},
    // Of experts, as transformers 5 calls them in memory.
    Spelling{".block_sparse_moe.gate.weight", ".mlp.gate.weight"},
    Spelling{".block_sparse_moe.router.layer.weight", ".block_sparse_moe.router.weight"},
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
  for (const Spelling& spelling : kOtherSpellings) {
    if (name.ends_with(spelling.now)) {
      all.push_back(fmt::format("{}{}", name.substr(0, name.size() - spelling.now.size()), spelling.other));
    }
  }
  return all;
}

Shape stored_shape(const Shape& shape, Stored stored) {
  return stored == Stored::in_out ? swap_last_two(shape) : shape;
}

/// True for the biases of zeros that AutoGPTQ gives all of its modules.
bool is_empty_bias(const NamedTensors& tensors, const std::string& name) {
  constexpr std::string_view kBias = ".bias";
  if (!name.ends_with(kBias) || !tensors.encoded.contains(name.substr(0, name.size() - kBias.size()) + ".weight")) {
    return false;
  }
  const auto bias = tensors.tensors.find(name);
  return bias != tensors.tensors.end() && is_float(bias->second.dtype()) &&
         std::ranges::all_of(bias->second.bytes(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

Weights::Weights(NamedTensors tensors, std::string_view prefix_that_may_be_missing)
    : tensors_(std::move(tensors)), prefix_(prefix_that_may_be_missing) {}

bool Weights::is_there(const std::string& name) const {
  return tensors_.tensors.contains(name) || tensors_.encoded.contains(name);
}

std::optional<std::string> Weights::find_name(std::string_view name) const {
  for (const std::string& spelling : spellings(name)) {
    if (is_there(spelling)) {
      return spelling;
    }
    if (!prefix_.empty() && spelling.starts_with(prefix_) && is_there(spelling.substr(prefix_.size()))) {
      return spelling.substr(prefix_.size());
    }
  }
  return std::nullopt;
}

bool Weights::has(std::string_view name) const { return find_name(name).has_value(); }

const Tensor* Weights::find(std::string_view name) const {
  const auto found = find_name(name);
  const auto tensor = found ? tensors_.tensors.find(*found) : tensors_.tensors.end();
  return tensor == tensors_.tensors.end() ? nullptr : &tensor->second;
}

std::optional<Shape> Weights::find_shape(std::string_view name) const {
  if (const Tensor* tensor = find(name)) {
    return tensor->shape();
  }
  const auto found = find_name(name);
  return found ? std::optional(tensors_.encoded.find(*found)->second->shape) : std::nullopt;
}

void Weights::leave(std::string_view name) {
  if (const auto found = find_name(name)) {
    left_.insert(*found);
  }
}

EncodingPtr Weights::encode(const std::string& name, const Shape& shape, std::string_view shape_source,
                            Stored stored) const {
  const auto encoded = tensors_.encoded.find(name);
  const bool has_codes = encoded != tensors_.encoded.end();
  const Shape expected = has_codes ? shape : stored_shape(shape, stored);
  const Shape& found = has_codes ? encoded->second->shape : find(name)->shape();
  if (found != expected) {
    throw Error(Kind::input, "tensor {} has shape {}, expected {} by {}", name, to_string(found), to_string(expected),
                shape_source);
  }
  if (has_codes) {
    return encoded->second;
  }
  const Tensor& tensor = *find(name);
  if (!is_float(tensor.dtype())) {
    throw Error(Kind::unsupported, "tensor {} has type {}, expected f32, f16, bf16 or f64", name,
                terse::name(tensor.dtype()));
  }
  return stored == Stored::in_out ? make_dense_transposed(tensor) : make_dense(tensor);
}

ValueId Weights::get(Graph& graph, std::string_view name, const Shape& shape, std::string_view shape_source,
                     Stored stored) {
  const auto found = find_name(name);
  if (!found) {
    missing_.emplace(name);
    return graph.add_constant(name, make_dense(Tensor::make(DType::f32, {})));
  }
  if (const auto before = handed_out_.find(*found); before != handed_out_.end()) {
    return before->second.value;
  }
  const ValueId id = graph.add_constant(*found, encode(*found, shape, shape_source, stored));
  graph.value(id).type = ValueType{.dtype = DType::f32, .shape = {}};
  handed_out_.emplace(*found, UsedTensor{*found, std::string(name), stored, id});
  return id;
}

void Weights::check(std::span<const std::string_view> ignored) const {
  if (!missing_.empty()) {
    throw Error(Kind::input, "tensors are missing: {}", listed({missing_.begin(), missing_.end()}));
  }
  std::vector<std::string> left_over = unused();
  std::erase_if(left_over, [&](const std::string& name) {
    return left_.contains(name) || is_empty_bias(tensors_, name) ||
           std::ranges::any_of(ignored, [&](std::string_view part) { return name.find(part) != std::string::npos; });
  });
  if (!left_over.empty()) {
    throw Error(Kind::input, "tensors belong to no part of the model: {}", listed(left_over));
  }
}

std::vector<UsedTensor> Weights::used() const {
  std::vector<UsedTensor> used;
  used.reserve(handed_out_.size());
  for (const auto& [name, tensor] : handed_out_) {
    used.push_back(tensor);
  }
  return used;
}

std::vector<std::string> Weights::unused() const {
  std::vector<std::string> names;
  const auto add = [&](const auto& entry) {
    if (!handed_out_.contains(entry.first)) {
      names.push_back(entry.first);
    }
  };
  std::ranges::for_each(tensors_.tensors, add);
  std::ranges::for_each(tensors_.encoded, add);
  std::ranges::sort(names);
  return names;
}

}  // namespace terse::architectures
