#include "formats/onnx/scope.h"

#include "formats/error.h"

namespace terse::onnx {
namespace {

constexpr int kMaxDepth = 64;  // real files have 3; what works on a graph recurses, and stacks end

int deeper(int depth) {
  if (depth >= kMaxDepth) {
    throw Error(Kind::input, "subgraphs and function calls are nested deeper than {}; does a function call itself?",
                kMaxDepth);
  }
  return depth + 1;
}

}  // namespace

std::string UniqueNames::make(std::string name) {
  if (taken_.insert(name).second) {
    return name;
  }
  int64_t& number = next_[name];
  std::string numbered;
  do {
    numbered = fmt::format("{}_{}", name, ++number);
  } while (!taken_.insert(numbered).second);
  return numbered;
}

Scope Scope::inside(const Scope& parent) {
  Scope scope;
  scope.parent_ = &parent;
  scope.prefix_ = parent.prefix_;
  scope.attributes_ = parent.attributes_;
  scope.depth_ = deeper(parent.depth_);
  return scope;
}

Scope Scope::of_call(const Scope& caller, std::string_view call_name, const Bindings& attributes) {
  Scope scope;
  scope.prefix_ = fmt::format("{}{}/", caller.prefix_, call_name);
  scope.attributes_ = &attributes;
  scope.depth_ = deeper(caller.depth_);
  return scope;
}

std::optional<ValueId> Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent_) {
    if (const auto id = scope->find_local(name)) {
      return id;
    }
  }
  return std::nullopt;
}

std::optional<ValueId> Scope::find_local(std::string_view name) const {
  const auto found = ids_.find(name);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace terse::onnx
