#pragma once

#include <cstdint>

#include "formats/bytes.h"
#include "formats/encoding.h"

namespace terse::onnx {

// How the data of an initialiser reaches the file: in pieces, and pages of mapped files are given back behind them.

/// As it lies.
void stream_bytes(const Tensor& tensor, Sink& sink);

/// A stack of `matrices` matrices stored [rows, columns], each written [columns, rows]. Elements of 1, 2, 4 or 8 bytes.
struct Transposition {
  int64_t matrices = 1, rows = 0, columns = 0;
};
void stream_transposed(const Tensor& tensor, const Transposition& t, Sink& sink);

/// Rows of packed codes, each followed by zeros up to `row_bytes`.
void stream_padded(const Tensor& codes, int64_t rows, int64_t row_bytes, Sink& sink);

/// Zero points [rows / group_rows, groups] of `affine`, written for `rows` rows of `blocks` blocks, packed, every row
/// from a fresh byte. A row has one zero point for all blocks or one a block.
void stream_zero_points(const AffineEncoding& affine, int64_t rows, int64_t blocks, Sink& sink);

/// The codes of an affine weight as one packed run of numbers in ONNX's element types, signed (code - 2^(bits-1)) if it
/// is symmetric; every matrix [in, out] if `transposed`, else [out, in].
void stream_integers(const Encoding& weight, bool transposed, Sink& sink);

}  // namespace terse::onnx
