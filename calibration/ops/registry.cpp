#include <array>

#include "calibration/ops/op.h"

namespace terse::calibration {
namespace ops {

// Each is defined in a file of this folder.
using Operator = std::vector<Tensor>(const OpCall& call);
Operator identity;

}  // namespace ops

namespace {

/// One row an operator, sorted by domain and name (in bytes: capitals first).
constexpr std::array kOperators = {
    OpRow{"", "Identity", ops::identity},
};

static_assert([] {
  for (size_t i = 1; i < kOperators.size(); ++i) {
    const OpRow& a = kOperators[i - 1];
    const OpRow& b = kOperators[i];
    if (a.domain != b.domain ? a.domain > b.domain : a.name >= b.name) {
      return false;
    }
  }
  return true;
}());

}  // namespace

std::span<const OpRow> operators() { return kOperators; }

}  // namespace terse::calibration
