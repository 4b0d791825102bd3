#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "formats/named_tensors.h"

namespace terse::safetensors {

inline constexpr int kWordBits = 32;  // codes lie packed in words of so many bits

/// The tensors that stand for one module's weight, which is stored as codes: taken out of a checkpoint's one by one.
class CodedModule {
 public:
  /// `name` without the last word: "model.layers.0.mlp.up_proj".
  CodedModule(NamedTensors& tensors, std::string name) : tensors_(tensors.tensors), name_(std::move(name)) {}

  /// "model.layers.0.mlp.up_proj.weight"
  std::string weight() const;

  /// `suffix` with its dot: ".scales". Error input if `get` finds none.
  std::optional<Tensor> take(std::string_view suffix);
  Tensor get(std::string_view suffix);

  /// Error input unless a tensor has this shape; is a matrix with numbers in it.
  void expect(const Tensor& tensor, std::string_view suffix, const Shape& shape) const;
  void expect_matrix(const Tensor& tensor, std::string_view suffix) const;

  /// Error unsupported unless it has one of these types.
  void expect(const Tensor& tensor, std::string_view suffix, std::initializer_list<DType> types) const;

  /// Scales in a type and of a shape that can be.
  Tensor get_scales(std::string_view suffix);

 private:
  std::map<std::string, Tensor, std::less<>>& tensors_;
  std::string name_;
};

/// The modules that have a tensor of this ending, ascending.
std::vector<std::string> find_modules(const NamedTensors& tensors, std::string_view suffix);

}  // namespace terse::safetensors
