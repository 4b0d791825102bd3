#include "formats/onnx/functions.h"

#include "formats/error.h"

namespace terse::onnx {
namespace {

constexpr int64_t kMaxExpandedBytes = int64_t{256} << 20;  // torch's exporter needs 100 KB for a model of 30 layers
constexpr int64_t kNodeBytes = 512;                        // a Node, its output's Value and their names

std::string key_of(const std::string& domain, const std::string& name, const std::string& overload) {
  return canonical_domain(domain) + '\0' + name + '\0' + overload;
}

}  // namespace

FunctionTable::FunctionTable(const ::onnx::ModelProto& model) {
  for (const auto& proto : model.functions()) {
    const auto cost = static_cast<int64_t>(proto.ByteSizeLong()) + kNodeBytes * (proto.node_size() + 1);
    Function function = {.proto = &proto, .defaults = defaults_of(proto), .cost_bytes = cost};
    if (!functions_.emplace(key_of(proto.domain(), proto.name(), overload_of(proto)), std::move(function)).second) {
      throw Error(Kind::input, "two functions are called '{}' in domain '{}'", proto.name(), proto.domain());
    }
  }
}

const Function* FunctionTable::find(const ::onnx::NodeProto& node) const {
  if (functions_.empty()) {
    return nullptr;
  }
  const auto found = functions_.find(key_of(node.domain(), node.op_type(), overload_of(node)));
  return found == functions_.end() ? nullptr : &found->second;
}

void FunctionTable::charge(const Function& function) {
  charged_bytes_ += function.cost_bytes;
  if (charged_bytes_ > kMaxExpandedBytes) {
    throw Error(Kind::input, "the calls of functions expand to more than {} MiB", kMaxExpandedBytes >> 20);
  }
}

std::string canonical_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

}  // namespace terse::onnx
