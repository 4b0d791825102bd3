#include "formats/safetensors/reader.h"
#include "tests/fuzz/try_file.h"

/// Whatever a .safetensors file holds, reading it ends with tensors or with an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  terse::try_file(terse::safetensors::read, data, size);
  return 0;
}
