#pragma once

#include <string_view>
#include <vector>

#include "calibration/ops/op.h"

namespace terse::calibration {

/// Calls an operator of the table; an empty tensor is an input that is left out.
inline std::vector<Tensor> call_operator(std::string_view domain, std::string_view name,
                                         const std::vector<Tensor>& inputs, std::vector<Attribute> attributes = {},
                                         size_t outputs = 1) {
  const Node node{.domain = std::string(domain),
                  .op_type = std::string(name),
                  .inputs = std::vector<ValueId>(inputs.size()),
                  .outputs = std::vector<ValueId>(outputs),
                  .attributes = std::move(attributes)};
  std::vector<const Tensor*> pointers;
  for (const Tensor& input : inputs) {
    pointers.push_back(input.empty() ? nullptr : &input);
  }
  return find_operator(domain, name)->run({.node = node, .inputs = pointers});
}

}  // namespace terse::calibration
