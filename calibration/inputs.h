#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "formats/model.h"

namespace terse::calibration {

/// The graph's inputs but for those that are initialisers too, as old files list them.
std::vector<ValueId> real_inputs(const Graph& graph);

/// True if complete_sample can make the input up from its name.
bool has_default(std::string_view name);

/// Makes `sample` one that the model can run: adds the inputs it lacks (attention_mask ones, token_type_ids zeros,
/// position_ids counting, all shaped as the token ids; past_* empty: symbolic dimensions 0, the first 1) and turns
/// integers into the declared integer type. Errors: input if another input is missing (lists all), an array is empty
/// (but of past_*) or no input, type, rank or a dimension does not fit, or the vocabulary does not have a token id.
void complete_sample(const Model& model, Sample& sample);

/// The number of rows of the table that graph input `name` looks up directly, if it does.
std::optional<int64_t> find_vocabulary(const Graph& graph, std::string_view name);

}  // namespace terse::calibration
