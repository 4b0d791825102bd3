#pragma once

#include <cstdint>
#include <memory>

#include "formats/encoding.h"

namespace terse::calibration {

// Products of matrices: the one door to oneDNN.
//
// Rows of the result are cut into panels of a fixed number and panels are computed in parallel, so the bits do not
// depend on the number of threads. With AVX-512 they do not depend on how rows are split into calls either (measured:
// oneDNN's kernels give a row the same bits in a product of any height); with narrower vectors only splits at
// multiples of kPanelRows keep them.

inline constexpr int64_t kPanelRows = 256;

/// What the factors of a product are rounded to. Its sums are f32.
enum class Precision { f32, bf16 };

/// bf16 where the instruction set in use multiplies it faster than f32 (AVX512-BF16, AMX), else f32.
Precision fast_precision();

template <typename T>
struct BasicProduct;

/// The right operand of a product, ready for many products. Immutable; shared between threads. Dense f32 weights are
/// read where they lie, in a mapped file and in either orientation (measured: oneDNN's own layout would save 3 to 10 %
/// of the time and cost a copy); others, and those that a file holds at an odd address, are decoded to f32 once, and
/// the pages of their file given back.
class PackedMatrix {
 public:
  /// A weight of logical shape [out, in] (read as B^T) or, with `Operand::plain`, a matrix [in, out] as it stands.
  enum class Operand { plain, transposed };
  /// With Precision::bf16 both factors of a product are rounded to bf16, and it is dense bf16 that is read where it
  /// lies. Error input if the encoding is no matrix, unsupported if it holds no floats.
  static std::shared_ptr<const PackedMatrix> pack(const Encoding& encoding, Operand operand,
                                                  Precision precision = Precision::f32);

  /// The same without a copy that stays: every product decodes the weight piece by piece and gives the pages of mapped
  /// files back, for models that are run once or twice. The last bits may differ from those of a packed matrix.
  static std::shared_ptr<const PackedMatrix> stream(EncodingPtr encoding, Operand operand);

  int64_t depth() const { return depth_; }      ///< in: the length of the sums
  int64_t columns() const { return columns_; }  ///< out

 private:
  friend void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c);
  template <typename T>
  BasicProduct<T> product(const T* a, int64_t rows, float* c) const;
  PackedMatrix(Tensor values, int64_t depth, int64_t columns, Operand stored);
  Tensor values_;         ///< f32 or bf16
  EncodingPtr streamed_;  ///< in place of values_; read as B^T
  int64_t depth_, columns_;
  Operand stored_;  ///< transposed: values_ is [columns, depth]
};

/// All numbers of an encoding in f32, as `decode` gives them, decoded in parallel.
Tensor decode_parallel(const Encoding& encoding);

/// c[rows, columns] = a[rows, depth] * b, f32, row-major.
void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c);

/// A plain product with leading dimensions: c[m, n] = op(a) * op(b), or c += that. `lda`, `ldb`, `ldc` in elements;
/// transposition as in BLAS.
template <typename T>
struct BasicProduct {
  int64_t m = 0, n = 0, k = 0;
  const T* a = nullptr;
  int64_t lda = 0;
  bool transpose_a = false;
  const T* b = nullptr;
  int64_t ldb = 0;
  bool transpose_b = false;
  float* c = nullptr;
  int64_t ldc = 0;
  bool accumulate = false;  ///< adds the product to c
};
using Product = BasicProduct<float>;
using NarrowProduct = BasicProduct<BFloat16>;  ///< only where fast_precision() is bf16
void multiply(const Product& product);
void multiply(const NarrowProduct& product);

}  // namespace terse::calibration
