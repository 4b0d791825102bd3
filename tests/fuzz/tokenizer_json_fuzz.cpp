#include "formats/tokenizer_json.h"
#include "tests/fuzz/try_tokenizer.h"

/// Whatever a tokenizer.json holds, it ends with ids or with an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  terse::try_tokenizer([&] { return terse::read_tokenizer_json({reinterpret_cast<const char*>(data), size}); });
  return 0;
}
