#include "calibration/text_form.h"

#include <algorithm>

#include "calibration/evaluate.h"
#include "calibration/inputs.h"

namespace terse::calibration {
namespace {

/// So many tokens, the given ones again and again.
Tensor probe(std::span<const int32_t> ids, int64_t tokens) {
  std::vector<int32_t> repeated;
  for (int64_t i = 0; i < tokens; ++i) {
    repeated.push_back(ids.empty() ? 0 : ids[static_cast<size_t>(i) % ids.size()]);
  }
  return to_ids_tensor(repeated);
}

/// The width of the table that makes vectors of tokens.
int64_t token_width(const Graph& graph) {
  const auto input = graph.find("input_ids");
  for (const Node& node : graph.main.nodes) {
    if (input && node.is("Gather") && node.input(1) == *input && graph.is_constant(node.input(0))) {
      return graph.value(node.input(0)).constant->columns();
    }
  }
  return 0;
}

bool is_position_table(const Value& value) {
  return value.constant && value.constant->shape.size() == 2 &&
         std::ranges::any_of(value.roles, [](const Role& role) { return role.kind == RoleKind::position; });
}

}  // namespace

Tensor to_ids_tensor(std::span<const int32_t> ids) {
  const std::vector<int64_t> numbers(ids.begin(), ids.end());
  return Tensor::of<int64_t>({1, std::ssize(numbers)}, numbers);
}

bool is_encoder_decoder(const Graph& graph) {
  return std::ranges::any_of(real_inputs(graph),
                             [&](ValueId id) { return graph.value(id).name == "decoder_input_ids"; });
}

std::optional<int64_t> declared_tokens(const Graph& graph) {
  const auto input = graph.find("input_ids");
  if (!input || !graph.value(*input).type) {
    return std::nullopt;
  }
  const auto& shape = graph.value(*input).type->shape;
  constexpr int64_t kMost = 1 << 20;  // more would be the work of a hostile file
  const bool is_fixed = shape && shape->size() == 2 && (*shape)[1].size > 0 && (*shape)[1].size <= kMost;
  return is_fixed ? std::optional((*shape)[1].size) : std::nullopt;
}

std::optional<int64_t> learned_positions(const Graph& graph) {
  // Tables of relative positions have a column a head, those of rotary angles one a part of a head: all narrower than
  // a token's vector.
  const int64_t width = token_width(graph);
  std::optional<int64_t> positions;
  for (const Value& value : graph.values) {
    if (is_position_table(value) && value.constant->columns() >= width) {
      positions = std::min(positions.value_or(INT64_MAX), value.constant->rows());
    }
  }
  return positions;
}

TextForm find_text_form(const Model& model, std::span<const int32_t> ids) {
  if (is_encoder_decoder(model.graph)) {
    return TextForm::halves;
  }
  constexpr int64_t kProbeTokens = 8;
  const int64_t few = std::clamp<int64_t>(std::ssize(ids), 2, kProbeTokens);
  Sample sample = {{"input_ids", probe(ids, declared_tokens(model.graph).value_or(few))}};
  complete_sample(model, sample);
  const Executor executor(model, {.outputs = {}, .residency = Residency::stream});
  return find_task(model, executor, sample) == Task::language_model ? TextForm::windows : TextForm::lines;
}

}  // namespace terse::calibration
