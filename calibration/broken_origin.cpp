#include "calibration/broken_origin.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace terse::calibration {
namespace {

constexpr int64_t kTileRows = 64;  // decoded at once

enum class Health : uint8_t { finite, minus_infinity, broken };

Health check(std::span<const float> numbers) {
  if (is_finite(numbers)) {
    return Health::finite;
  }
  const bool is_broken =
      std::ranges::any_of(numbers, [](float x) { return std::isnan(x) || (std::isinf(x) && x > 0); });
  return is_broken ? Health::broken : Health::minus_infinity;
}

Health check(const Tensor& tensor) {
  return is_float(tensor.dtype()) ? check(to_f32(tensor).values<float>()) : Health::finite;
}

Health check(const Encoding& encoding) {
  Health worst = Health::finite;
  if (!is_float(compute_dtype(encoding))) {
    return worst;
  }
  for (int64_t row = 0; row < encoding.rows(); row += kTileRows) {
    const int64_t rows = std::min(kTileRows, encoding.rows() - row);
    std::vector<float> numbers(static_cast<size_t>(rows * encoding.columns()));
    decode_rows(encoding, row, rows, numbers);
    worst = std::max(worst, check(numbers));
  }
  release_pages(encoding);
  return worst;
}

/// One sample's run, of which it remembers how each value was and which step made it.
class Trace {
 public:
  Trace(Plan& plan, const Sample& sample, size_t end)
      : plan_(plan), health_(plan.graph().values.size()), makers_(plan.graph().values.size()) {
    Frame frame = plan.make_frame();
    load_sample(plan, sample, frame);
    for (const ValueId id : plan.needed_inputs()) {
      note(id, frame);
    }
    for (size_t i = 0; i < end; ++i) {
      run(plan.steps()[i], frame);
    }
  }

  Error explain(ValueId value) const {
    if (health(value) == Health::finite) {
      return Error(Kind::input, "value '{}' is not finite", plan_.graph().value(value).name);
    }
    for (ValueId now = value;;) {
      const Step* maker = makers_[static_cast<size_t>(now)];
      if (maker == nullptr) {
        const Value& source = plan_.graph().value(now);
        return Error(Kind::input, "{} '{}' holds a number that is not finite",
                     plan_.constants().find(now) != nullptr ? "weight" : "input",
                     source.display_name.empty() ? source.name : source.display_name);
      }
      const ValueId cause = find_cause(*maker->node, health(now));
      if (cause == kNoValue) {
        return Error(Kind::input, "{}: makes a number that is not finite", describe(plan_.graph(), *maker->node));
      }
      now = cause;
    }
  }

 private:
  void run(const Step& step, Frame& frame) {
    plan_.run(step, frame);
    for (const ValueId id : step.node->outputs) {
      if (id != kNoValue) {
        makers_[static_cast<size_t>(id)] = &step;
        note(id, frame);
      }
    }
    if (step.packed_weight != kNoValue) {
      plan_.constants().drop(step.packed_weight);
    }
  }

  void note(ValueId id, const Frame& frame) {
    health_[static_cast<size_t>(id)] = check(frame[static_cast<size_t>(id)]);
  }

  Health health(ValueId id) const {
    const Encoding* constant = plan_.constants().find(id);
    return constant != nullptr && makers_[static_cast<size_t>(id)] == nullptr ? check(*constant)
                                                                              : health_[static_cast<size_t>(id)];
  }

  /// What a node reads that is as bad as what it gives; kNoValue if nothing is.
  ValueId find_cause(const Node& node, Health effect) const {
    ValueId cause = kNoValue;
    for_each_read(node, [&](ValueId id) {
      if (cause == kNoValue && health(id) >= effect) {
        cause = id;
      }
    });
    return cause;
  }

  Plan& plan_;
  std::vector<Health> health_;       ///< by value
  std::vector<const Step*> makers_;  ///< by value
};

}  // namespace

bool is_finite(std::span<const float> numbers) {
  constexpr uint32_t kExponent = 0x7f800000;  // all ones mean infinity or NaN
  int64_t broken = 0;
  for (const float x : numbers) {
    broken += (std::bit_cast<uint32_t>(x) & kExponent) == kExponent ? 1 : 0;
  }
  return broken == 0;
}

Error explain_broken(Plan& plan, const Sample& sample, ValueId value, size_t end) {
  return Trace(plan, sample, end).explain(value);
}

}  // namespace terse::calibration
