#include <cstddef>
#include <cstdint>
#include <fstream>

#include "formats/error.h"
#include "passes/solved_journal.h"
#include "tests/temporary_folder.h"

namespace {

const std::vector<terse::passes::RunFact> kFacts = {{"seed", "0"}};

/// Decodes a weight if the journal has it in this shape.
void try_weight(const terse::passes::SolvedJournal& journal, const terse::Shape& shape) {
  if (const auto found = journal.find(0, "w", shape)) {
    terse::decode(found->projected.encoding);
  }
}

}  // namespace

/// Whatever a file holds, reading it ends with weights that can be decoded, or with an Error. Checksums keep a fuzzer
/// from getting far: what is behind them is tested by tests/formats/encoding_record_test.cpp.
// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's name
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const terse::TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "out.resume";
  std::filesystem::remove(path);  // overwriting a file can wait for the disk
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  try {
    const auto journal = terse::passes::SolvedJournal::resume(path, kFacts);
    for (const terse::Shape& shape : {terse::Shape{4, 32}, terse::Shape{2, 64}}) {
      try_weight(journal, shape);
    }
  } catch (const terse::Error& error) {
    if (error.kind() == terse::Kind::internal) {
      throw;
    }
  }
  return 0;
}
