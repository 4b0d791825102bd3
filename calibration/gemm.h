#pragma once

#include <cstdint>
#include <memory>

#include "formats/encoding.h"

namespace terse::calibration {

/// The right operand of a product, decoded and laid out once for many products. Immutable; shared between threads.
class PackedMatrix {
 public:
  /// A weight of logical shape [out, in] (read as B^T) or, with `Operand::plain`, a matrix [in, out] as it stands.
  enum class Operand { plain, transposed };
  static std::shared_ptr<const PackedMatrix> pack(const Encoding& encoding, Operand operand);
  ~PackedMatrix();
  PackedMatrix(const PackedMatrix&) = delete;
  PackedMatrix& operator=(const PackedMatrix&) = delete;

  int64_t depth() const;    ///< in: the length of the sums
  int64_t columns() const;  ///< out

 private:
  friend void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c);
  struct Data;
  explicit PackedMatrix(std::unique_ptr<const Data> data);
  std::unique_ptr<const Data> data_;
};

/// c[rows, columns] = a[rows, depth] * b, f32, row-major. Same bits for any number of threads and however rows are
/// split into calls.
void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c);

/// A plain product with leading dimensions: c[m, n] = op(a) * op(b), f32. `lda`, `ldb`, `ldc` in elements;
/// transposition as in BLAS.
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
};
void multiply(const Product& product);

}  // namespace terse::calibration
