#include "formats/error.h"
#include "passes/constraints/affine.h"
#include "passes/pass_rows.h"
#include "passes/projection.h"
#include "passes/quantize_blocks.h"
#include "passes/search/average_bits.h"

namespace terse::passes {
namespace {

constexpr OptionRow kOptions[] = {
    {"bits", "4", "2|4|8|<bits>",
     "bits of a code; 4.25: of a weight on average, with scales, where encodings are chosen as for --max-size"},
    {"block", "32", "16|32|64|128|256|channel|tensor", "what shares a scale: so many columns, a row, or all"},
    {"grid", "symmetric", "symmetric|asymmetric", "without or with a zero point for each scale"},
    {"scale", "auto", "auto|f16|bf16|f32",
     "the type of scales; auto: bf16 for weights of that type, f32 where f16 cannot hold them, else f16"},
    {"type", "", "Q8_0|Q6_K|Q5_K|Q4_K|Q3_K|Q2_K|IQ4_XS|IQ4_NL|Q5_1|Q5_0|Q4_1|Q4_0",
     "one of GGUF's types instead: says bits, block, grid and scale at once"},
    {"requantize", "no", "no|yes", "whether weights that have codes already are given new ones"},
};

/// Error usage if `type` stands beside what it says itself.
std::optional<BlockType> block_type(const Arguments& arguments) {
  if (!arguments.is_written("type")) {
    return std::nullopt;
  }
  for (const std::string_view other : {"bits", "block", "grid", "scale"}) {
    if (arguments.is_written(other)) {
      throw Error(Kind::usage, "type={} says what {}= would say, leave one of them out", arguments.text("type"), other);
    }
  }
  return find_block_type(arguments.text("type"));
}

AffineOptions affine_options(const Arguments& arguments) {
  using Scope = AffineOptions::Scope;
  const std::string_view block = arguments.text("block"), scale = arguments.text("scale");
  AffineOptions options{.bits = static_cast<int>(arguments.integer("bits")),
                        .asymmetric = arguments.text("grid") == "asymmetric",
                        .scale_dtype = find_dtype(scale).value_or(DType::f16),
                        .overflow = scale == "auto" ? AffineOptions::Overflow::widen : AffineOptions::Overflow::refuse};
  if (block == "channel" || block == "tensor") {
    options.scope = block == "channel" ? Scope::channel : Scope::tensor;
  } else {
    options.block_columns = arguments.integer("block");
  }
  return options;
}

bool is_bfloat16(const Encoding& weight) {
  return (weight.dense() != nullptr && weight.dense()->dtype == DType::bf16) ||
         (weight.affine() != nullptr && weight.affine()->scale_dtype == DType::bf16);
}

class Quantize : public Projection {
 public:
  explicit Quantize(const Arguments& arguments)
      : options_(affine_options(arguments)),
        follows_weight_(arguments.text("scale") == "auto"),
        requantize_(arguments.text("requantize") == "yes") {}

  Part part() const override { return Part::codes; }

  std::string reason_to_skip(const Encoding& weight) const override {
    const bool has_codes = weight.dense() == nullptr;
    return has_codes && !requantize_ ? "already " + describe(weight) + ", requantize=yes changes it" : "";
  }

  std::unique_ptr<EncodedConstraint> encode(const Encoding& weight) const override {
    AffineOptions options = options_;
    if (follows_weight_ && is_bfloat16(weight)) {
      options.scale_dtype = DType::bf16;
    }
    return std::make_unique<AffineConstraint>(weight, options);
  }

 private:
  AffineOptions options_;
  bool follows_weight_;
  bool requantize_;
};

}  // namespace

constinit const PassRow kQuantize = {
    .name = "quantize",
    .summary = "stores weights as codes of 2, 4 or 8 bits on a grid, or as blocks of a GGUF type",
    .stage = Stage::projection,
    .options = kOptions,
    .selects = "linears",
    .project = [](const Arguments& arguments) -> std::unique_ptr<Projection> {
      const auto requantize = arguments.text("requantize") == "yes" ? Requantize::yes : Requantize::no;
      if (const auto type = block_type(arguments)) {
        return quantize_to_blocks(*type, requantize);
      }
      if (is_average(arguments.text("bits"))) {
        return quantize_on_average(arguments);
      }
      return std::make_unique<Quantize>(arguments);
    },
};

}  // namespace terse::passes
