#pragma once

#include <cstdint>
#include <memory>

#include "formats/encoding.h"

namespace terse::calibration {

// Products of f32 matrices: the one door to oneDNN.
//
// Rows of the result are cut into panels of a fixed number and panels are computed in parallel, so the bits do not
// depend on the number of threads. With AVX-512 they do not depend on how rows are split into calls either (measured:
// oneDNN's kernels give a row the same bits in a product of any height); with narrower vectors only splits at
// multiples of kPanelRows keep them.

inline constexpr int64_t kPanelRows = 256;

/// The right operand of a product, ready for many products. Immutable; shared between threads. Dense f32 weights are
/// read where they lie, in a mapped file and in either orientation (measured: oneDNN's own layout would save 3 to 10 %
/// of the time and cost a copy); others, and those that a file holds at an odd address, are decoded to f32 once, and
/// the pages of their file given back.
class PackedMatrix {
 public:
  /// A weight of logical shape [out, in] (read as B^T) or, with `Operand::plain`, a matrix [in, out] as it stands.
  enum class Operand { plain, transposed };
  /// Error input if the encoding is no matrix, unsupported if it holds no floats.
  static std::shared_ptr<const PackedMatrix> pack(const Encoding& encoding, Operand operand);

  /// The same without a copy that stays: every product decodes the weight piece by piece and gives the pages of mapped
  /// files back, for models that are run once or twice. The last bits may differ from those of a packed matrix.
  static std::shared_ptr<const PackedMatrix> stream(EncodingPtr encoding, Operand operand);

  int64_t depth() const { return depth_; }      ///< in: the length of the sums
  int64_t columns() const { return columns_; }  ///< out

 private:
  friend void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c);
  PackedMatrix(Tensor values, int64_t depth, int64_t columns, Operand stored);
  Tensor values_;
  EncodingPtr streamed_;  ///< in place of values_; read as B^T
  int64_t depth_, columns_;
  Operand stored_;  ///< transposed: values_ is [columns, depth]
};

/// All numbers of an encoding in f32, as `decode` gives them, decoded in parallel.
Tensor decode_parallel(const Encoding& encoding);

/// c[rows, columns] = a[rows, depth] * b, f32, row-major.
void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c);

/// A plain product with leading dimensions: c[m, n] = op(a) * op(b), or c += that, f32. `lda`, `ldb`, `ldc` in
/// elements; transposition as in BLAS.
struct Product {
  int64_t m = 0, n = 0, k = 0;
  const float* a = nullptr;
  int64_t lda = 0;
  bool transpose_a = false;
  const float* b = nullptr;
  int64_t ldb = 0;
  bool transpose_b = false;
  float* c = nullptr;
  int64_t ldc = 0;
  bool accumulate = false;  ///< adds the product to c
};
void multiply(const Product& product);

}  // namespace terse::calibration
