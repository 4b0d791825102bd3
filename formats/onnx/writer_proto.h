#pragma once

#include <string>

#include "formats/onnx/lowering.h"

namespace terse::onnx {

// The messages of onnx.proto in their own encoding, without libprotobuf: its ONNX 1.12 does not know the newer fields,
// and weights must not pass through it.

/// A GraphProto without its initialisers: append theirs as fields of kInitializerField.
std::string encode_graph(const Lowered& lowered);
inline constexpr uint32_t kInitializerField = 5;
inline constexpr uint32_t kRawDataField = 9;

/// A ModelProto without its graph: append it as field kGraphField.
std::string encode_model(const Model& model, const Lowered& lowered);
inline constexpr uint32_t kGraphField = 7;

/// A TensorProto without its raw_data (but with its strings).
std::string encode_tensor(const Lowered& lowered, const Initializer& initializer);

/// What a TensorProto says of data in another file; appended to it.
struct ExternalPlace {
  std::string location;
  int64_t offset = 0, bytes = 0;
};
std::string encode_place(const ExternalPlace& place);

}  // namespace terse::onnx
