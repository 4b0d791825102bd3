#include "formats/safetensors/model_card.h"

#include <doctest/doctest.h>

namespace terse::safetensors {
namespace {

const std::string kSection = "\n## Compressed with terse\n\nterse 1.2 changed the weights:\n\n```\nquantize\n```\n";

std::string extend(const std::string& readme, const std::string& base = "") {
  return extend_card(readme, {.base_model = base, .pipeline = "quantize", .version = "1.2", .has_codes = true});
}

TEST_SUITE("formats/safetensors/model_card") {
  TEST_CASE("tags grow in the way in which they are written") {
    struct Row {
      std::string before, after;
    };
    for (const Row& row : {
             Row{"tags:\n- a\nlicense: mit\n", "tags:\n- a\n- terse\n- compressed-tensors\nlicense: mit\n"},
             Row{"tags:\n  - a\n", "tags:\n  - a\n  - terse\n  - compressed-tensors\n"},
             Row{"tags: [a, b]\n", "tags: [a, b, terse, compressed-tensors]\n"},
             Row{"tags: []\n", "tags: [terse, compressed-tensors]\n"},
             Row{"license: mit\n", "license: mit\ntags:\n- terse\n- compressed-tensors\n"},
         }) {
      CAPTURE(row.before);
      CHECK(extend("---\n" + row.before + "---\n# Title\ntext\n") ==
            "---\n" + row.after + "---\n# Title\ntext\n" + kSection);
    }
  }

  TEST_CASE("a card without front matter gets one, and keeps its text") {
    CHECK(extend("# Title\n") == "---\ntags:\n- terse\n- compressed-tensors\n---\n# Title\n" + kSection);
    CHECK(extend("---\nnever closed\n") ==
          "---\ntags:\n- terse\n- compressed-tensors\n---\n---\nnever closed\n" + kSection);
  }

  TEST_CASE("the original takes the place of its own base model") {
    const std::string card = extend("---\nbase_model:\n- some/base\nlicense: mit\n---\n", "org/model");
    CHECK(card.starts_with("---\nbase_model: org/model\nlicense: mit\nbase_model_relation: quantized\ntags:"));
  }

  TEST_CASE("a card that went through before says nothing twice") {
    const std::string once = extend("---\ntags: [a]\n---\n# Title\n");
    CHECK(extend(once) == once);
  }
}

}  // namespace
}  // namespace terse::safetensors
