#include "calibration/stream.h"

#include <algorithm>

#include "calibration/inputs.h"
#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

/// What a step multiplies by, or the table that it picks rows of; kNoValue: neither.
ValueId weight_of(const Plan& plan, const Step& step) {
  if (step.packed_weight != kNoValue) {
    return step.packed_weight;
  }
  const ValueId table = step.node->op_type.starts_with("Gather") ? step.node->input(0) : kNoValue;
  return table != kNoValue && plan.constants().find(table) != nullptr ? table : kNoValue;
}

}  // namespace

Stream::Arrival Stream::kept(size_t sample) const {
  Arrival arrival{.frame = plan_.make_frame(), .live = {}};
  load_sample(plan_, samples_[sample], arrival.frame);
  shared_.load(samples_[sample], arrival.frame);
  arrival.live = kept_[sample].load(arrival.frame);
  return arrival;
}

Stream::Arrival Stream::run(size_t sample, size_t step) const {
  Arrival arrival = kept(sample);
  go_on(arrival, next_, step);
  return arrival;
}

void Stream::go_on(Arrival& arrival, size_t from, size_t step) const {
  for (size_t i = from; i < step; ++i) {
    if (!shared_.is_shared(i)) {
      plan_.run(plan_.steps()[i], arrival.frame);
      const auto& outputs = plan_.steps()[i].node->outputs;
      arrival.live.insert(arrival.live.end(), outputs.begin(), outputs.end());
    }
  }
  std::erase_if(arrival.live,
                [&](ValueId id) { return id == kNoValue || arrival.frame[static_cast<size_t>(id)].empty(); });
}

size_t Stream::find_narrowest(size_t sample, size_t first, size_t last) const {
  Arrival arrival = run(sample, first);
  size_t found = first, least = KeptValues::count_bytes(arrival.live, arrival.frame);
  for (size_t step = first; step < last; ++step) {
    go_on(arrival, step, step + 1);
    const size_t bytes = KeptValues::count_bytes(arrival.live, arrival.frame);
    if (bytes < least) {
      found = step + 1;
      least = bytes;
    }
  }
  return found;
}

void Stream::arrive(size_t step) {
  for (size_t i = next_; i < step; ++i) {
    if (const ValueId weight = weight_of(plan_, plan_.steps()[i]); weight != kNoValue) {
      plan_.constants().drop(weight);
    }
  }
  next_ = step;
}

void Stream::join(const Stream& other) {
  parallel_for(std::ssize(kept_), [&](int64_t i) {
    Arrival arrival{.frame = plan_.make_frame(), .live = {}};
    arrival.live = other.kept_[static_cast<size_t>(i)].load(arrival.frame);
    keep(static_cast<size_t>(i), arrival);
  });
  next_ = other.next_;
}

}  // namespace terse::calibration
