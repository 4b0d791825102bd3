#include "formats/onnx/tensor_file.h"

#include <doctest/doctest.h>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::onnx {
namespace {

// dims = {2}, data_type = INT64 (7), int64_data = {1, -1} packed
const std::string kPair("\x08\x02\x10\x07\x3a\x0b\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 17);

TEST_SUITE("formats/onnx/tensor_file") {
  TEST_CASE("a TensorProto is read") {
    const TemporaryFolder folder;
    write_text(folder.path() / "input_0.pb", kPair);
    CHECK(to_int64s(read_tensor(folder.path() / "input_0.pb")) == std::vector<int64_t>{1, -1});
  }

  TEST_CASE("every truncation is an error that names the file") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "input_0.pb";
    for (size_t length = 0; length < kPair.size(); ++length) {
      CAPTURE(length);
      write_text(path, kPair.substr(0, length));
      CHECK_THROWS_AS(read_tensor(path), Error);
    }
    write_text(path, "no protobuf");
    CHECK_THROWS_WITH_AS(read_tensor(path), doctest::Contains("input_0.pb: this is no TensorProto"), Error);
  }
}

}  // namespace
}  // namespace terse::onnx
