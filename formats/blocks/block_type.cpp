#include "formats/blocks/block_type.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "formats/blocks/block_codec.h"

namespace terse {
namespace {

using enum BlockType;

constexpr BlockTypeRow plain(BlockType type, std::string_view name, int64_t bytes, DType dtype) {
  return {.type = type, .name = name, .elements = 1, .bytes = bytes, .dtype = dtype, .codec = nullptr};
}

constexpr BlockTypeRow blocks(BlockType type, std::string_view name, int64_t elements, int64_t bytes,
                              const BlockCodec* codec = nullptr) {
  return {.type = type, .name = name, .elements = elements, .bytes = bytes, .dtype = DType::undefined, .codec = codec};
}

// By id. Source of the sizes: ggml/src/ggml-common.h.
constexpr std::array kTypes = {
    plain(f32, "F32", 4, DType::f32),
    plain(f16, "F16", 2, DType::f16),
    blocks(q4_0, "Q4_0", 32, 18, &kQ40),
    blocks(q4_1, "Q4_1", 32, 20, &kQ41),
    blocks(q5_0, "Q5_0", 32, 22, &kQ50),
    blocks(q5_1, "Q5_1", 32, 24, &kQ51),
    blocks(q8_0, "Q8_0", 32, 34, &kQ80),
    blocks(q8_1, "Q8_1", 32, 36),
    blocks(q2_k, "Q2_K", 256, 84, &kQ2K),
    blocks(q3_k, "Q3_K", 256, 110, &kQ3K),
    blocks(q4_k, "Q4_K", 256, 144, &kQ4K),
    blocks(q5_k, "Q5_K", 256, 176, &kQ5K),
    blocks(q6_k, "Q6_K", 256, 210, &kQ6K),
    blocks(q8_k, "Q8_K", 256, 292),
    blocks(iq2_xxs, "IQ2_XXS", 256, 66),
    blocks(iq2_xs, "IQ2_XS", 256, 74),
    blocks(iq3_xxs, "IQ3_XXS", 256, 98),
    blocks(iq1_s, "IQ1_S", 256, 50),
    blocks(iq4_nl, "IQ4_NL", 32, 18, &kIq4Nl),
    blocks(iq3_s, "IQ3_S", 256, 110),
    blocks(iq2_s, "IQ2_S", 256, 82),
    blocks(iq4_xs, "IQ4_XS", 256, 136, &kIq4Xs),
    plain(i8, "I8", 1, DType::i8),
    plain(i16, "I16", 2, DType::i16),
    plain(i32, "I32", 4, DType::i32),
    plain(i64, "I64", 8, DType::i64),
    plain(f64, "F64", 8, DType::f64),
    blocks(iq1_m, "IQ1_M", 256, 56),
    plain(bf16, "BF16", 2, DType::bf16),
    blocks(tq1_0, "TQ1_0", 256, 54),
    blocks(tq2_0, "TQ2_0", 256, 66),
    blocks(mxfp4, "MXFP4", 32, 17, &kMxfp4),
    blocks(nvfp4, "NVFP4", 64, 36),
    blocks(q1_0, "Q1_0", 128, 18),
    blocks(q2_0, "Q2_0", 64, 18),
};

const BlockTypeRow* find_row(auto&& matches) {
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), matches);
  return found == kTypes.end() ? nullptr : &*found;
}

std::optional<BlockType> type_of(const BlockTypeRow* row) {
  return row == nullptr ? std::nullopt : std::optional(row->type);
}

}  // namespace

bool BlockTypeRow::can_encode() const { return codec != nullptr && codec->pack != nullptr; }

std::span<const BlockTypeRow> block_types() { return kTypes; }

const BlockTypeRow& row(BlockType type) {
  const BlockTypeRow* found = find_row([&](const BlockTypeRow& known) { return known.type == type; });
  assert(found != nullptr);
  return *found;
}

std::optional<BlockType> find_block_type(uint32_t id) {
  return type_of(find_row([&](const BlockTypeRow& known) { return static_cast<uint32_t>(known.type) == id; }));
}

std::optional<BlockType> find_block_type(std::string_view name) {
  return type_of(find_row([&](const BlockTypeRow& known) { return known.name == name; }));
}

std::optional<BlockType> find_block_type(DType dtype) {
  return type_of(find_row([&](const BlockTypeRow& known) { return known.elements == 1 && known.dtype == dtype; }));
}

}  // namespace terse
