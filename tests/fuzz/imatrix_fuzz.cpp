#include <cstddef>
#include <cstdint>
#include <fstream>

#include "formats/error.h"
#include "formats/gguf/imatrix.h"
#include "tests/temporary_folder.h"

/// Whatever a file holds, reading it ends with means that are there or with an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const terse::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "imatrix.gguf";
  std::filesystem::remove(path);  // overwriting a file can wait for the disk
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const std::filesystem::path twice[] = {path, path};
    const terse::gguf::Imatrix matrix = terse::gguf::read_imatrices(twice);
    for (const auto& [name, products] : matrix.products) {
      for (const auto& part : products.parts) {
        if (std::ssize(part.solving()) != terse::gguf::triangle_numbers(products.columns) || part.held_out()[0] < 0) {
          throw terse::Error(terse::Kind::internal, "products of '{}' that cannot be", name);
        }
      }
    }
    for (const auto& [name, sums] : matrix.entries) {
      for (int64_t i = 0; i < sums.matrices(); ++i) {
        for (const float mean : sums.means(i)) {
          if (!(mean >= 0)) {
            throw terse::Error(terse::Kind::internal, "a mean of {}", mean);
          }
        }
      }
    }
  } catch (const terse::Error& error) {
    if (error.kind() == terse::Kind::internal) {
      throw;
    }
  }
  return 0;
}
