#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "formats/tensor.h"

namespace terse {

/// How GGUF files store a tensor's numbers. The enumerators' values are the ids in the files.
/// Source: ggml/include/ggml.h, enum ggml_type.
enum class BlockType : uint8_t {
  f32 = 0,
  f16 = 1,
  q4_0 = 2,
  q4_1 = 3,
  q5_0 = 6,
  q5_1 = 7,
  q8_0 = 8,
  q8_1 = 9,
  q2_k = 10,
  q3_k = 11,
  q4_k = 12,
  q5_k = 13,
  q6_k = 14,
  q8_k = 15,
  iq2_xxs = 16,
  iq2_xs = 17,
  iq3_xxs = 18,
  iq1_s = 19,
  iq4_nl = 20,
  iq3_s = 21,
  iq2_s = 22,
  iq4_xs = 23,
  i8 = 24,
  i16 = 25,
  i32 = 26,
  i64 = 27,
  f64 = 28,
  iq1_m = 29,
  bf16 = 30,
  tq1_0 = 34,
  tq2_0 = 35,
  mxfp4 = 39,
  nvfp4 = 40,
  q1_0 = 41,
  q2_0 = 42,
};

struct BlockCodec;

/// One row a type: readers, writers, help and errors ask nothing else.
struct BlockTypeRow {
  BlockType type;
  std::string_view name;    ///< llama.cpp's: "Q4_K"
  int64_t elements;         ///< of a block; rows are made of whole blocks
  int64_t bytes;            ///< of a block
  DType dtype;              ///< of types without blocks (elements = 1); else undefined
  const BlockCodec* codec;  ///< null: without blocks, or a layout that terse does not know

  bool can_decode() const { return codec != nullptr || dtype != DType::undefined; }
  bool can_encode() const;  ///< is made of blocks, and terse can fill them
};

std::span<const BlockTypeRow> block_types();
const BlockTypeRow& row(BlockType type);
inline std::string_view name(BlockType type) { return row(type).name; }
/// nullopt for a number that no type has.
std::optional<BlockType> find_block_type(uint32_t id);
std::optional<BlockType> find_block_type(std::string_view name);

/// The type whose elements are plain numbers of `dtype`; nullopt if there is none.
std::optional<BlockType> find_block_type(DType dtype);

/// Bytes of a row of `columns`, which must be whole blocks.
inline int64_t block_row_bytes(BlockType type, int64_t columns) {
  return columns / row(type).elements * row(type).bytes;
}

/// Numbers of whole blocks as floats; bytes and numbers must match. Error unsupported, naming the type, if its layout
/// is not known.
void decode_blocks(BlockType type, std::span<const std::byte> blocks, std::span<float> out);

}  // namespace terse
