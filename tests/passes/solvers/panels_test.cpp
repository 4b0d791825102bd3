#include "passes/solvers/panels.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "formats/bytes.h"
#include "tests/temporary_folder.h"

namespace terse::passes {
namespace {

/// Of mapped files: what sanitizers and allocators hold does not count.
int64_t resident_file_bytes() {
  int64_t pages = 0, resident = 0, of_files = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident >> of_files;
  return of_files * ::sysconf(_SC_PAGESIZE);
}

TEST_SUITE("passes/solvers/panels") {
  TEST_CASE("comparing a weight that lies in a file leaves none of its pages in memory") {
    constexpr int64_t kSize = 2048, kBytes = kSize * kSize * 4;
    const TemporaryFolder folder;
    const std::filesystem::path path = folder.path() / "weight.bin";
    write_text(path, std::string(kBytes, '\1'));
    const auto file = MappedFile::open(path);
    const Encoding weight{
        .shape = {kSize, kSize},
        .form = DenseEncoding{.dtype = DType::f32,
                              .values = Tensor::mapped(DType::f32, {kSize, kSize}, file->slice(0, kBytes), file)}};
    const int64_t before = resident_file_bytes();
    CHECK(compare(weight, weight).noise == 0);
    CHECK(resident_file_bytes() - before < kBytes / 2);
  }
}

}  // namespace
}  // namespace terse::passes
