#include "calibration/generate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "formats/error.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

using Ids = std::vector<int64_t>;

Sample prompt(const Ids& ids) { return {{"input_ids", Tensor::of<int64_t>({1, std::ssize(ids)}, ids)}}; }

TEST_SUITE("calibration/generate") {
  // What transformers' generate(do_sample=False) appends to these ids.
  const Ids kStart = {1, 39, 85, 84, 83};

  TEST_CASE("a text goes on with the most likely tokens, which are told as they come") {
    const Model model = open_model(kTestdata / "lm" / "dynamo.onnx");
    Ids told;
    const Ids written =
        generate(model, prompt(kStart), {.tokens = 12, .token = [&](int64_t id) { told.push_back(id); }});
    CHECK(written == Ids{87, 277, 265, 993, 16, 291, 664, 590, 85, 333, 965, 265});
    CHECK(told == written);
  }

  TEST_CASE("a text ends in front of an end token") {
    const Model model = open_model(kTestdata / "lm" / "dynamo.onnx");
    const Ids all = generate(model, prompt(kStart), {.tokens = 5});
    const Ids ends = {all[3], 1000};
    const Ids written = generate(model, prompt(kStart), {.tokens = 5, .end_tokens = ends});
    CHECK(written == Ids(all.begin(), std::ranges::find(all, all[3])));
  }

  TEST_CASE("what writes no text is refused") {
    const Model classifier = open_model(kTestdata / "classifier" / "dynamo.onnx");
    CHECK_THROWS_WITH_AS(generate(classifier, prompt(kStart), {}),
                         doctest::Contains("the model writes no text: it is a classifier"), Error);
    CHECK_THROWS_WITH_AS(generate(classifier, prompt(kStart), {.tokens = 124}),
                         doctest::Contains("5 tokens of the prompt and 124 more are beyond the model's 128 positions"),
                         Error);
    CHECK_THROWS_AS(generate(open_model(kTestdata / "lm" / "dynamo.onnx"), prompt({}), {}), Error);
  }
}

}  // namespace
}  // namespace terse::calibration
