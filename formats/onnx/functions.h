#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "formats/onnx/proto.h"

namespace terse::onnx {

/// A model-local function.
struct Function {
  const ::onnx::FunctionProto* proto = nullptr;
  std::vector<::onnx::AttributeProto> defaults;
  int64_t cost_bytes = 0;  ///< roughly the memory that a copy of its body takes
};

/// The model-local functions of a file, which must outlive it.
class FunctionTable {
 public:
  /// Error input if two functions have the same domain, name and overload.
  explicit FunctionTable(const ::onnx::ModelProto& model);

  /// The function that a node calls; null for an operator.
  const Function* find(const ::onnx::NodeProto& node) const;

  /// Accounts for one more copy of a body. Error input if all of them take too much: a few functions that call each
  /// other twice are enough to fill any memory.
  void charge(const Function& function);

 private:
  std::unordered_map<std::string, Function> functions_;
  int64_t charged_bytes_ = 0;
};

/// ONNX's own domain has two names; this gives "" for both.
std::string canonical_domain(const std::string& domain);

}  // namespace terse::onnx
