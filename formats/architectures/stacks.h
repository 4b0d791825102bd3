#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/checkpoint.h"
#include "formats/named_tensors.h"

namespace terse::architectures {

// Some files have the matrices of all experts in one tensor [E, rows, columns]. In the graph an expert's matrices are
// weights of their own, so that each can be measured, solved and left out by itself; they are views of the stack.

/// A name with its "{}" replaced by a number.
std::string numbered(std::string_view pattern, size_t number);

/// How a family calls the parts of a feed-forward that is a mixture of experts, below the layer. "{}" stands for the
/// expert's number. An empty router: the family has none.
struct ExpertNames {
  std::string_view router;
  std::string_view gate, up, down;
};

struct StackRow {
  std::string_view stack;  ///< the end of the tensor's name, from behind the layer's number: ".moe.input_linear.weight"
  /// What the graph calls an expert's rows of it, "{}" standing for its number; two: each has half of the rows.
  std::string_view first, second = {};
  bool is_published = true;  ///< the family's folders have it so; else it is read, and written in parts
};

/// Replaces stacks by their parts. Error input, naming the tensor, for shapes that are no stacks.
void split_stacks(NamedTensors& tensors, std::span<const StackRow> rows);

/// A name that ends in what a pattern stands for.
struct NumberedName {
  std::string layer;   ///< what stands in front
  int64_t number = 0;  ///< in the pattern's hole
};
std::optional<NumberedName> match_numbered(std::string_view name, std::string_view pattern);

/// Where folders have a weight of the graph, if that is in a stack.
std::optional<StackPlace> find_stack(std::span<const StackRow> rows, std::string_view name);

}  // namespace terse::architectures
