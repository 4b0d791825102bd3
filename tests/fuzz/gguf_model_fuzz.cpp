#include <cstddef>
#include <cstdint>
#include <fstream>

#include "formats/error.h"
#include "formats/gguf/gguf_model.h"
#include "formats/safetensors/checkpoint.h"
#include "tests/temporary_folder.h"

/// Whatever a GGUF file holds, opening it ends with a model of which every target can say what it would write, or with
/// an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const terse::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "model.gguf";
  std::filesystem::remove(path);  // overwriting a file can wait for the disk
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const terse::Model model = terse::gguf::open(path, {});
    (void)terse::gguf::layout(model, folder.path() / "copy.gguf", {});
    (void)terse::safetensors::layout(model, folder.path() / "copy", {});
  } catch (const terse::Error& error) {
    if (error.kind() == terse::Kind::internal) {
      throw;
    }
  }
  return 0;
}
