#include "formats/model.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse {
namespace {

TEST_SUITE("formats/model") {
  TEST_CASE("a path's extension names its format") {
    CHECK(format_of("a/model.onnx").name == "onnx");
    CHECK(format_of("a/model.safetensors").name == "safetensors");
    CHECK(format_of("a/model.gguf").name == "gguf");
    CHECK(get_format("onnx").extension == ".onnx");
  }

  TEST_CASE("a folder, or a name without an extension, is a checkpoint's") {
    CHECK(format_of("a/model").name == "safetensors");
    CHECK(format_of(std::filesystem::path(TERSE_TESTDATA) / "lm").name == "safetensors");
  }

  TEST_CASE("an unknown extension is wrong usage, and the error lists the known ones") {
    CHECK_THROWS_WITH_AS(
        (void)format_of("model.bin"),
        "model.bin: extension '.bin' names no format, expected one of .onnx, .gguf, .safetensors, or a folder", Error);
    CHECK_THROWS_WITH_AS((void)get_format("pt"), "'pt' is no format, expected one of onnx, gguf, safetensors", Error);
  }

  TEST_CASE("opening a model gives its path and format") {
    const std::filesystem::path path = std::filesystem::path(TERSE_TESTDATA) / "lm/dynamo.onnx";
    const Model model = open_model(path);
    CHECK(model.path == path);
    CHECK(model.format == "onnx");
  }

  TEST_CASE("an opened model is in canonical form") {
    const Model model = open_model(std::filesystem::path(TERSE_TESTDATA) / "lm/dynamo.onnx");
    int64_t weights = 0;
    for (const Node& node : model.graph.main.nodes) {
      if (node.is("MatMul") && model.graph.is_constant(node.input(1))) {
        CAPTURE(node.name);
        CHECK(node.get_int("transB", 0) == 1);
        ++weights;
      }
    }
    CHECK(weights == 4 * 7 + 1);  // q, k, v, o, gate, up, down of 4 layers, and the head
  }
}

}  // namespace
}  // namespace terse
