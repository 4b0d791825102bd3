#include "formats/onnx/functions.h"

#include "formats/error.h"

namespace terse::onnx {
namespace {

constexpr int64_t kMaxExpandedBytes = int64_t{256} << 20;  // torch's exporter needs 100 KB for a model of 30 layers
constexpr int64_t kNameBytes = 256;                        // a Node or a Value

std::string key_of(const std::string& domain, const std::string& name, const std::string& overload) {
  return canonical_domain(domain) + '\0' + name + '\0' + overload;
}

int64_t count_names(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes);

int64_t count_names(const ::onnx::GraphProto& graph) {
  return graph.input_size() + graph.initializer_size() + count_names(graph.node());
}

int64_t count_names(const google::protobuf::RepeatedPtrField<::onnx::NodeProto>& nodes) {
  int64_t count = nodes.size();
  for (const auto& node : nodes) {
    count += node.output_size();
    for (const auto& attribute : node.attribute()) {
      count += count_names(attribute.g());
      for (const auto& graph : attribute.graphs()) {
        count += count_names(graph);
      }
    }
  }
  return count;
}

}  // namespace

int64_t Function::copy_bytes(int64_t prefix_bytes) const {
  return body_bytes + (body_names + 1) * (kNameBytes + prefix_bytes);
}

FunctionTable::FunctionTable(const ::onnx::ModelProto& model) {
  for (const auto& proto : model.functions()) {
    Function function = {.proto = &proto,
                         .defaults = defaults_of(proto),
                         .body_bytes = static_cast<int64_t>(proto.ByteSizeLong()),
                         .body_names = count_names(proto.node())};
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

void FunctionTable::charge(int64_t bytes) {
  charged_bytes_ += bytes;
  if (charged_bytes_ > kMaxExpandedBytes) {
    throw Error(Kind::input, "the calls of functions expand to more than {} MiB", kMaxExpandedBytes >> 20);
  }
}

std::string canonical_domain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

}  // namespace terse::onnx
