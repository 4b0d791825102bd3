#pragma once

#include <cstdint>

#include "formats/bytes.h"
#include "formats/encoding.h"
#include "formats/tensor.h"

namespace terse {

// How the data of tensors reaches a file: in pieces, and pages of mapped files are given back behind them.

/// As it lies.
void stream_bytes(const Tensor& tensor, Sink& sink);

/// A stack of `matrices` matrices stored [rows, columns], each written [columns, rows]. Elements of 1, 2, 4 or 8 bytes.
struct Transposition {
  int64_t matrices = 1, rows = 0, columns = 0;
};
void stream_transposed(const Tensor& tensor, const Transposition& t, Sink& sink);

/// How the last two dimensions of a weight lie in a file.
enum class MatrixOrder { out_in, in_out };

/// The numbers of a dense encoding in that order, whichever way they lie; those without matrices as they are.
void stream_dense(const Encoding& encoding, MatrixOrder order, Sink& sink);

/// Rows of packed codes, each followed by zeros up to `row_bytes`.
void stream_padded(const Tensor& codes, int64_t rows, int64_t row_bytes, Sink& sink);

}  // namespace terse
