#include "formats/value_names.h"

#include <doctest/doctest.h>

namespace terse {
namespace {

TEST_SUITE("formats/value_names") {
  TEST_CASE("exporters' inventions are told from parameters' names") {
    for (const char* name : {"val_76", "onnx::MatMul_9", "_to_copy_3", "t_12", "385",
                             "/model/layers.0/Transpose_output_0", "Constant_4", "", "_unsafe_view_1", "transpose"}) {
      CAPTURE(name);
      CHECK(is_made_up(name));
    }
    for (const char* name : {"model.layers.0.mlp.up_proj.weight", "wte.weight", "W", "embedding_table", "kernel_2"}) {
      CAPTURE(name);
      CHECK_FALSE(is_made_up(name));
    }
  }

  TEST_CASE("a node's module comes from its metadata or its name") {
    Node dynamo{.op_type = "MatMul", .name = "node_linear_3"};
    dynamo.metadata = {{"namespace", "unused"},
                       {"pkg.torch.onnx.name_scopes", "['', 'model', 'model.layers.0', 'model.layers.0.q', 'linear']"}};
    CHECK(scope_of(dynamo) == "model.layers.0.q");
    CHECK(scope_of({.op_type = "MatMul", .name = "/model/layers.0/mlp/up_proj/MatMul"}) ==
          "model.layers.0.mlp.up_proj");
    CHECK(scope_of({.op_type = "MatMul", .name = "MatMul_7"}).empty());
    dynamo.metadata = {{"pkg.torch.onnx.name_scopes", "['unclosed"}};
    CHECK(scope_of(dynamo).empty());
  }
}

}  // namespace
}  // namespace terse
