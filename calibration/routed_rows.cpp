#include "calibration/routed_rows.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <set>

#include "formats/error.h"

namespace terse::calibration {
namespace {

std::array<ValueId, 3> values_of(const Routing& routing) { return {routing.all, routing.tokens, routing.shares}; }

/// One share a row; nothing if there are none, or not yet.
std::vector<float> find_shares(const Routing& routing, const Frame& frame, size_t rows) {
  if (routing.shares == kNoValue) {
    return {};
  }
  const Tensor& shares = frame[static_cast<size_t>(routing.shares)];
  if (shares.empty() || !is_float(shares.dtype()) || shares.count() != static_cast<int64_t>(rows)) {
    return {};
  }
  const Tensor floats = to_f32(shares);
  return {floats.values<float>().begin(), floats.values<float>().end()};
}

}  // namespace

std::vector<std::string> RoutedRows::kept_values(const Graph& graph) const {
  std::set<ValueId> ids;
  for (const auto& [weight, routing] : routings_) {
    for (const ValueId id : values_of(routing)) {
      if (id != kNoValue && !graph.is_constant(id)) {
        ids.insert(id);
      }
    }
  }
  std::vector<std::string> names;
  std::ranges::transform(ids, std::back_inserter(names), [&](ValueId id) { return graph.value(id).name; });
  return names;
}

void RoutedRows::set_barriers(const Plan& plan, const std::vector<Barrier>& barriers) {
  for (const Barrier& barrier : barriers) {
    if (const Routing* routing = find(barrier)) {
      for (const ValueId id : values_of(*routing)) {
        last_use_[id] = std::max(last_use_[id], barrier.step);
      }
    }
  }
  for (size_t i = 0; i < plan.steps().size(); ++i) {
    for_each_read(*plan.steps()[i].node, [&](ValueId id) {
      if (const auto found = last_use_.find(id); found != last_use_.end()) {
        found->second = std::max(found->second, i);
      }
    });
  }
}

const Routing* RoutedRows::find(const Barrier& barrier) const {
  const auto found = routings_.find(barrier.weights.front());
  return found == routings_.end() ? nullptr : &found->second;
}

bool RoutedRows::is_done_with(ValueId value, size_t step) const {
  const auto found = last_use_.find(value);
  return found != last_use_.end() && found->second < step;
}

CountedRows RoutedRows::counted(const Routing& routing, const Plan& plan, const Frame& frame,
                                std::span<const float> token_weights) {
  const std::vector<int64_t> tokens = to_int64s(plan.read(routing.tokens, frame));
  const std::vector<float> shares = find_shares(routing, frame, tokens.size());
  const auto count = std::ssize(token_weights);
  CountedRows counted;
  for (size_t row = 0; row < tokens.size(); ++row) {
    const int64_t token = tokens[row] + (tokens[row] < 0 ? count : 0);
    if (token < 0 || token >= count) {
      throw Error(Kind::input, "value '{}' names token {} of {}", plan.graph().value(routing.tokens).name, tokens[row],
                  count);
    }
    const float share = shares.empty() ? 1 : shares[row];
    if (const float weight = token_weights[static_cast<size_t>(token)] * share * share; weight > 0) {
      counted.rows.push_back(static_cast<int64_t>(row));
      counted.weights.push_back(weight);
    }
  }
  return counted;
}

std::vector<size_t> RoutedRows::steps_inside(const Routing& routing, const Barrier& barrier, const Plan& plan) {
  std::set<ValueId> of_rows = {routing.rows};
  std::vector<size_t> steps;
  for (size_t i = 0; i < barrier.step; ++i) {
    const Node& node = *plan.steps()[i].node;
    bool is_inside = false;
    for_each_read(node, [&](ValueId id) { is_inside = is_inside || of_rows.contains(id); });
    if (is_inside) {
      of_rows.insert(node.outputs.begin(), node.outputs.end());
      steps.push_back(i);
    }
  }
  return steps;
}

Tensor RoutedRows::for_all_tokens(const Routing& routing, const Barrier& barrier, std::span<const size_t> steps_inside,
                                  const Plan& plan, Frame& frame) {
  frame[static_cast<size_t>(routing.rows)] = plan.read(routing.all, frame);
  for (const size_t step : steps_inside) {
    plan.run(plan.steps()[step], frame);
  }
  return plan.read(barrier.value, frame);
}

}  // namespace terse::calibration
