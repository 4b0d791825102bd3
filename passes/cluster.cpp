#include "passes/constraints/codebook.h"
#include "passes/pass_rows.h"
#include "passes/projection.h"

namespace terse::passes {
namespace {

constexpr OptionRow kOptions[] = {
    {"centroids", "16", "<2..256>", "how many values a weight may have"},
    {"group", "row", "row|tensor|<2..1048576>", "what shares a table of values: a row, all, or so many rows"},
    {"table", "auto", "auto|f16|f32", "the type of the values; auto: f16, or f32 for a weight that f16 cannot hold"},
};

CodebookOptions codebook_options(const Arguments& arguments) {
  using Overflow = CodebookOptions::Overflow;
  const std::string_view group = arguments.text("group"), table = arguments.text("table");
  CodebookOptions options{.centroids = arguments.integer("centroids"),
                          .centroid_dtype = table == "f32" ? DType::f32 : DType::f16,
                          .overflow = table == "auto" ? Overflow::widen : Overflow::refuse};
  if (group == "tensor") {
    options.group_rows = 0;
  } else if (group != "row") {
    options.group_rows = arguments.integer("group");
  }
  return options;
}

class Cluster : public Projection {
 public:
  explicit Cluster(const Arguments& arguments) : options_(codebook_options(arguments)) {}

  Part part() const override { return Part::codes; }

  std::string reason_to_skip(const Encoding& weight) const override {
    return weight.dense() == nullptr ? "already " + describe(weight) : "";
  }

  std::unique_ptr<EncodedConstraint> encode(const Encoding& weight) const override {
    return std::make_unique<CodebookConstraint>(weight, options_);
  }

 private:
  CodebookOptions options_;
};

}  // namespace

constinit const PassRow kCluster = {
    .name = "cluster",
    .summary = "stores weights as indices into small tables of shared values",
    .stage = Stage::projection,
    .options = kOptions,
    .selects = "linears",
    .project = [](const Arguments& arguments) -> std::unique_ptr<Projection> {
      return std::make_unique<Cluster>(arguments);
    },
};

}  // namespace terse::passes
