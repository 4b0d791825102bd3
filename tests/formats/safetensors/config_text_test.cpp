#include "formats/safetensors/config_text.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse::safetensors {
namespace {

TEST_SUITE("formats/safetensors/config_text") {
  TEST_CASE("a text that needs no change stays as it is, to the byte") {
    const std::string text = "{\"b\" : 1,\n\n  \"dtype\":\"float16\", \"a\": 1e-5}";
    CHECK(edit_config(text, {}) == text);
    CHECK(edit_config(text, {.dtype = DType::f16, .quantization_config = {}}) == text);
  }

  TEST_CASE("a cast is told in the keys that the text has, and all others keep their order") {
    CHECK(
        edit_config(R"({"z":1,"dtype":"float32","a":[1.5],"torch_dtype":"float32"})",
                    {.dtype = DType::bf16, .quantization_config = {}}) ==
        "{\n  \"z\": 1,\n  \"dtype\": \"bfloat16\",\n  \"a\": [\n    1.5\n  ],\n  \"torch_dtype\": \"bfloat16\"\n}\n");
    CHECK(edit_config("{}", {.dtype = DType::f16, .quantization_config = {}}) ==
          "{\n  \"torch_dtype\": \"float16\"\n}\n");
  }

  TEST_CASE("the quantization config is added, replaced where it stands, and removed") {
    CHECK(edit_config(R"({"a":1})", {.dtype = {}, .quantization_config = R"({"x":2})"}) ==
          "{\n  \"a\": 1,\n  \"quantization_config\": {\n    \"x\": 2\n  }\n}\n");
    CHECK(edit_config(R"({"quantization_config":{"x":1},"a":1})", {.dtype = {}, .quantization_config = R"({"x":2})"}) ==
          "{\n  \"quantization_config\": {\n    \"x\": 2\n  },\n  \"a\": 1\n}\n");
    CHECK(edit_config(R"({"quantization_config":{"x":1},"a":1})", {}) == "{\n  \"a\": 1\n}\n");
  }

  TEST_CASE("the model's type is read in either dialect") {
    CHECK(find_dtype_of_config(R"({"torch_dtype":"float16"})") == DType::f16);
    CHECK(find_dtype_of_config(R"({"dtype":"torch.bfloat16"})") == DType::bf16);
    CHECK(find_dtype_of_config(R"({"dtype":null})") == std::nullopt);
    CHECK_THROWS_WITH_AS((void)find_dtype_of_config(R"({"dtype":"int8"})"), "dtype: 'int8' is no float type", Error);
  }
}

}  // namespace
}  // namespace terse::safetensors
