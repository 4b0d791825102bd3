#pragma once

#include <memory>

#include "formats/onnx/external.h"
#include "formats/onnx/proto.h"
#include "formats/tensor.h"

namespace terse::onnx {

/// Turns TensorProtos of a skeleton into tensors, wherever their numbers lie.
class TensorReader {
 public:
  explicit TensorReader(std::shared_ptr<const MappedFile> file) : file_(std::move(file)), externals_(file_->path()) {}

  /// A view of a mapped file, or an aligned copy of what is small, spelled in typed fields or boolean (whose bytes
  /// become 0 or 1). Errors: input if numbers are missing or too many, or lie outside of their file; unsupported for
  /// element types that are not known.
  Tensor read(const ::onnx::TensorProto& proto);

  /// Of the file itself and of all files of external data seen so far.
  int64_t file_bytes() const { return static_cast<int64_t>(file_->bytes().size()) + externals_.total_bytes(); }

 private:
  Tensor read_external(const ::onnx::TensorProto& proto, DType dtype, const Shape& shape);

  std::shared_ptr<const MappedFile> file_;
  ExternalFiles externals_;
};

}  // namespace terse::onnx
