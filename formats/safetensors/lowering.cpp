#include "formats/safetensors/lowering.h"

#include <algorithm>
#include <map>
#include <ranges>

#include "formats/blocks/affine_blocks.h"
#include "formats/checkpoint_weights.h"
#include "formats/error.h"
#include "formats/row_order.h"
#include "formats/safetensors/compressed_tensors.h"
#include "formats/safetensors/config_text.h"
#include "formats/stream.h"

namespace terse::safetensors {
namespace {

/// The constants of a checkpoint's tensors, in their order.
struct Weights {
  std::vector<ValueId> dense, packed, all;
};

Weights find_weights(const Model& model) {
  Weights weights{.all = find_checkpoint_weights(model)};
  for (const ValueId id : weights.all) {
    const bool is_dense = model.graph.value(id).constant->dense() != nullptr;
    (is_dense ? weights.dense : weights.packed).push_back(id);
  }
  return weights;
}

/// The type of most numbers of the dense matrices, if any of these has another type than in its file.
std::optional<DType> find_cast(const Model& model, const Weights& weights) {
  std::map<DType, int64_t> counts;
  bool any = false;
  for (const ValueId id : weights.dense) {
    const Encoding& encoding = *model.graph.value(id).constant;
    if (encoding.shape.size() < 2 || !is_float(encoding.dense()->dtype)) {
      continue;
    }
    const auto stored = model.checkpoint->stored.find(model.graph.value(id).name);
    any |= stored == model.checkpoint->stored.end() || stored->second.dtype != encoding.dense()->dtype;
    counts[encoding.dense()->dtype] += encoding.rows() * encoding.columns();
  }
  if (!any || counts.empty()) {
    return std::nullopt;
  }
  return std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; })->first;
}

/// What a reader holds all its numbers in: what config.json will say, else what most tensors have.
DType model_dtype(const Model& model, const Weights& weights, std::optional<DType> cast) {
  const auto said = cast ? cast : find_dtype_of_config(model.checkpoint->config);
  if (said) {
    return *said;
  }
  for (const ValueId id : weights.dense) {
    if (const DType dtype = model.graph.value(id).constant->dense()->dtype; is_float(dtype)) {
      return dtype;
    }
  }
  return DType::f32;
}

/// Under its name, in the orientation that the file had.
StoredTensor store_dense(const std::string& name, const EncodingPtr& encoding, bool in_out) {
  const MatrixOrder order = in_out ? MatrixOrder::in_out : MatrixOrder::out_in;
  return {.name = name,
          .dtype = encoding->dense()->dtype,
          .shape = in_out ? swap_last_two(encoding->shape) : encoding->shape,
          .write = [encoding, order](Sink& sink) { stream_dense(*encoding, order, sink); }};
}

std::vector<StoredTensor> store(const std::string& name, const EncodingPtr& encoding, const StoredForm& form);

/// Its rows are brought into a folder's order when their turn comes.
std::vector<StoredTensor> store_reordered(const std::string& name, const EncodingPtr& encoding,
                                          const StoredForm& form) {
  StoredForm in_order = form;
  in_order.neighbour_heads = 0;
  std::vector<StoredTensor> tensors = store(name, encoding, in_order);
  for (size_t i = 0; i < tensors.size(); ++i) {
    tensors[i].write = [=, heads = form.neighbour_heads](Sink& sink) {
      store(name, reorder_rows(encoding, heads, RowOrder::halves), in_order)[i].write(sink);
    };
  }
  return tensors;
}

std::vector<StoredTensor> store(const std::string& name, const EncodingPtr& encoding, const StoredForm& form) {
  if (form.neighbour_heads > 0) {
    return store_reordered(name, encoding, form);
  }
  return encoding->dense() != nullptr ? std::vector{store_dense(name, encoding, form.in_out)} : pack(name, encoding);
}

using Stack = std::map<int64_t, ValueId>;  ///< by StackPlace::place

/// The matrices of all experts, one behind the other.
StoredTensor store_stack(const Model& model, const std::string& name, const Stack& stack) {
  std::vector<EncodingPtr> parts;
  for (const ValueId id : stack | std::views::values) {
    const Value& value = model.graph.value(id);
    const EncodingPtr& part = parts.emplace_back(value.constant);
    if (part->dense() == nullptr || part->dense()->dtype != parts.front()->dense()->dtype) {
      throw Error(
          Kind::unsupported,
          "tensor {} is to be stored as {}: folders of this family have it in {}, which holds floats of one type "
          "only; onnx and gguf can hold it",
          value.name, describe(*part), name);
    }
  }
  const int64_t parts_of_expert =
      model.checkpoint->stored.at(model.graph.value(stack.begin()->second).name).stack->parts;
  return {
      .name = name,
      .dtype = parts.front()->dense()->dtype,
      .shape = {std::ssize(parts) / parts_of_expert, parts_of_expert * parts.front()->rows(), parts.front()->columns()},
      .write = [parts](Sink& sink) {
        for (const EncodingPtr& part : parts) {
          stream_dense(*part, MatrixOrder::out_in, sink);
        }
      }};
}

std::string config_text(const Model& model, const Weights& weights, std::optional<DType> cast, DType dtype) {
  ConfigEdit edit{.dtype = cast, .quantization_config = {}};
  if (!weights.packed.empty()) {
    edit.dtype = dtype;  // not left to be guessed from scales
    edit.quantization_config = quantization_config(model, weights.packed, weights.dense);
  }
  return edit_config(model.checkpoint->config, edit);
}

LoweredCheckpoint lower_affine(const Model& model) {
  const Weights weights = find_weights(model);
  const auto cast = find_cast(model, weights);
  const DType dtype = model_dtype(model, weights, cast);
  for (const ValueId id : weights.packed) {
    check_packed(model, id, dtype);
  }
  check_fused(model, weights.all);
  LoweredCheckpoint lowered{.config = config_text(model, weights, cast, dtype), .has_codes = !weights.packed.empty()};
  std::map<std::string, Stack> stacks;
  for (const ValueId id : weights.all) {
    const Value& value = model.graph.value(id);
    const StoredForm& form = model.checkpoint->stored.at(value.name);
    if (form.stack) {
      stacks[form.stack->stack].emplace(form.stack->place, id);
      continue;
    }
    std::ranges::move(store(value.name, value.constant, form), std::back_inserter(lowered.tensors));
    lowered.sources.resize(lowered.tensors.size(), {id});
  }
  for (const auto& [name, stack] : stacks) {
    lowered.tensors.push_back(store_stack(model, name, stack));
    lowered.sources.emplace_back();
    std::ranges::copy(stack | std::views::values, std::back_inserter(lowered.sources.back()));
  }
  return lowered;
}

}  // namespace

LoweredCheckpoint lower(const Model& model) {
  Model affine = model;
  for (Value& value : affine.graph.values) {
    value.constant = value.constant == nullptr ? nullptr : as_affine(value.constant);
  }
  return lower_affine(affine);
}

}  // namespace terse::safetensors
