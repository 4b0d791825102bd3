#include "formats/sentencepiece.h"
#include "tests/fuzz/try_tokenizer.h"

/// Whatever a SentencePiece model holds, it ends with ids or with an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  terse::try_tokenizer([&] { return terse::read_sentencepiece(std::as_bytes(std::span(data, size))); });
  return 0;
}
