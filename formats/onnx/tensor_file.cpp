#include "formats/onnx/tensor_file.h"

#include <limits>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/tensors.h"

namespace terse::onnx {
namespace {

::onnx::TensorProto parse(std::span<const std::byte> bytes) {
  ::onnx::TensorProto proto;
  const bool fits = bytes.size() <= static_cast<size_t>(std::numeric_limits<int>::max());
  if (!fits || !proto.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw Error(Kind::input, "not an ONNX tensor: its {} bytes are no valid TensorProto", bytes.size());
  }
  return proto;
}

}  // namespace

NamedTensor read_tensor(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return with_context(path.string(), [&]() -> NamedTensor {
    const ::onnx::TensorProto proto = parse(file->bytes());
    return {proto.name(), TensorReader(file).read(proto).aligned()};
  });
}

}  // namespace terse::onnx
