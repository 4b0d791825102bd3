#pragma once

#include <cstdint>
#include <string_view>

#include "formats/tensor.h"

namespace terse::safetensors {

/// The element type of a name in a header: "BF16". Error unsupported lists what there is.
DType dtype_of(std::string_view name);

/// The reverse. Error unsupported for types that the format lacks.
std::string_view name_of(DType dtype);

/// Where huggingface's writer puts tensors of this type: the highest first, so that all are aligned.
int rank_of(DType dtype);

/// Bytes of a tensor's data. Error input if the shape is negative or too large, or if the last byte is not full.
int64_t data_bytes(DType dtype, const Shape& shape);

}  // namespace terse::safetensors
