#include <algorithm>
#include <map>
#include <tuple>

#include "formats/onnx/canonical.h"
#include "formats/onnx/equal_matrices.h"
#include "formats/onnx/orientation.h"
#include "formats/value_names.h"

namespace terse::onnx {
namespace {

/// Smaller constants are not worth a merge, and some are equal by chance.
constexpr int64_t kSmallestCount = 64;

bool is_mergeable(const Value& value) {
  if (!is_matrix(value) || value.constant->dense() == nullptr || value.constant->is_planned()) {
    return false;
  }
  return checked_count(value.constant->shape).value_or(0) >= kSmallestCount;
}

/// What equal matrices have in common, whichever way they stand: type and dimensions.
using Likes = std::tuple<DType, DType, Shape>;

Likes likes_of(const Value& value) {
  Shape shape = value.constant->shape;
  std::sort(shape.end() - 2, shape.end());
  return {compute_dtype(*value.constant), value.type ? value.type->dtype : compute_dtype(*value.constant), shape};
}

class Merger {
 public:
  explicit Merger(Graph& graph) : graph_(graph), readings_(find_readings(graph)) {}

  void run() {
    std::map<Likes, std::vector<ValueId>> alike;
    const std::vector<bool> is_output = block_outputs(graph_);
    for (size_t id = 0; id < graph_.values.size(); ++id) {
      if (is_mergeable(graph_.values[id]) && !is_output[id] && !readings_[id].empty()) {
        alike[likes_of(graph_.values[id])].push_back(static_cast<ValueId>(id));
      }
    }
    for (const auto& [likes, ids] : alike) {
      if (ids.size() > 1) {
        merge_alike(ids);
      }
    }
  }

 private:
  const Encoding& encoding(ValueId id) const { return *graph_.value(id).constant; }
  std::vector<Reading>& readings(ValueId id) { return readings_[static_cast<size_t>(id)]; }

  void merge_alike(const std::vector<ValueId>& ids) {
    std::map<uint64_t, std::vector<ValueId>> kept;
    for (const ValueId id : ids) {
      std::vector<ValueId>& others = kept[sampled_hash(encoding(id))];
      const bool is_merged =
          std::any_of(others.begin(), others.end(), [&](ValueId& other) { return merge(other, id); });
      if (!is_merged) {
        others.push_back(id);
      }
    }
  }

  bool can_turn(ValueId id) {
    return std::all_of(readings(id).begin(), readings(id).end(), [](const Reading& r) { return !r.products.empty(); });
  }

  /// Makes one value of two equal ones; `kept` becomes the one that stays.
  bool merge(ValueId& kept, ValueId other) {
    const auto likeness = compare(encoding(kept), encoding(other));
    if (!likeness) {
      return false;
    }
    ValueId lost = other;
    if (*likeness == Likeness::transposed) {
      if (!can_turn(lost)) {
        std::swap(kept, lost);
      }
      if (!can_turn(lost)) {
        std::swap(kept, lost);
        return false;
      }
      std::for_each(readings(lost).begin(), readings(lost).end(), turn);
    }
    absorb(kept, lost, *likeness);
    return true;
  }

  void absorb(ValueId kept, ValueId lost, Likeness likeness) {
    for (Reading& reading : readings(lost)) {
      reading.node->inputs[reading.input] = kept;
      readings(kept).push_back(std::move(reading));
    }
    readings(lost).clear();
    Value& stays = graph_.value(kept);
    Value& goes = graph_.value(lost);
    if (is_made_up(stays.name) && !is_made_up(goes.name)) {
      std::swap(stays.name, goes.name);
    }
    // Rows of a table are read one by one: better stored as rows.
    if (likeness == Likeness::same && stays.constant->dense()->transposed) {
      std::swap(stays.constant, goes.constant);
    }
    goes.constant = nullptr;
  }

  Graph& graph_;
  std::vector<std::vector<Reading>> readings_;
};

}  // namespace

void merge_equal_weights(Graph& graph) { Merger(graph).run(); }

}  // namespace terse::onnx
