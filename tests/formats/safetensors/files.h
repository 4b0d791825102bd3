#pragma once

#include <bit>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "formats/bytes.h"

namespace terse {

/// The bytes of a .safetensors file of any header and data.
inline std::string safetensors_bytes(std::string_view header, std::string_view data) {
  static_assert(std::endian::native == std::endian::little);
  const uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), sizeof(length));
  return bytes.append(header).append(data);
}

}  // namespace terse
