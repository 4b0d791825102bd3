#include "passes/solved_weights.h"

#include "formats/onnx/equal_matrices.h"

namespace terse::passes {
namespace {

/// A weight that can be known again.
bool is_matrix(const Value& value) {
  return value.constant != nullptr && value.constant->dense() != nullptr && value.constant->shape.size() >= 2 &&
         is_float(value.constant->dense()->dtype) && checked_count(value.constant->shape).value_or(0) > 0;
}

template <typename Visit>
void for_each_pair(const Graph& original, const Graph& solved, Visit&& visit) {
  for (const Value& value : original.values) {
    if (!is_matrix(value)) {
      continue;
    }
    const auto same = solved.find(value.name);
    if (same && solved.is_constant(*same) && solved.value(*same).constant != value.constant) {
      visit(*value.constant, *same);
    }
  }
}

}  // namespace

void SolvedWeights::add(const Graph& original, const Graph& solved, const std::string& owner) {
  for_each_pair(original, solved, [&](const Encoding& before, ValueId after) {
    if (find(before) == nullptr) {
      weights_.emplace(onnx::sampled_hash(before), Weight{.original = std::make_shared<const Encoding>(before),
                                                          .solved = solved.value(after).constant,
                                                          .owner = owner});
    }
  });
}

SolvedWeights::Taken SolvedWeights::take(const Graph& original, Graph& solved) const {
  Taken taken;
  for_each_pair(original, solved, [&](const Encoding& before, ValueId after) {
    const Weight* weight = find(before);
    EncodingPtr& constant = solved.value(after).constant;
    if (weight != nullptr && describe(*weight->solved) == describe(*constant)) {
      constant = weight->solved;
      ++taken[weight->owner];
    }
  });
  return taken;
}

const SolvedWeights::Weight* SolvedWeights::find(const Encoding& original) const {
  const auto [begin, end] = weights_.equal_range(onnx::sampled_hash(original));
  for (auto entry = begin; entry != end; ++entry) {
    if (onnx::compare(*entry->second.original, original) == onnx::Likeness::same) {
      return &entry->second;
    }
  }
  return nullptr;
}

}  // namespace terse::passes
