#include "formats/onnx/reader.h"

#include <set>
#include <string>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/onnx/functions.h"
#include "formats/onnx/graph_builder.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/skeleton.h"
#include "formats/onnx/tensors.h"

namespace terse::onnx {
namespace {

::onnx::ModelProto parse(const std::string& bytes) {
  ::onnx::ModelProto proto;
  if (!proto.ParseFromString(bytes) || !proto.has_graph()) {
    throw Error(Kind::input, "not an ONNX model, or a damaged one");
  }
  return proto;
}

void add_opsets(const google::protobuf::RepeatedPtrField<::onnx::OperatorSetIdProto>& imports, Model& model) {
  for (const auto& import : imports) {
    model.opsets.emplace(canonical_domain(import.domain()), import.version());
  }
}

/// The model's own imports come first: a function may import other versions only where its operators did not change.
void read_opsets(const ::onnx::ModelProto& proto, Model& model) {
  add_opsets(proto.opset_import(), model);
  for (const auto& function : proto.functions()) {
    add_opsets(function.opset_import(), model);
  }
  if (proto.opset_import_size() == 0) {
    model.opsets[""] = 1;  // what files of IR version 1 and 2 mean
  }
}

/// The imports of functions' domains that no node needs now that calls are bodies.
void drop_domains_of_functions(const ::onnx::ModelProto& proto, Model& model) {
  std::set<std::string> used = {""};
  for_each_node(model.graph.main, [&](const Node& node) { used.insert(node.domain); });
  for (const auto& function : proto.functions()) {
    if (!used.contains(canonical_domain(function.domain()))) {
      model.opsets.erase(function.domain());
    }
  }
}

void read_header(const ::onnx::ModelProto& proto, Model& model) {
  model.ir_version = proto.ir_version();
  model.producer_name = proto.producer_name();
  model.producer_version = proto.producer_version();
  model.domain = proto.domain();
  model.doc = proto.doc_string();
  model.model_version = proto.model_version();
  for (const auto& entry : proto.metadata_props()) {
    model.metadata.emplace_back(entry.key(), entry.value());
  }
}

Model read_mapped(const std::shared_ptr<const MappedFile>& file) {
  Skeleton skeleton = make_skeleton(*file);
  const ::onnx::ModelProto proto = parse(skeleton.bytes);
  skeleton.bytes.clear();
  skeleton.bytes.shrink_to_fit();

  Model model;
  read_header(proto, model);
  read_opsets(proto, model);
  TensorReader tensors(file);
  model.graph = build_graph(proto, tensors);
  sort_and_validate(model.graph);
  drop_domains_of_functions(proto, model);
  model.opaque = std::move(skeleton.opaque);
  model.path = file->path();
  model.format = "onnx";
  model.file_bytes = tensors.file_bytes();
  release_pages(file->bytes());
  return model;
}

}  // namespace

Model read(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return with_context(path.string(), [&] { return read_mapped(file); });
}

}  // namespace terse::onnx
