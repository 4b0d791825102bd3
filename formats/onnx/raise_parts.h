#pragma once

#include <optional>

#include "formats/onnx/raise_context.h"

namespace terse::onnx {

/// The affine encoding that `parts` spell; null if they do not fit one exactly.
EncodingPtr affine_encoding(const RaiseContext& context, const AffineParts& parts);

/// The first `row_bytes` bytes of each of `rows` rows of packed codes: a view if that is all of them. Nullopt if the
/// tensor is no u8 tensor of whole rows, or its rows are shorter.
std::optional<Tensor> packed_rows(const Tensor& codes, int64_t rows, int64_t row_bytes);

}  // namespace terse::onnx
