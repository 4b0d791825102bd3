#include "formats/blocks/affine_blocks.h"

#include <algorithm>
#include <array>

#include "formats/blocks/block_codec.h"
#include "formats/rounding.h"

namespace terse {
namespace {

constexpr int64_t kColumns = 32;

struct GridRow {
  BlockType type;
  int bits;
};
constexpr std::array kGrids = {GridRow{BlockType::q4_0, 4}, GridRow{BlockType::q8_0, 8}};

const GridRow* find_grid(BlockType type) {
  const auto* found = std::ranges::find(kGrids, type, &GridRow::type);
  return found == kGrids.end() ? nullptr : found;
}

/// A scale for more columns than a block has is repeated.
bool has_grid(const AffineEncoding& affine, int64_t columns) {
  const bool fills_blocks = affine.group_columns % kColumns == 0 || affine.group_columns >= columns;
  return affine.group_rows == 1 && fills_blocks && columns % kColumns == 0 && !affine.asymmetric &&
         affine.scale_dtype == DType::f16;
}

/// Precondition: blocks of a type of kGrids.
Encoding to_affine(const Encoding& encoding, int bits) {
  const BlockEncoding& source = *encoding.blocks();
  AffineEncoding affine{.bits = bits, .group_columns = kColumns, .scale_dtype = DType::f16};
  if (encoding.is_planned()) {
    return {.shape = encoding.shape, .form = std::move(affine)};
  }
  const int64_t blocks = encoding.columns() / kColumns, bytes = row(source.type).bytes;
  const int64_t code_bytes = packed_row_bytes(kColumns, bits);
  affine.codes = Tensor::uninitialized(DType::u8, {encoding.rows(), blocks * code_bytes});
  affine.scales = Tensor::uninitialized(DType::f16, {encoding.rows(), blocks});
  const auto codes = affine.codes.mutable_values<uint8_t>();
  const auto scales = affine.scales.mutable_values<Half>();
  const auto data = source.blocks.values<uint8_t>();
  for (int64_t i = 0; i < encoding.rows() * blocks; ++i) {
    BlockParts parts;
    row(source.type).codec->unpack(data.subspan(static_cast<size_t>(i * bytes)).data(), parts);
    scales[static_cast<size_t>(i)] = to_half(parts.scale);
    pack_codes(std::span(parts.codes).first(kColumns), bits,
               codes.subspan(static_cast<size_t>(i * code_bytes), static_cast<size_t>(code_bytes)));
  }
  return {.shape = encoding.shape, .form = std::move(affine)};
}

}  // namespace

std::optional<BlockType> equal_block_type(const Encoding& encoding) {
  const AffineEncoding* affine = encoding.affine();
  if (affine == nullptr || !has_grid(*affine, encoding.columns())) {
    return std::nullopt;
  }
  const auto* found = std::ranges::find(kGrids, affine->bits, &GridRow::bits);
  return found == kGrids.end() ? std::nullopt : std::optional(found->type);
}

Encoding to_blocks(const Encoding& encoding) {
  const AffineEncoding& affine = *encoding.affine();
  const BlockType type = *equal_block_type(encoding);
  Encoding out{.shape = encoding.shape, .form = BlockEncoding{.type = type}};
  if (encoding.is_planned()) {
    return out;
  }
  const int64_t blocks = encoding.columns() / kColumns, bytes = row(type).bytes;
  Tensor data = Tensor::uninitialized(DType::u8, {encoding.rows(), blocks * bytes});
  const int64_t code_bytes = packed_row_bytes(encoding.columns(), affine.bits) / blocks;
  const auto codes = affine.codes.values<uint8_t>();
  const auto scales = affine.scales.values<Half>();
  const int64_t groups = divide_up(encoding.columns(), affine.group_columns);
  for (int64_t i = 0; i < encoding.rows() * blocks; ++i) {
    BlockParts parts;
    const int64_t group = i % blocks * kColumns / affine.group_columns;
    parts.scale = to_float(scales[static_cast<size_t>(i / blocks * groups + group)]);
    parts.scales[0] = 1;
    unpack_codes(codes.subspan(static_cast<size_t>(i * code_bytes), static_cast<size_t>(code_bytes)), affine.bits,
                 std::span(parts.codes).first(kColumns));
    row(type).codec->pack(parts, data.mutable_values<uint8_t>().subspan(static_cast<size_t>(i * bytes)).data());
  }
  std::get<BlockEncoding>(out.form).blocks = std::move(data);
  return out;
}

EncodingPtr as_affine(const EncodingPtr& encoding) {
  const BlockEncoding* blocks = encoding->blocks();
  const GridRow* grid = blocks == nullptr ? nullptr : find_grid(blocks->type);
  return grid == nullptr ? encoding : std::make_shared<const Encoding>(to_affine(*encoding, grid->bits));
}

}  // namespace terse
