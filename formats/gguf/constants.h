#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

namespace terse::gguf {

// A GGUF file, all numbers little endian. Source: ggml/docs/gguf.md, ggml/src/gguf.cpp.
//
//   header    magic "GGUF", version u32, tensor count u64, metadata count u64
//   metadata  key string, type u32, value; as often as the header says
//   tensors   name string, dimension count u32, dimensions u64 (fastest first), type u32, offset u64 (from the
//   beginning
//             of the data, a multiple of the alignment); as often as the header says
//   padding   zeros up to a multiple of `general.alignment` (32 if it is absent)
//   data      the tensors, each padded likewise
//
//   string    length u64, bytes
//   array     element type u32, count u64, elements without types of their own

inline constexpr std::string_view kMagic = "GGUF";
inline constexpr uint32_t kVersion = 3;
inline constexpr int64_t kDefaultAlignment = 32;
inline constexpr int64_t kLeastAlignment = 8;  // what u64 elements in mapped files need
inline constexpr uint32_t kMostDimensions = 4;
inline constexpr size_t kMostKeyBytes = 65535;
inline constexpr size_t kMostNameBytes = 63;  // that llama.cpp reads
inline constexpr int kMostArrayDepth = 8;     // deeper ones are an attack on the stack
inline constexpr std::string_view kAlignmentKey = "general.alignment";
inline constexpr std::string_view kSplitNumberKey = "split.no";  // from 0
inline constexpr std::string_view kSplitCountKey = "split.count";
inline constexpr std::string_view kSplitTensorsKey = "split.tensors.count";  // in all files

inline bool is_alignment(int64_t value) {
  return value >= kLeastAlignment && std::has_single_bit(static_cast<uint64_t>(value));
}

static_assert(std::endian::native == std::endian::little);

}  // namespace terse::gguf
