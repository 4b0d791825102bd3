#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "calibration/executor.h"
#include "calibration/gemm.h"
#include "formats/graph.h"

namespace terse::calibration {

/// The constants of a graph as operators want them: decoded once, when first asked for, by whichever thread comes
/// first; kept until replaced. Dense constants stay where they are (in a mapped file) if they are aligned there.
class Constants {
 public:
  /// Shares the encodings of `graph`.
  explicit Constants(const Graph& graph, Residency residency = Residency::keep, Precision precision = Precision::f32);

  /// Null if the value is no constant.
  const Encoding* find(ValueId id) const;

  /// The element type in which the graph sees a constant: what its value declares, else compute_dtype.
  DType dtype(ValueId id) const;

  /// The numbers in that type and in logical orientation.
  const Tensor& tensor(ValueId id) const;

  /// Ready for a product. With Residency::stream nobody but the caller holds it.
  std::shared_ptr<const PackedMatrix> packed(ValueId id, PackedMatrix::Operand operand) const;

  /// Gives a constant other data of the same shape and drops what was decoded. Not while samples run.
  void replace(ValueId id, EncodingPtr encoding);

  /// Drops what was decoded of a constant and gives the pages of its file back; it is decoded again if asked for again.
  /// Not while samples run.
  void drop(ValueId id);

 private:
  struct Slot {
    EncodingPtr encoding;
    std::once_flag decoded, packed_plain, packed_transposed;
    Tensor tensor;
    std::shared_ptr<const PackedMatrix> plain, transposed;
  };
  Slot& slot(ValueId id) const;
  Residency residency_;
  Precision precision_;                       ///< of packed matrices that are kept
  std::vector<std::unique_ptr<Slot>> slots_;  ///< by value; null for what is no constant
  std::vector<DType> dtypes_;                 ///< by value; in which it is computed with
};

}  // namespace terse::calibration
