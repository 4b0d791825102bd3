#pragma once

#include <map>
#include <vector>

#include "formats/graph.h"

namespace terse::calibration {

/// Where the rows that a linear reads come from if they are chosen tokens' alone, as an expert's are:
///
///     Gather(all, tokens) -> rows -> the expert's linears and what is between them -> Mul(.., shares)
///
/// All operators between `rows` and the linear compute each row by itself from it and constants.
struct Routing {
  ValueId all = kNoValue;     ///< [tokens, width]
  ValueId tokens = kNoValue;  ///< [rows], the token that each row is of
  ValueId rows = kNoValue;    ///< [rows, width], what the Gather makes
  ValueId shares = kNoValue;  ///< [rows, 1], what the expert's outputs count for each row; kNoValue: not found
};

/// The routings of those linears among the uses of `weights` that have one, by weight.
std::map<ValueId, Routing> find_routings(const Graph& graph, const std::vector<ValueId>& weights);

}  // namespace terse::calibration
