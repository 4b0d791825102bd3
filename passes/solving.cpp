#include "passes/solving.h"

#include <algorithm>

#include "formats/error.h"
#include "passes/selection.h"

namespace terse::passes {
namespace {

/// The members that one weight goes through.
struct Chosen {
  std::vector<const Projection*> masks;
  const Member* encoder = nullptr;
  std::string_view solver = "auto";

  const Projection* projection() const { return encoder == nullptr ? nullptr : encoder->projection.get(); }
  bool is_exact() const {
    return masks.empty() && (encoder == nullptr || projection()->part() == Projection::Part::type);
  }
};

/// Masks in their order; of the others the last one of the highest rank.
Chosen choose(ValueId id, const std::vector<Member>& members) {
  Chosen chosen;
  for (const Member& member : members) {
    if (std::ranges::find(member.weights, id) == member.weights.end()) {
      continue;
    }
    chosen.solver = member.solver == "auto" ? chosen.solver : member.solver;
    const Projection::Part part = member.projection->part();
    if (part == Projection::Part::mask) {
      chosen.masks.push_back(member.projection.get());
    } else if (chosen.encoder == nullptr || part >= chosen.projection()->part()) {
      chosen.encoder = &member;
    }
  }
  return chosen;
}

std::string note_of(const Encoding& weight, const Chosen& chosen, const Sources& sources, const LayerInputs* inputs) {
  std::string note;
  if (chosen.encoder != nullptr) {
    const std::string why = chosen.projection()->note(weight);
    note = why.empty() ? "" : chosen.encoder->call->name + ": " + why;
  }
  if (inputs != nullptr && !inputs->note().empty() && !chosen.is_exact()) {
    note += fmt::format("{}{}", note.empty() ? "" : "; ", inputs->note());
  }
  const bool lacks_inputs = sources.statistics != nullptr && inputs == nullptr;
  if (lacks_inputs && !chosen.is_exact() && chosen.solver != "nearest") {
    note += std::string(note.empty() ? "" : "; ") + "the statistics say nothing of it, so rounded to the nearest";
  }
  return note;
}

// Relative squared error; f16: 2e-8. Codes of 8 bits, 3e-5, are worth solving in a head: 4-bit SmolLM2-135M with a
// table in 8 bits 0.081 nats, rounded 0.085.
constexpr double kFine = 1e-6;

/// Whether rounding to the nearest errs so little that inputs cannot matter.
bool rounds_finely(const EncodingPtr& weight, const Chosen& chosen) {
  if (chosen.solver != "auto" || !chosen.masks.empty()) {
    return false;
  }
  const Projected rounded =
      project(weight, {}, chosen.projection(), Effort::solve, "nearest", nullptr, [](double /*part*/) {});
  return rounded.solution && rounded.solution->noise <= kFine * rounded.solution->signal;
}

ValueType computed_type(const Encoding& encoding) {
  ValueType type{.dtype = compute_dtype(encoding), .shape = std::vector<Dimension>()};
  for (const int64_t size : encoding.shape) {
    type.shape->push_back({.size = size, .symbol = {}});
  }
  return type;
}

/// What an earlier run has made of a weight; else what `solve` gives, which is kept.
SolvedEntry with_journal(const SolvingOptions& options, const Value& value, const std::function<SolvedEntry()>& solve) {
  if (options.journal == nullptr || options.effort == Effort::plan) {
    return solve();
  }
  if (auto known = options.journal->find(options.stage, value.name, value.constant->shape)) {
    return *std::move(known);
  }
  SolvedEntry entry = solve();
  options.journal->add(options.stage, value.name, entry);
  return entry;
}

}  // namespace

void solve_weights(Model& model, const std::vector<ValueId>& weights, const std::vector<Member>& members,
                   const SolvingOptions& options, const std::function<void(const SolvedWeight&)>& on_solved) {
  Sources sources = options.effort == Effort::plan ? Sources{} : options.sources;
  if (options.journal != nullptr) {
    sources.is_known = [&](ValueId id) { return options.journal->has(options.stage, model.graph.value(id).name); };
  }
  sources.is_settled = [&](ValueId id) {
    const Value& value = model.graph.value(id);
    return with_context(fmt::format("weight '{}'", shown_name(value)),
                        [&] { return rounds_finely(value.constant, choose(id, members)); });
  };
  const auto solve = [&](const VisitedWeight& weight) {
    const Chosen chosen = choose(weight.id, members);
    Value& value = model.graph.value(weight.id);
    SolvedEntry solved = with_journal(options, value, [&] {
      std::string note = note_of(*value.constant, chosen, sources, weight.inputs);
      Projected projected = project(value.constant, chosen.masks, chosen.projection(), options.effort, chosen.solver,
                                    weight.inputs, weight.report_progress);
      if (!projected.note.empty()) {
        note += (note.empty() ? "" : "; ") + projected.note;
      }
      return SolvedEntry{.projected = std::move(projected), .note = std::move(note)};
    });
    on_solved({.id = weight.id, .projected = solved.projected, .note = solved.note});
    if (!value.type) {
      value.type = computed_type(*value.constant);
    }
    return std::make_shared<const Encoding>(std::move(solved.projected.encoding));
  };
  visit_weights(model, weights, sources, solve, options.progress);
}

}  // namespace terse::passes
