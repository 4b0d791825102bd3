#pragma once

#include <string>
#include <vector>

#include "formats/gguf/writer.h"

namespace terse::gguf {

/// Metadata of every type.
inline Metadata sample_metadata() {
  Metadata metadata;
  metadata.set("general.architecture", std::string("test"));
  metadata.set("u8", uint8_t{200});
  metadata.set("i8", int8_t{-100});
  metadata.set("u16", uint16_t{60000});
  metadata.set("i16", int16_t{-30000});
  metadata.set("u32", uint32_t{4000000000});
  metadata.set("i32", int32_t{-5});
  metadata.set("f32", 0.1F);
  metadata.set("bool", true);
  metadata.set("u64", uint64_t{1} << 63U);
  metadata.set("i64", int64_t{-1} << 62U);
  metadata.set("f64", 0.1);
  metadata.set("strings", MetadataArray{std::vector<std::string>{"a", "", "bc"}});
  metadata.set("bools", MetadataArray{std::vector<bool>{true, false}});
  metadata.set("nested",
               MetadataArray{std::vector<MetadataArray>{{std::vector<int32_t>{1, 2}}, {std::vector<float>{}}}});
  return metadata;
}

inline OutputTensor output_tensor(std::string name, BlockType type, Shape shape) {
  const int64_t columns = shape.empty() ? 1 : shape.back();
  const auto rows = static_cast<size_t>(columns == 0 ? 0 : *checked_count(shape) / columns);
  std::vector<std::byte> bytes(rows * static_cast<size_t>(block_row_bytes(type, columns)));
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(i * 7 + name.size());
  }
  return {.name = std::move(name),
          .type = type,
          .shape = std::move(shape),
          .write = [bytes = std::move(bytes)](Sink& sink) { sink.write(bytes); }};
}

inline std::vector<OutputTensor> sample_tensors() {
  return {output_tensor("weights", BlockType::q4_0, {3, 64}),     output_tensor("norm", BlockType::f32, {5}),
          output_tensor("experts", BlockType::f16, {2, 3, 4, 5}), output_tensor("scalar", BlockType::i64, {}),
          output_tensor("nothing", BlockType::f32, {0, 4}),       output_tensor("k", BlockType::q6_k, {1, 256})};
}

}  // namespace terse::gguf
