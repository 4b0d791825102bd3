#pragma once

#include <cstdint>
#include <string_view>

namespace terse::safetensors {

// The layout of a .safetensors file:
//
//   header_bytes   u64, little endian: the length of the header, at most 100 MB
//   header         a JSON object in UTF-8, `{` first, padded with spaces at its end:
//                    "__metadata__": {name: text, ...}                              may be absent
//                    name: {"dtype": "F32", "shape": [2,3], "data_offsets": [begin,end]}   one a tensor
//   data           the numbers of the tensors, row-major, little endian, one after the other without holes; offsets
//                  count from its first byte

inline constexpr int64_t kLengthBytes = 8;
inline constexpr int64_t kLargestHeaderBytes = 100'000'000;  // what huggingface's reader accepts
inline constexpr int64_t kHeaderAlignment = 8;               // so that the data begin aligned for every element type
inline constexpr std::string_view kMetadata = "__metadata__";
inline constexpr std::string_view kDType = "dtype";
inline constexpr std::string_view kShape = "shape";
inline constexpr std::string_view kDataOffsets = "data_offsets";

}  // namespace terse::safetensors
