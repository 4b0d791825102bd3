#include "calibration/constants.h"

#include <cassert>

#include "formats/error.h"

namespace terse::calibration {
namespace {

Tensor decode_as(const Encoding& encoding, DType dtype) {
  const DenseEncoding* dense = encoding.dense();
  if (dense != nullptr && !dense->transposed && dense->dtype == dtype) {
    return dense->values.aligned();
  }
  return from_f32(decode(encoding), dtype);
}

/// The type in which readers see a constant: what the graph says, else its own.
DType seen_dtype(const Value& value) {
  const DType own = compute_dtype(*value.constant);
  return is_float(own) && value.type && is_float(value.type->dtype) ? value.type->dtype : own;
}

}  // namespace

Constants::Constants(const Graph& graph) : slots_(graph.values.size()), dtypes_(graph.values.size()) {
  for (size_t i = 0; i < slots_.size(); ++i) {
    if (graph.values[i].constant != nullptr) {
      dtypes_[i] = seen_dtype(graph.values[i]);
      replace(static_cast<ValueId>(i), graph.values[i].constant);
    }
  }
}

const Encoding* Constants::find(ValueId id) const {
  const auto& slot = slots_[static_cast<size_t>(id)];
  return slot == nullptr ? nullptr : slot->encoding.get();
}

Constants::Slot& Constants::slot(ValueId id) const {
  assert(slots_[static_cast<size_t>(id)] != nullptr);
  Slot& slot = *slots_[static_cast<size_t>(id)];
  if (slot.encoding->is_planned()) {
    throw Error(Kind::internal, "a constant has no data");
  }
  return slot;
}

const Tensor& Constants::tensor(ValueId id) const {
  Slot& s = slot(id);
  std::call_once(s.decoded, [&] { s.tensor = decode_as(*s.encoding, dtypes_[static_cast<size_t>(id)]); });
  return s.tensor;
}

const PackedMatrix& Constants::packed(ValueId id, PackedMatrix::Operand operand) const {
  Slot& s = slot(id);
  const bool transposed = operand == PackedMatrix::Operand::transposed;
  auto& matrix = transposed ? s.transposed : s.plain;
  std::call_once(transposed ? s.packed_transposed : s.packed_plain,
                 [&] { matrix = PackedMatrix::pack(*s.encoding, operand); });
  return *matrix;
}

void Constants::replace(ValueId id, EncodingPtr encoding) {
  auto& slot = slots_[static_cast<size_t>(id)];
  slot = std::make_unique<Slot>();
  slot->encoding = std::move(encoding);
}

void Constants::drop(ValueId id) { replace(id, slots_[static_cast<size_t>(id)]->encoding); }

}  // namespace terse::calibration
