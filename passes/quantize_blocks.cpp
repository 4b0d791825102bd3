#include "passes/quantize_blocks.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "passes/constraints/dense.h"
#include "passes/constraints/gguf_blocks.h"

namespace terse::passes {
namespace {

/// For rows that are not whole super-blocks: the type with blocks of 32 that has at least as many bits.
/// Source: llama.cpp, src/llama-quant.cpp.
struct FallbackRow {
  BlockType type, instead;
};

constexpr std::array kFallbacks = {
    FallbackRow{BlockType::q2_k, BlockType::q4_0}, FallbackRow{BlockType::q3_k, BlockType::q4_0},
    FallbackRow{BlockType::q4_k, BlockType::q5_0}, FallbackRow{BlockType::q5_k, BlockType::q5_1},
    FallbackRow{BlockType::q6_k, BlockType::q8_0}, FallbackRow{BlockType::iq4_xs, BlockType::iq4_nl},
};

bool fits(BlockType type, int64_t columns) { return columns % row(type).elements == 0; }

class QuantizeBlocks : public Projection {
 public:
  QuantizeBlocks(BlockType type, Requantize requantize) : type_(type), requantize_(requantize) {}

  Part part() const override { return Part::codes; }

  std::string reason_to_skip(const Encoding& weight) const override {
    const bool has_codes = weight.dense() == nullptr;
    return has_codes && requantize_ == Requantize::no ? "already " + describe(weight) + ", requantize=yes changes it"
                                                      : "";
  }

  std::string note(const Encoding& weight) const override {
    const BlockType type = fitting_type(type_, weight.columns());
    return type == type_
               ? ""
               : fmt::format("rows of {} are no whole blocks of {}, so {}", weight.columns(), name(type_), name(type));
  }

  std::unique_ptr<EncodedConstraint> encode(const Encoding& weight) const override {
    const BlockType type = fitting_type(type_, weight.columns());
    if (type == BlockType::f16) {
      return std::make_unique<DenseConstraint>(weight, DType::f16);
    }
    return std::make_unique<BlockConstraint>(weight, type);
  }

 private:
  BlockType type_;
  Requantize requantize_;
};

}  // namespace

BlockType fitting_type(BlockType type, int64_t columns) {
  if (fits(type, columns)) {
    return type;
  }
  const auto* fallback =
      std::find_if(kFallbacks.begin(), kFallbacks.end(), [&](const FallbackRow& row) { return row.type == type; });
  return fallback != kFallbacks.end() && fits(fallback->instead, columns) ? fallback->instead : BlockType::f16;
}

std::unique_ptr<Projection> quantize_to_blocks(BlockType type, Requantize requantize) {
  return std::make_unique<QuantizeBlocks>(type, requantize);
}

}  // namespace terse::passes
