#include "calibration/constants.h"

#include <cassert>

#include "formats/error.h"

namespace terse::calibration {
namespace {

DType seen_dtype(const Value& value) {
  const DType stored = compute_dtype(*value.constant);
  return is_float(stored) && value.type && is_float(value.type->dtype) ? value.type->dtype : stored;
}

/// Once there is a copy, the pages of the file are given back.
Tensor decode_as(const Encoding& encoding, DType dtype) {
  const DenseEncoding* dense = encoding.dense();
  const bool is_same = dense != nullptr && !dense->transposed && dense->dtype == dtype;
  if (is_same && dense->values.is_aligned()) {
    return dense->values;
  }
  Tensor copy = is_same ? dense->values.aligned() : from_f32(decode_parallel(encoding), dtype);
  release_pages(encoding);
  return copy;
}

}  // namespace

Constants::Constants(const Graph& graph, Residency residency, Precision precision)
    : residency_(residency), precision_(precision), slots_(graph.values.size()), dtypes_(graph.values.size()) {
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

DType Constants::dtype(ValueId id) const { return dtypes_[static_cast<size_t>(id)]; }

const Tensor& Constants::tensor(ValueId id) const {
  Slot& s = slot(id);
  std::call_once(s.decoded, [&] { s.tensor = decode_as(*s.encoding, dtype(id)); });
  return s.tensor;
}

std::shared_ptr<const PackedMatrix> Constants::packed(ValueId id, PackedMatrix::Operand operand) const {
  Slot& s = slot(id);
  if (residency_ == Residency::stream) {
    return PackedMatrix::stream(s.encoding, operand);
  }
  const bool transposed = operand == PackedMatrix::Operand::transposed;
  auto& matrix = transposed ? s.transposed : s.plain;
  std::call_once(transposed ? s.packed_transposed : s.packed_plain,
                 [&] { matrix = PackedMatrix::pack(*s.encoding, operand, precision_); });
  return matrix;
}

void Constants::replace(ValueId id, EncodingPtr encoding) {
  auto& slot = slots_[static_cast<size_t>(id)];
  slot = std::make_unique<Slot>();
  slot->encoding = std::move(encoding);
}

void Constants::drop(ValueId id) {
  EncodingPtr encoding = slots_[static_cast<size_t>(id)]->encoding;
  release_pages(*encoding);
  replace(id, std::move(encoding));
}

}  // namespace terse::calibration
