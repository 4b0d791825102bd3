#include "formats/fingerprint.h"

#include <bit>
#include <vector>

#include "formats/checksum.h"
#include "formats/encoding_record.h"

namespace terse {
namespace {

void add_value(Fingerprint& print, int64_t number) { print.add(number); }
void add_value(Fingerprint& print, float number) { print.add(int64_t{std::bit_cast<int32_t>(number)}); }
void add_value(Fingerprint& print, const std::string& text) { print.add(text); }
void add_value(Fingerprint& print, const Tensor& tensor) { print.add(tensor); }
void add_value(Fingerprint& print, const OpaqueAttribute& opaque) { print.add(opaque.bytes); }
/// Nodes of subgraphs are visited by themselves.
void add_value(Fingerprint& print, const std::shared_ptr<Block>& block) { print.add(std::ssize(block->nodes)); }

template <typename T>
void add_value(Fingerprint& print, const std::vector<T>& values) {
  print.add(std::ssize(values));
  for (const T& value : values) {
    add_value(print, value);
  }
}

void add_ids(Fingerprint& print, const std::vector<ValueId>& ids) {
  print.add(std::ssize(ids));
  for (const ValueId id : ids) {
    print.add(int64_t{id});
  }
}

}  // namespace

void Fingerprint::add(std::string_view text) { hash_ = checksum(std::as_bytes(std::span(text)), hash_); }

void Fingerprint::add(int64_t number) { hash_ = checksum(std::as_bytes(std::span(&number, 1)), hash_); }

void Fingerprint::add(const Tensor& tensor) {
  add(int64_t{static_cast<int>(tensor.dtype())});
  for (const int64_t size : tensor.shape()) {
    add(size);
  }
  hash_ = checksum(tensor.bytes(), hash_);
  if (tensor.dtype() == DType::string) {
    add_value(*this, tensor.string_values());
  }
}

void Fingerprint::add(const Encoding& encoding) {
  if (const DenseEncoding* dense = encoding.dense(); dense != nullptr && dense->dtype == DType::string) {
    add(dense->values);
    return;
  }
  std::string head;
  std::vector<std::span<const std::byte>> blobs;
  append_encoding(encoding, head, blobs);
  add(head);
  for (const auto& blob : blobs) {
    hash_ = checksum(blob, hash_);
  }
  release_pages(encoding);
}

void Fingerprint::add(const Node& node) {
  add(node.domain);
  add(node.op_type);
  add_ids(*this, node.inputs);
  add_ids(*this, node.outputs);
  for (const Attribute& attribute : node.attributes) {
    add(attribute.name);
    std::visit([&](const auto& value) { add_value(*this, value); }, attribute.value);
  }
}

uint64_t fingerprint(const Model& model) {
  Fingerprint print;
  add_ids(print, model.graph.main.inputs);
  add_ids(print, model.graph.main.outputs);
  for_each_node(model.graph.main, [&](const Node& node) { print.add(node); });
  for (const Value& value : model.graph.values) {
    if (value.constant != nullptr) {
      print.add(value.name);
      print.add(*value.constant);
    }
  }
  return print.value();
}

}  // namespace terse
