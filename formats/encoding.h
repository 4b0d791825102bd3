#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <variant>

#include "formats/blocks/block_type.h"
#include "formats/rounding.h"
#include "formats/tensor.h"

namespace terse {

// How a weight's numbers are stored, apart from what they mean.
//
// A weight means a float matrix [out, in] (experts: [E, out, in]; a table: [V, H]). `rows` are out (or E * out),
// `columns` are in. Blocks run along `in`. No encoding knows a file format: writers lower encodings into their
// runtime's idiom. An encoding whose tensors are empty is *planned*: its size is known, its numbers are not (for
// --dry-run and size searches).

/// Numbers as they are. Holds every other initialiser too (integers, strings, norms, biases), of any rank.
struct DenseEncoding {
  DType dtype = DType::f32;
  /// True if `values` is stored [in, out] (experts: [E, in, out]), as ONNX's MatMul wants its right operand.
  bool transposed = false;
  Tensor values;
};

/// n-bit codes on a grid: value = (code - zero_point) * scale.
///   codes        u8 [rows, ceil(columns * bits / 8)]: unsigned, along `in`, the first in the low bits, every row from
///                a fresh byte
///   scales       f32, f16 or bf16 [rows / group_rows, ceil(columns / group_columns)]; may be negative
///   zero_points  u8, shaped as scales, unpacked; empty tensor: 2^(bits-1) everywhere
struct AffineEncoding {
  int bits = 8;               ///< 2, 4 or 8
  int64_t group_rows = 1;     ///< rows that share a scale: 1, or all of them
  int64_t group_columns = 0;  ///< columns that share a scale: a block of 16 to 256, or all of them
  DType scale_dtype = DType::f16;
  bool asymmetric = false;  ///< has zero points
  Tensor codes, scales, zero_points;
};

/// Indices into small tables of floats: value = codebooks[row / group_rows][code].
///   codes      u8 [rows, ceil(columns * index_bits / 8)], packed as above
///   codebooks  f32 or f16 [rows / group_rows, centroids], ascending
struct CodebookEncoding {
  int64_t centroids = 16;  ///< 2 to 256
  int64_t group_rows = 1;  ///< rows that share a codebook; divides rows
  DType centroid_dtype = DType::f32;
  Tensor codes, codebooks;

  int index_bits() const { return centroids <= 16 ? 4 : 8; }
};

/// Blocks of one of GGUF's types, as its files hold them.
///   blocks  u8 [rows, bytes of a row]: a row is made of whole blocks
struct BlockEncoding {
  BlockType type = BlockType::q8_0;
  Tensor blocks;
};

struct Encoding {
  Shape shape;  ///< logical
  std::variant<DenseEncoding, AffineEncoding, CodebookEncoding, BlockEncoding> form;

  int64_t rows() const;     ///< product of all dimensions but the last (1 for scalars)
  int64_t columns() const;  ///< the last dimension (1 for scalars)
  bool is_planned() const;

  const DenseEncoding* dense() const { return std::get_if<DenseEncoding>(&form); }
  const AffineEncoding* affine() const { return std::get_if<AffineEncoding>(&form); }
  const CodebookEncoding* codebook() const { return std::get_if<CodebookEncoding>(&form); }
  const BlockEncoding* blocks() const { return std::get_if<BlockEncoding>(&form); }
};

using EncodingPtr = std::shared_ptr<const Encoding>;

/// A dense encoding of a tensor as it is.
EncodingPtr make_dense(Tensor values);

/// A dense encoding [.., out, in] of a tensor stored [.., in, out].
EncodingPtr make_dense_transposed(Tensor values);

/// Numbers of `first_row` and the `row_count - 1` rows behind it, as floats, row-major into `out` (row_count *
/// columns). Error unsupported if the element type is no float, or the layout of a block type is not known. Any thread.
/// Cost: streams; pages of mapped files stay (see release_pages).
void decode_rows(const Encoding& encoding, int64_t first_row, int64_t row_count, std::span<float> out);

/// All rows as an f32 tensor of the logical shape. For dense f32 that is neither transposed nor unaligned: the tensor
/// itself.
Tensor decode(const Encoding& encoding);

/// Gives the pages that an encoding's data occupies in mapped files back; `release_rows`: those of some of its rows, or
/// all of them where the bytes of rows are interleaved (a transposed matrix).
void release_pages(const Encoding& encoding);
void release_rows(const Encoding& encoding, int64_t first_row, int64_t row_count);

/// The element type that a float value of this weight has when computed with: dense dtype, else f32.
DType compute_dtype(const Encoding& encoding);

/// Bytes of codes, scales, zero points (packed), tables: what the encoding needs, whatever the idiom adds.
int64_t stored_bytes(const Encoding& encoding);

/// The name that reports and `--encodings` use: "f32", "int4 block 32", "uint8 channel", "int8 tensor", "codebook 16
/// row", "Q4_K".
std::string describe(const Encoding& encoding);

/// One code of a packed row; `bits` is 2, 4 or 8.
inline uint8_t unpack_code(const uint8_t* row, int64_t index, int bits) {
  const int64_t bit = index * bits;
  return static_cast<uint8_t>((row[bit / 8] >> (bit % 8)) & ((1 << bits) - 1));
}

/// Bytes of a row of packed codes; every row begins with a fresh byte.
inline int64_t packed_row_bytes(int64_t codes, int bits) { return divide_up(codes * bits, 8); }

/// Unpacks `out.size()` codes of 2, 4 or 8 bits, the first in the low bits.
void unpack_codes(std::span<const uint8_t> packed, int bits, std::span<uint8_t> out);

/// Packs codes of 2, 4 or 8 bits, the first in the low bits; the tail of the last byte is zero.
void pack_codes(std::span<const uint8_t> codes, int bits, std::span<uint8_t> packed);

}  // namespace terse
