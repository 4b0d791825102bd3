#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "formats/graph.h"

namespace terse::onnx {

/// The version of ONNX's own operators that terse thinks in: the executor implements these forms.
inline constexpr int64_t kOpset = 23;

/// Brings the nodes of ONNX's own domain, in subgraphs too, to the forms of opset `target`, and says so in `opsets`.
/// The graph computes what it computed; names of values and nodes stay, and what has to be added is named after the
/// node. A graph of `target` or newer is left alone: the forms of 24 and 25 only add to those of 23. Subgraphs are
/// changed in place: pass a deep_copy if somebody else shares them. Precondition: target is 18 to 23. Errors:
/// Kind::unsupported, naming the node, if there is no equal form; Kind::input if the graph's opset is below 7
///          or missing. The graph is of no use then.
void upgrade(Graph& graph, std::map<std::string, int64_t>& opsets, int64_t target = kOpset);

}  // namespace terse::onnx
