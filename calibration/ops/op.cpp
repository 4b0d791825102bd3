#include "calibration/ops/op.h"

#include <algorithm>
#include <tuple>

#include "formats/error.h"

namespace terse::calibration {

const Tensor& OpCall::input(size_t index) const {
  const Tensor* tensor = find_input(index);
  if (tensor == nullptr) {
    throw Error(Kind::input, "{} lacks its input {}", node.op_type, index);
  }
  return *tensor;
}

const OpRow* find_operator(std::string_view domain, std::string_view name) {
  const auto rows = operators();
  const auto key = std::tie(domain, name);
  const auto found = std::lower_bound(rows.begin(), rows.end(), key,
                                      [](const OpRow& r, const auto& k) { return std::tie(r.domain, r.name) < k; });
  return found != rows.end() && std::tie(found->domain, found->name) == key ? &*found : nullptr;
}

}  // namespace terse::calibration
