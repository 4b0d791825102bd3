#include "formats/onnx/tensor_file.h"

#include <climits>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/onnx/tensors.h"

namespace terse::onnx {
namespace {

::onnx::TensorProto parse(std::span<const std::byte> bytes) {
  ::onnx::TensorProto proto;
  if (bytes.size() > INT_MAX || !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw Error(Kind::input, "this is no TensorProto");
  }
  return proto;
}

}  // namespace

Tensor read_tensor(const std::filesystem::path& path) {
  return with_context(path.string(), [&] {
    auto file = MappedFile::open(path);
    const auto proto = parse(file->bytes());
    return TensorReader(std::move(file)).read(proto);
  });
}

}  // namespace terse::onnx
