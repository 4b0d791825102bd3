#include <cmath>
#include <optional>

#include "formats/error.h"
#include "passes/constraints/sparsity.h"
#include "passes/pass_rows.h"
#include "passes/projection.h"
#include "passes/prune_experts.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

constexpr OptionRow kOptions[] = {
    {"ratio", "", "<fraction>", "the part of the weights that becomes zero, those of the smallest magnitude"},
    {"pattern", "", "<n:m>", "n of every m neighbours along the input stay, m being 2, 4, 8, 16 or 32"},
    {"experts", "", "<percentage>|<1..65536>",
     "in place of the others: the part, or the number, of each layer's experts that is left out, those whose outputs "
     "count least; needs --data"},
    {"scope", "matrix", "matrix|global", "where ratio holds: in each matrix, or in all selected ones together"},
};

class Prune : public Projection {
 public:
  explicit Prune(const Arguments& arguments) : is_global_(arguments.text("scope") == "global") {
    const std::string_view ratio = arguments.text("ratio"), pattern = arguments.text("pattern");
    if (ratio.empty() == pattern.empty()) {
      throw Error(Kind::usage,
                  "pass prune needs ratio=, such as ratio=0.5, pattern=, such as pattern=2:4, or experts=, such as "
                  "experts=25%");
    }
    if (is_global_ && ratio.empty()) {
      throw Error(Kind::usage, "pass prune: scope=global needs ratio=, a pattern holds everywhere");
    }
    if (!ratio.empty()) {
      ratio_ = arguments.number("ratio");
    } else {
      const auto numbers = split(pattern, ':');
      keep_ = std::stoll(std::string(numbers[0]));
      group_ = std::stoll(std::string(numbers[1]));
    }
  }

  Part part() const override { return Part::mask; }

  void prepare(std::span<const EncodingPtr> weights) override {
    if (is_global_) {
      global_threshold_ = magnitude_threshold(weights, ratio_);
    }
  }

  std::string reason_to_skip(const Encoding& weight) const override {
    return weight.dense() != nullptr ? "" : "already " + describe(weight) + ", prune it before that";
  }

  std::unique_ptr<Constraint> mask(const EncodingPtr& weight, Knowledge knowledge) const override {
    if (group_ > 0) {
      return std::make_unique<PatternMask>(keep_, group_);
    }
    if (is_global_) {
      return std::make_unique<ThresholdMask>(global_threshold_, weight);
    }
    if (knowledge != Knowledge::weights) {
      return std::make_unique<RatioMask>(ratio_);
    }
    return std::make_unique<ThresholdMask>(magnitude_threshold({&weight, 1}, ratio_));
  }

 private:
  bool is_global_;
  double ratio_ = 0;
  int64_t keep_ = 0, group_ = 0;  // of a pattern
  float global_threshold_ = 0;
};

}  // namespace

constinit const PassRow kPrune = {
    .name = "prune",
    .summary = "sets the smallest weights to zero",
    .stage = Stage::projection,
    .options = kOptions,
    .selects = "linears",
    .project = [](const Arguments& arguments) -> std::unique_ptr<Projection> {
      return std::make_unique<Prune>(arguments);
    },
    .variant = &kPruneExperts,
    .variant_option = "experts",
};

constinit const PassRow kPruneExperts = {
    .name = "prune",
    .summary = "leaves out experts",
    .stage = Stage::measured,
    .options = kOptions,
    .selects = "linears",
    .measure = prune_experts,
};

}  // namespace terse::passes
