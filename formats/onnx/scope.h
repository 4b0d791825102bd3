#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "formats/graph.h"

namespace terse::onnx {

/// Makes the names of one graph unique, in constant time each.
class UniqueNames {
 public:
  /// `name`, or `name` with the first number behind it that is free.
  std::string make(std::string name);

 private:
  std::unordered_set<std::string> taken_;
  std::unordered_map<std::string, int64_t> next_;  ///< the number to try next
};

using Bindings = std::unordered_map<std::string, AttributeValue>;

/// The names that the nodes of one graph, subgraph or function body can use. Names are views of the file's messages.
class Scope {
 public:
  /// A graph.
  Scope() = default;
  /// A subgraph of a graph: sees what its parent sees.
  static Scope inside(const Scope& parent);
  /// A function's body: sees what is declared in it and the attributes of its call.
  static Scope of_call(const Scope& caller, std::string_view call_name, const Bindings& attributes);

  /// False if this scope has that name already.
  bool declare(std::string_view name, ValueId id) { return ids_.emplace(name, id).second; }
  std::optional<ValueId> find(std::string_view name) const;
  std::optional<ValueId> find_local(std::string_view name) const;

  const std::string& prefix() const { return prefix_; }       ///< of the names of values and nodes
  const Bindings* attributes() const { return attributes_; }  ///< null outside of functions
  int depth() const { return depth_; }                        ///< subgraphs and calls around this one

 private:
  const Scope* parent_ = nullptr;
  std::unordered_map<std::string_view, ValueId> ids_;
  std::string prefix_;
  const Bindings* attributes_ = nullptr;
  int depth_ = 0;
};

}  // namespace terse::onnx
