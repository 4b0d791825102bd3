#pragma once

#include <vector>

#include "formats/graph.h"

namespace terse::onnx {

/// A place where a value is read, for editing. Pointers go stale with the next edit of a node list.
struct Reading {
  Node* node = nullptr;
  size_t input = 0;
  /// The products whose `transB` says in which orientation the matrix is read: the node itself, or the MatMuls behind a
  /// Gather of experts. Empty: it can only be read as it stands.
  std::vector<Node*> products;
};

/// The readings of every value, by its index.
std::vector<std::vector<Reading>> find_readings(Graph& graph);

/// True if B of the reading's products is read as [.., out, in].
bool is_transposed(const Reading& reading);

/// Reads the same matrix with its last two dimensions swapped.
void turn(const Reading& reading);

/// Which values are outputs of the graph or of a subgraph.
std::vector<bool> block_outputs(const Graph& graph);

/// A float constant of rank 2 or more.
bool is_matrix(const Value& value);

/// The same numbers, the last two dimensions of the logical shape swapped. Null if the encoding cannot say that.
EncodingPtr swapped(const Encoding& encoding);

}  // namespace terse::onnx
