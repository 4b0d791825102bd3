#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>

#include "formats/error.h"
#include "formats/model.h"
#include "tests/temporary_folder.h"

namespace {

/// A folder with a file of external data that models can name.
struct Workplace {
  Workplace() { std::ofstream(folder.path() / "data") << std::string(4096, '\1'); }
  terse::TemporaryFolder folder;
};

}  // namespace

/// Whatever a file holds, opening it ends with a model or with an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Workplace workplace;
  const std::filesystem::path path = workplace.folder.path() / "model.onnx";
  std::filesystem::remove(path);  // overwriting a file can wait for the disk
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    terse::open_model(path);
  } catch (const terse::Error& error) {
    if (error.kind() == terse::Kind::internal) {
      throw;
    }
  }
  return 0;
}
