#pragma once

#include <string>
#include <string_view>

namespace terse::calibration {

/// Limits all kernels of the process (oneDNN's and our own) to an instruction set: "avx2", "avx512", "amx", or "auto"
/// for the best that the processor has. The same limit gives the same bytes on every processor that has it. Call it
/// before any computation. Errors: unsupported if the processor lacks the set; usage for another name.
void limit_instruction_set(std::string_view name);

/// What kernels now use: "sse4", "avx2", "avx512" or "amx". For reports.
std::string instruction_set();

}  // namespace terse::calibration
