#include <algorithm>

#include "formats/onnx/data_types.h"
#include "formats/onnx/raise_context.h"

// Floats of 16 bits that an f32 graph widens where it reads them, and matrices of experts that it turns.

namespace terse::onnx {
namespace {

bool widens(const Node& node) { return node.is("Cast") && node.get_int("to", 0) == get_data_type(DType::f32).number; }

bool picks_rows(const Node& node, size_t input) { return input == 0 && (node.is("Gather") || node.is("GatherND")); }

/// The Cast behind a Gather of rows, if it is the only reader.
Node* cast_behind(const RaiseContext& context, const Node& gather) {
  const auto& readers = context.readers(gather.output(0));
  return readers.size() == 1 && widens(*readers[0].first) ? readers[0].first : nullptr;
}

bool turns_matrices(const Node& node) {
  return node.is("Einsum") && node.inputs.size() == 1 && node.get_string("equation", "") == "...ij->...ji";
}

}  // namespace

/// Cast, and Gather with a Cast behind it, become readings of a constant that is seen as f32, if all of its readers see
/// it so. The constant keeps its name, and a tied table and head read one weight.
void raise_widened(RaiseContext& context, Node& node) {
  const ValueId stored = node.input(0);
  const Tensor* values = stored == kNoValue ? nullptr : context.tensor(stored);
  if (values == nullptr || (values->dtype() != DType::f16 && values->dtype() != DType::bf16) ||
      context.graph.value(stored).type->dtype == DType::f32) {
    return;
  }
  const auto& readers = context.readers(stored);
  const bool all = !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](const auto& reader) {
    const Node& r = *reader.first;
    return widens(r) ? !context.readers(r.output(0)).empty()
                     : picks_rows(r, reader.second) && cast_behind(context, r) != nullptr;
  });
  if (!all) {
    return;
  }
  context.graph.value(stored).type = ValueType{.dtype = DType::f32};
  for (const auto& [reader, input] : readers) {
    if (widens(*reader)) {
      for (const auto& [behind, operand] : context.readers(reader->output(0))) {
        behind->inputs[operand] = stored;
      }
    } else {
      Node* cast = cast_behind(context, *reader);
      reader->outputs = cast->outputs;
      abandon_outputs(context.graph, *cast);
    }
  }
}

/// Gather of experts' matrices, turned, then MatMul: the MatMul says transB = 1 instead.
void raise_turned_gather(RaiseContext& context, Node& node) {
  if (!picks_rows(node, 0) || !context.graph.is_constant(node.input(0)) || node.output(0) == kNoValue) {
    return;
  }
  const auto& readers = context.readers(node.output(0));
  if (readers.size() != 1 || !turns_matrices(*readers[0].first)) {
    return;
  }
  Node& turn = *readers[0].first;
  const auto& products = context.readers(turn.output(0));
  const bool all = !products.empty() && std::all_of(products.begin(), products.end(), [](const auto& reader) {
    return reader.first->is("MatMul") && reader.second == 1 && reader.first->get_int("transB", 0) == 0;
  });
  if (!all) {
    return;
  }
  for (const auto& [product, input] : products) {
    product->set("transB", int64_t{1});
  }
  node.outputs = turn.outputs;
  abandon_outputs(context.graph, turn);
}

}  // namespace terse::onnx
