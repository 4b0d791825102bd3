#include "formats/blocks/block_codec.h"
#include "formats/blocks/block_type.h"
#include "formats/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "formats/blocks/block_decode.cpp"
#include <hwy/foreach_target.h>  // compiles what follows once for every instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace terse::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;  // sub-blocks have 16 or 32 elements
using Floats = hn::Vec<FloatTag>;

/// Replaces codes by what the table has for them, as two's complement.
void look_up(const std::array<int8_t, 16>& table, int64_t count, uint8_t* codes) {
  const hn::FixedTag<uint8_t, 16> d;
  const auto levels = hn::LoadU(d, reinterpret_cast<const uint8_t*>(table.data()));
  for (int64_t i = 0; i < count; i += 16) {
    hn::StoreU(hn::TableLookupBytes(levels, hn::LoadU(d, codes + i)), d, codes + i);
  }
}

/// `Code` is the type of codes: unsigned, or signed levels of a table.
template <class Code, bool kHasMin>
HWY_INLINE void decode_sub_block(const Code* codes, int64_t count, int offset, float scale, float min, float* out) {
  const FloatTag d;
  const hn::Rebind<int32_t, FloatTag> di;
  const hn::Rebind<Code, FloatTag> d8;
  for (int64_t i = 0; i < count; i += static_cast<int64_t>(hn::Lanes(d))) {
    const auto level = hn::Sub(hn::PromoteTo(di, hn::LoadU(d8, codes + i)), hn::Set(di, offset));
    const Floats product = hn::Mul(hn::ConvertTo(d, level), hn::Set(d, scale));
    hn::StoreU(kHasMin ? hn::Sub(product, hn::Set(d, min)) : product, d, out + i);
  }
}

template <class Code, bool kHasMin>
void decode_block(const BlockCodec& codec, const BlockParts& parts, float* out) {
  const auto* codes = reinterpret_cast<const Code*>(parts.codes.data());
  const int64_t count = codec.sub_elements, sub_blocks = codec.sub_blocks();
  const int offset = codec.offset;
  for (int64_t sub = 0; sub < sub_blocks; ++sub) {
    const auto j = static_cast<size_t>(sub);
    decode_sub_block<Code, kHasMin>(codes + sub * count, count, offset,
                                    parts.scale * static_cast<float>(parts.scales[j]),
                                    parts.min * static_cast<float>(parts.mins[j]), out + sub * count);
  }
}

void decode_each_block(const BlockTypeRow& type, const uint8_t* bytes, float* out, int64_t blocks) {
  const BlockCodec& codec = *type.codec;
  BlockParts parts;
  for (int64_t block = 0; block < blocks; ++block) {
    codec.unpack(bytes + block * type.bytes, parts);
    float* numbers = out + block * codec.elements;
    if (codec.table != nullptr) {
      look_up(*codec.table, codec.elements, parts.codes.data());
      decode_block<int8_t, false>(codec, parts, numbers);
    } else if (codec.has_min()) {
      decode_block<uint8_t, true>(codec, parts, numbers);
    } else {
      decode_block<uint8_t, false>(codec, parts, numbers);
    }
  }
}

}  // namespace terse::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace terse {
namespace {

HWY_EXPORT(decode_each_block);

}  // namespace

void decode_blocks(BlockType type, std::span<const std::byte> blocks, std::span<float> out) {
  const BlockTypeRow& known = row(type);
  if (known.codec == nullptr) {
    throw Error(Kind::unsupported, "cannot decode blocks of type {}", known.name);
  }
  HWY_DYNAMIC_DISPATCH(decode_each_block)
  (known, reinterpret_cast<const uint8_t*>(blocks.data()), out.data(),
   static_cast<int64_t>(out.size()) / known.elements);
}

}  // namespace terse

#endif
