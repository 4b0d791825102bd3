#include <cstddef>
#include <cstdint>
#include <fstream>

#include "formats/error.h"
#include "formats/gguf/reader.h"
#include "formats/gguf/tokenizer_reader.h"
#include "tests/temporary_folder.h"

/// Whatever a file holds, reading it ends with tensors all of whose bytes are there and a tokenizer or with an Error.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const terse::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "m-00001-of-00002.gguf";
  std::filesystem::remove(path);  // overwriting a file can wait for the disk
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const terse::gguf::File file = terse::gguf::read(path);
    for (const terse::gguf::FileTensor& tensor : file.tensors) {
      const terse::EncodingPtr encoding = terse::gguf::make_encoding(tensor);
      if (terse::row(tensor.type).codec != nullptr) {
        terse::decode(*encoding);
      } else {
        terse::stored_bytes(*encoding);
      }
    }
    if (terse::gguf::has_tokenizer(file.metadata)) {
      terse::gguf::tokenizer_files(file.metadata);
    }
  } catch (const terse::Error& error) {
    if (error.kind() == terse::Kind::internal) {
      throw;
    }
  }
  return 0;
}
