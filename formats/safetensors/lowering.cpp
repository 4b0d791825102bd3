#include "formats/safetensors/lowering.h"

#include <algorithm>
#include <map>

#include "formats/error.h"
#include "formats/safetensors/compressed_tensors.h"
#include "formats/safetensors/config_text.h"
#include "formats/stream.h"

namespace terse::safetensors {
namespace {

/// The constants of a checkpoint's tensors, in their order.
struct Weights {
  std::vector<ValueId> dense, packed, all;
};

void check_is_checkpoint(const Model& model) {
  if (model.checkpoint == nullptr) {
    throw Error(Kind::unsupported,
                "{}: has no architecture that a checkpoint folder could name: from {} only {} can be written",
                model.path.string(), model.format, model.format);
  }
}

Weights find_weights(const Model& model) {
  std::map<std::string_view, ValueId> ids;
  for (size_t i = 0; i < model.graph.values.size(); ++i) {
    if (model.graph.values[i].constant != nullptr) {
      ids.emplace(model.graph.values[i].name, static_cast<ValueId>(i));
    }
  }
  Weights weights;
  for (const std::string& name : model.checkpoint->tensors) {
    const auto found = ids.find(name);
    if (found == ids.end()) {
      throw Error(Kind::unsupported,
                  "tensor {} of the checkpoint is no constant of the graph any more: a pass has folded or merged it "
                  "(simplify does); leave the pass out, or write another target",
                  name);
    }
    const bool is_dense = model.graph.value(found->second).constant->dense() != nullptr;
    (is_dense ? weights.dense : weights.packed).push_back(found->second);
    weights.all.push_back(found->second);
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

StoredTensor store_dense(const Model& model, ValueId id) {
  const Value& value = model.graph.value(id);
  const EncodingPtr encoding = value.constant;
  const DenseEncoding& dense = *encoding->dense();
  const auto form = model.checkpoint->stored.find(value.name);
  const bool in_out = form != model.checkpoint->stored.end() && form->second.in_out;
  StoredTensor stored{.name = value.name,
                      .dtype = dense.dtype,
                      .shape = in_out ? swap_last_two(encoding->shape) : encoding->shape,
                      .write = {}};
  if (dense.transposed == in_out) {
    stored.write = [encoding](Sink& sink) { stream_bytes(encoding->dense()->values, sink); };
  } else {
    const Shape lies = dense.transposed ? swap_last_two(encoding->shape) : encoding->shape;
    const int64_t rows = lies[lies.size() - 2], columns = lies.back();
    const int64_t matrices = rows * columns == 0 ? 0 : encoding->rows() * encoding->columns() / (rows * columns);
    const Transposition transposition{.matrices = matrices, .rows = rows, .columns = columns};
    stored.write = [=](Sink& sink) { stream_transposed(encoding->dense()->values, transposition, sink); };
  }
  return stored;
}

std::string config_text(const Model& model, const Weights& weights, std::optional<DType> cast, DType dtype) {
  ConfigEdit edit{.dtype = cast, .quantization_config = {}};
  if (!weights.packed.empty()) {
    edit.dtype = dtype;  // not left to be guessed from scales
    edit.quantization_config = quantization_config(model.graph, weights.packed, weights.dense);
  }
  return edit_config(model.checkpoint->config, edit);
}

}  // namespace

LoweredCheckpoint lower(const Model& model) {
  check_is_checkpoint(model);
  const Weights weights = find_weights(model);
  const auto cast = find_cast(model, weights);
  const DType dtype = model_dtype(model, weights, cast);
  for (const ValueId id : weights.packed) {
    check_packed(model, id, dtype);
  }
  check_fused(model, weights.all);
  LoweredCheckpoint lowered{.config = config_text(model, weights, cast, dtype), .has_codes = !weights.packed.empty()};
  for (const ValueId id : weights.all) {
    const Value& value = model.graph.value(id);
    if (value.constant->dense() != nullptr) {
      lowered.tensors.push_back(store_dense(model, id));
    } else {
      std::ranges::move(pack(value.name, value.constant), std::back_inserter(lowered.tensors));
    }
    lowered.sources.resize(lowered.tensors.size(), id);
  }
  return lowered;
}

}  // namespace terse::safetensors
