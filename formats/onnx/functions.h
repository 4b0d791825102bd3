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
  int64_t body_bytes = 0;  ///< of the file
  int64_t body_names = 0;  ///< of values and nodes, subgraphs' included

  /// Roughly the memory that a copy of the body takes whose names get a prefix.
  int64_t copy_bytes(int64_t prefix_bytes) const;
};

/// The model-local functions of a file, which must outlive it.
class FunctionTable {
 public:
  /// Error input if two functions have the same domain, name and overload.
  explicit FunctionTable(const ::onnx::ModelProto& model);

  /// The function that a node calls; null for an operator.
  const Function* find(const ::onnx::NodeProto& node) const;

  /// Accounts for memory that a call takes. Error input if all of them take too much: a few functions that call each
  /// other twice are enough to fill any memory.
  void charge(int64_t bytes);

 private:
  std::unordered_map<std::string, Function> functions_;
  int64_t charged_bytes_ = 0;
};

/// ONNX's own domain has two names; this gives "" for both.
std::string canonical_domain(const std::string& domain);

}  // namespace terse::onnx
