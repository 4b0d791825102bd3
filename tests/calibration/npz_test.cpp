#include "calibration/npz.h"

#include <doctest/doctest.h>
#include <zip.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "calibration/npy.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

struct StringSink : Sink {
  using Sink::write;
  void write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text;
};

std::string npy(const Tensor& tensor) {
  StringSink sink;
  write_npy(sink, tensor);
  return sink.text;
}

void write_zip(const std::filesystem::path& path, const std::vector<std::pair<std::string, std::string>>& entries) {
  zip_t* archive = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, nullptr);
  for (const auto& [name, text] : entries) {
    zip_file_add(archive, name.c_str(), zip_source_buffer(archive, text.data(), text.size(), 0), 0);
  }
  REQUIRE(zip_close(archive) == 0);
}

/// Without write_text's syncing, which takes milliseconds.
void write_quickly(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

TEST_SUITE("calibration/npz") {
  TEST_CASE("arrays come back under their names, compressed or not") {
    const TemporaryFolder folder;
    std::vector<int64_t> zeros(100000, 0);
    write_zip(folder.path() / "a.npz", {{"ids.npy", npy(Tensor::of<int64_t>({1, 3}, {5, 6, 7}))},
                                        {"x.npy", npy(Tensor::of<int64_t>({100000}, zeros))}});
    const auto arrays = read_npz(folder.path() / "a.npz");
    REQUIRE(arrays.size() == 2);
    CHECK(to_int64s(arrays.at("ids")) == std::vector<int64_t>{5, 6, 7});
    CHECK(to_int64s(arrays.at("x")) == zeros);
  }

  TEST_CASE("what is no archive of arrays is an error that names file and entry") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "a.npz";
    CHECK_THROWS_WITH_AS(read_npz(path), (path.string() + ": cannot open: No such file or directory").c_str(), Error);
    write_text(path, "text");
    CHECK_THROWS_WITH_AS(read_npz(path), (path.string() + ": not a .npz file: Not a zip archive").c_str(), Error);
    write_zip(path, {{"notes.txt", "x"}});
    CHECK_THROWS_WITH_AS(read_npz(path),
                         (path.string() + ": 'notes.txt' is no array, expected only .npy entries").c_str(), Error);
    write_zip(path, {{"x.npy", "x"}});
    CHECK_THROWS_AS(read_npz(path), Error);
  }

  TEST_CASE("every truncation and every flipped byte of a small archive is an error or an archive") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "a.npz";
    write_zip(path, {{"x.npy", npy(Tensor::of<int8_t>({2}, {1, 2}))}});
    const std::string text = read_text(path);
    for (size_t size = 0; size < text.size(); ++size) {
      write_quickly(path, text.substr(0, size));
      CHECK_THROWS_AS(read_npz(path), Error);
    }
    int rejected = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      std::string flipped = text;
      flipped[i] = static_cast<char>(~flipped[i]);
      write_quickly(path, flipped);
      try {
        const size_t arrays = read_npz(path).size();
        CHECK(arrays <= 1);
      } catch (const Error&) {
        ++rejected;
      }
    }
    CHECK(rejected > 50);
  }
}

}  // namespace
}  // namespace terse::calibration
