#include "passes/constraints/dense.h"
#include "passes/pass_rows.h"
#include "passes/projection.h"

namespace terse::passes {
namespace {

constexpr OptionRow kOptions[] = {
    {"dtype", "f16", "f16|bf16|f32", "the element type that weights are stored in; they are computed with as before"},
    {"codes", "keep", "keep|decode", "whether weights that have codes keep them, or are decoded"},
};

class Cast : public Projection {
 public:
  explicit Cast(const Arguments& arguments)
      : dtype_(*find_dtype(arguments.text("dtype"))), decodes_(arguments.text("codes") == "decode") {}

  Part part() const override { return Part::type; }

  std::string reason_to_skip(const Encoding& weight) const override {
    if (weight.dense() == nullptr) {
      return decodes_ ? "" : "already " + describe(weight) + ", codes=decode changes it";
    }
    return weight.dense()->dtype == dtype_ ? "already " + describe(weight) : "";
  }

  std::unique_ptr<EncodedConstraint> encode(const Encoding& weight) const override {
    return std::make_unique<DenseConstraint>(weight, dtype_);
  }

 private:
  DType dtype_;
  bool decodes_;
};

}  // namespace

constinit const PassRow kCast = {
    .name = "cast",
    .summary = "stores weights that get no codes in another float type",
    .stage = Stage::projection,
    .options = kOptions,
    .selects = "matrices",
    .project = [](const Arguments& arguments) -> std::unique_ptr<Projection> {
      return std::make_unique<Cast>(arguments);
    },
};

}  // namespace terse::passes
