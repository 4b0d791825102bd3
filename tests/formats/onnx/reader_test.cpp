#include "formats/onnx/reader.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

int64_t count_constants(const Graph& graph) {
  return std::count_if(graph.values.begin(), graph.values.end(), [](const Value& v) { return v.constant != nullptr; });
}

TEST_SUITE("formats/onnx/reader") {
  TEST_CASE("exported models have the nodes and initialisers that the onnx package counts") {
    struct Row {
      const char* file;
      int64_t nodes;      // without Constant
      int64_t constants;  // Constant nodes and initialisers
      int64_t opset;
    };
    for (const Row& expected :
         {Row{"lm/dynamo.onnx", 330, 61, 20}, Row{"lm/torchscript.onnx", 657, 389, 17},
          Row{"classifier/dynamo.onnx", 121, 59, 20}, Row{"classifier/torchscript.onnx", 189, 138, 17}}) {
      CAPTURE(expected.file);
      const Model model = onnx::read(kTestdata / expected.file);
      CHECK(std::ssize(model.graph.main.nodes) == expected.nodes);
      CHECK(count_constants(model.graph) == expected.constants);
      CHECK(model.opsets == std::map<std::string, int64_t>{{"", expected.opset}});
      CHECK(model.file_bytes == static_cast<int64_t>(std::filesystem::file_size(kTestdata / expected.file)));
      CHECK(model.graph.value(model.graph.main.outputs.at(0)).name == "logits");
    }
  }
}

}  // namespace
}  // namespace terse
