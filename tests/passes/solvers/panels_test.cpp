#include "passes/solvers/panels.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "formats/bytes.h"

namespace terse::passes {
namespace {

int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST_SUITE("passes/solvers/panels") {
  TEST_CASE("comparing a weight that lies in a file leaves none of its pages in memory") {
    constexpr int64_t kSize = 2048, kBytes = kSize * kSize * 4;
    const std::filesystem::path path = std::filesystem::temp_directory_path() / "terse_panels_test.bin";
    write_text(path, std::string(kBytes, '\1'));
    {
      const auto file = MappedFile::open(path);
      const Encoding weight{
          .shape = {kSize, kSize},
          .form = DenseEncoding{.dtype = DType::f32,
                                .values = Tensor::mapped(DType::f32, {kSize, kSize}, file->slice(0, kBytes), file)}};
      const int64_t before = resident_bytes();
      CHECK(compare(weight, weight).noise == 0);
      CHECK(resident_bytes() - before < kBytes / 2);
    }
    std::filesystem::remove(path);
  }
}

}  // namespace
}  // namespace terse::passes
