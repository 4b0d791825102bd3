#pragma once

#include <google/protobuf/text_format.h>

#include <fstream>
#include <string>

#include "formats/bytes.h"
#include "formats/onnx/proto.h"
#include "formats/onnx/reader.h"
#include "tests/temporary_folder.h"

namespace terse::onnx {

/// A ModelProto, or a part of one, from protobuf's text format.
template <typename Proto = ::onnx::ModelProto>
Proto from_text(const std::string& text) {
  Proto proto;
  if (!google::protobuf::TextFormat::ParseFromString(text, &proto)) {
    throw std::invalid_argument(text);
  }
  return proto;
}

/// Reads a file with these bytes, "model.onnx" in the folder.
inline Model read_bytes(std::string_view bytes, const TemporaryFolder& folder = TemporaryFolder()) {
  // Neither write_text nor an overwritten file: both wait for the disk.
  std::filesystem::remove(folder.path() / "model.onnx");
  std::ofstream(folder.path() / "model.onnx", std::ios::binary) << bytes;
  return read(folder.path() / "model.onnx");
}

/// Reads `graph { ... }` and what else stands in the text, with opset 20.
inline Model read_text_model(const std::string& text) {
  return read_bytes(from_text("ir_version: 10 opset_import { version: 20 } " + text).SerializeAsString());
}

/// The message of the Error that reading a model ends with, without the file's path; empty if it is read.
inline std::string error_of(std::string_view bytes) {
  try {
    read_bytes(bytes);
  } catch (const Error& error) {
    const std::string message = error.what();
    const std::string file = "model.onnx: ";
    return message.substr(message.find(file) + file.size());
  }
  return "";
}

inline std::string error_of_text(const std::string& text) {
  return error_of(from_text("ir_version: 10 opset_import { version: 20 } " + text).SerializeAsString());
}

}  // namespace terse::onnx
