#include "passes/search/average_bits.h"

#include "formats/error.h"

namespace terse::passes {
namespace {

class AverageBits : public Projection {
 public:
  explicit AverageBits(const Arguments& arguments)
      : bits_(arguments.text("bits")), requantizes_(arguments.text("requantize") == "yes") {}

  Part part() const override { return Part::codes; }

  std::string reason_to_skip(const Encoding& weight) const override {
    const bool has_codes = weight.dense() == nullptr;
    return has_codes && !requantizes_ ? "already " + describe(weight) + ", requantize=yes changes it" : "";
  }

  std::unique_ptr<EncodedConstraint> encode(const Encoding& /*weight*/) const override {
    throw Error(
        Kind::usage,
        "quantize: bits={} is an average, for which encodings are chosen: give whole bits here, and the average "
        "as a --pass or in a recipe",
        bits_);
  }

 private:
  std::string bits_;
  bool requantizes_;
};

}  // namespace

bool is_average(std::string_view bits) { return bits.find('.') != std::string_view::npos; }

std::optional<double> find_average_bits(const PassCall& call) {
  const auto bits = call.name == "quantize" ? call.find("bits") : std::nullopt;
  if (!bits || !is_average(*bits)) {
    return std::nullopt;
  }
  return Arguments(get_pass(call.name), call).number("bits");
}

std::unique_ptr<Projection> quantize_on_average(const Arguments& arguments) {
  for (const std::string_view other : {"block", "grid", "scale"}) {
    if (arguments.is_written(other)) {
      throw Error(Kind::usage, "bits={} on average leaves {}= to be chosen, leave it out", arguments.text("bits"),
                  other);
    }
  }
  return std::make_unique<AverageBits>(arguments);
}

}  // namespace terse::passes
