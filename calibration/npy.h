#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>

#include "formats/bytes.h"
#include "formats/tensor.h"

namespace terse::calibration {

// NumPy's array file: "\x93NUMPY", version (1.0, 2.0, 3.0), length of the header (u16; u32 from 2.0 on), the header (a
// Python dictionary: descr, fortran_order, shape; padded with spaces), the elements.
// Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html

/// An array, in row-major order and this machine's byte order whatever the file has. Views `bytes` where it can;
/// `owner` keeps them alive. Errors: input for what is no .npy or does not fit its length; unsupported for element
/// types other than integers, floats and bool.
Tensor parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

/// The same for a file. Its name is in errors.
Tensor read_npy(const std::filesystem::path& path);

/// Version 1.0, row-major. bf16, which NumPy does not know, is widened to f32. Error unsupported for strings and types
/// of less than 8 bits.
void write_npy(Sink& sink, const Tensor& tensor);

}  // namespace terse::calibration
