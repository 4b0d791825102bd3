#pragma once

#include <cstdint>

#include "formats/bytes.h"
#include "formats/encoding.h"
#include "formats/stream.h"

namespace terse::onnx {

// What ONNX files want beside the plain streams of formats/stream.h.

/// Zero points [rows / group_rows, groups] of `affine`, written for `rows` rows of `blocks` blocks, packed, every row
/// from a fresh byte. A row has one zero point for all blocks or one a block.
void stream_zero_points(const AffineEncoding& affine, int64_t rows, int64_t blocks, Sink& sink);

/// The codes of an affine weight as one packed run of numbers in ONNX's element types, signed (code - 2^(bits-1)) if it
/// is symmetric; every matrix [in, out] if `transposed`, else [out, in].
void stream_integers(const Encoding& weight, bool transposed, Sink& sink);

}  // namespace terse::onnx
