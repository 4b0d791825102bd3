#include "formats/onnx/tensor_file.h"

#include <doctest/doctest.h>

#include <fstream>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::onnx {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

TEST_SUITE("formats/onnx/tensor_file") {
  TEST_CASE("a tensor of a test_data_set folder is read with its name") {
    const NamedTensor read = read_tensor(kTestdata / "classifier" / "test_data_set_0" / "input_0.pb");
    CHECK(read.name == "input_ids");
    CHECK(read.tensor.dtype() == DType::i64);
    CHECK(read.tensor.shape() == Shape{2, 48});
  }

  TEST_CASE("every truncation of a tensor's file is an error or a tensor, never a crash") {
    const TemporaryFolder folder;
    const std::string text = read_text(kTestdata / "classifier" / "test_data_set_0" / "output_0.pb");
    int rejected = 0;
    for (size_t size = 0; size < text.size(); ++size) {
      std::ofstream(folder.path() / "x.pb", std::ios::binary) << text.substr(0, size);
      try {
        read_tensor(folder.path() / "x.pb");
      } catch (const Error&) {
        ++rejected;
      }
    }
    CHECK(rejected == static_cast<int>(text.size()));
  }
}

}  // namespace
}  // namespace terse::onnx
