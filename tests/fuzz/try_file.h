#pragma once

#include <cstddef>
#include <cstdint>
#include <fstream>

#include "formats/error.h"
#include "formats/named_tensors.h"
#include "tests/temporary_folder.h"

namespace terse {

/// Lets `read` read a file of these bytes: it ends with tensors, whose every byte is touched, or with an Error.
inline void try_file(NamedTensors (*read)(const std::filesystem::path&), const uint8_t* data, size_t size) {
  static const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "weights";
  std::filesystem::remove(path);  // overwriting a file can wait for the disk
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    volatile uint8_t sum = 0;
    for (const auto& [name, tensor] : read(path).tensors) {
      for (const std::byte b : tensor.bytes()) {
        sum = static_cast<uint8_t>(sum + std::to_integer<uint8_t>(b));
      }
    }
  } catch (const Error& error) {
    if (error.kind() == Kind::internal) {
      throw;
    }
  }
}

}  // namespace terse
