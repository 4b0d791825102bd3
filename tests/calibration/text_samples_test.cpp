#include "calibration/text_samples.h"

#include <doctest/doctest.h>

#include "calibration/inputs.h"
#include "calibration/text_form.h"
#include "calibration/tokenizers/tokenizer.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

using Ids = std::vector<int64_t>;

std::vector<TextSample> read(const Model& model, const std::filesystem::path& path, const TextOptions& options,
                             size_t most = 1000) {
  TextReader reader(model, options);
  std::vector<TextSample> samples;
  reader.read(path, [&](TextSample sample) {
    samples.push_back(std::move(sample));
    return samples.size() < most;
  });
  return samples;
}

Ids ids_of(const TextSample& sample, std::string_view name = "input_ids") {
  return to_int64s(sample.sample.find(name)->second);
}

Ids wide(const std::vector<int32_t>& ids) { return {ids.begin(), ids.end()}; }

ValueId add_input(Model& model, std::string_view name) {
  const ValueId id = model.graph.add(name);
  model.graph.value(id).type = ValueType{.dtype = DType::i64, .shape = std::vector<Dimension>(2)};
  model.graph.main.inputs.push_back(id);
  return id;
}

/// Looks up the ids of encoder and decoder in a table of `rows`.
Model encoder_decoder(int64_t rows) {
  Model model;
  const ValueId table = model.graph.add_constant("table", make_dense(Tensor::make(DType::f32, {rows, 4})));
  for (const std::string_view name : {"input_ids", "decoder_input_ids"}) {
    const ValueId out = model.graph.add(std::string(name) + "_out");
    model.graph.main.nodes.push_back(
        {.op_type = "Gather", .inputs = {table, add_input(model, name)}, .outputs = {out}});
    model.graph.main.outputs.push_back(out);
  }
  return model;
}

TEST_SUITE("calibration/text_samples") {
  TEST_CASE("a causal model gets windows of the stream, each with BOS in the place of its first token") {
    const Model model = open_model(kTestdata / "lm" / "dynamo.onnx");
    const auto text = kTestdata / "lm" / "eval.txt";
    const auto samples = read(model, text, {.tokenizer = kTestdata / "lm", .seq_len = 50});
    const Ids stream = wide(open_tokenizer(kTestdata / "lm")->encode(read_text(text)));
    REQUIRE(samples.size() == stream.size() / 50);
    for (size_t i = 0; i < samples.size(); ++i) {
      Ids expected(stream.begin() + static_cast<std::ptrdiff_t>(50 * i),
                   stream.begin() + static_cast<std::ptrdiff_t>(50 * i + 50));
      expected.front() = 1;
      CHECK(ids_of(samples[i]) == expected);
    }
  }

  TEST_CASE("texts of a jsonl file are one stream of a causal model, each with its own BOS") {
    const Model model = open_model(kTestdata / "lm" / "dynamo.onnx");
    const TemporaryFolder folder;
    write_text(folder.path() / "a.jsonl", "{\"text\": \"A baker\"}\n{\"text\": \"Three knives and a waiter\"}\n");
    const auto tokenizer = open_tokenizer(kTestdata / "lm");
    Ids expected = wide(tokenizer->encode("A baker"));
    const Ids second = wide(tokenizer->encode("Three knives and a waiter"));
    expected.insert(expected.end(), second.begin(), second.end());
    expected.resize(6);
    const auto samples = read(model, folder.path() / "a.jsonl", {.tokenizer = kTestdata / "lm", .seq_len = 6}, 1);
    REQUIRE(samples.size() == 1);
    CHECK(ids_of(samples.front()) == expected);
  }

  TEST_CASE("a classifier gets a line a sample with its special tokens, cut off behind the length and the positions") {
    const Model model = open_model(kTestdata / "classifier" / "dynamo.onnx");
    const TemporaryFolder folder;
    std::string words;
    for (int i = 0; i < 300; ++i) {
      words += "cook ";
    }
    write_text(folder.path() / "a.txt", "The cooks show a little key.\n\n" + words + "\n");
    const auto tokenizer = open_tokenizer(kTestdata / "classifier");
    const auto samples = read(model, folder.path() / "a.txt", {.tokenizer = kTestdata / "classifier", .seq_len = 20});
    REQUIRE(samples.size() == 2);
    CHECK(ids_of(samples[0]) == wide(tokenizer->encode("The cooks show a little key.")));
    CHECK(ids_of(samples[1]).size() == 20);
    CHECK(ids_of(samples[1]).back() == tokenizer->suffix().front());
    CHECK(learned_positions(model.graph) == 128);
    const auto longest = read(model, folder.path() / "a.txt", {.tokenizer = kTestdata / "classifier", .seq_len = 500});
    CHECK(ids_of(longest[1]).size() == 128);
    CHECK(ids_of(read(model, folder.path() / "a.txt", {.tokenizer = kTestdata / "classifier", .seq_len = {}})[1])
              .size() == 64);
  }

  TEST_CASE("an encoder-decoder gets half a window each, the decoder's behind its start token") {
    Model model = encoder_decoder(1024);
    const TemporaryFolder folder;
    model.path = folder.path() / "model.onnx";
    const auto text = kTestdata / "lm" / "eval.txt";
    const TextOptions options{.tokenizer = kTestdata / "lm", .seq_len = 10};
    CHECK_THROWS_WITH_AS(read(model, text, options), doctest::Contains("decoder_start_token_id"), Error);
    write_text(folder.path() / "config.json", R"({"decoder_start_token_id": 7})");
    const auto samples = read(model, text, options, 2);
    REQUIRE(samples.size() == 2);
    Ids stream = wide(open_tokenizer(kTestdata / "lm")->encode(read_text(text), {SpecialTokens::leave_out}));
    CHECK(ids_of(samples[1]) == Ids{1, stream[11], stream[12], stream[13], stream[14]});
    CHECK(ids_of(samples[1], "decoder_input_ids") == Ids{7, stream[15], stream[16], stream[17], stream[18]});
  }

  TEST_CASE("tokens that the model does not have are an error with both sizes") {
    Model model = encoder_decoder(100);
    CHECK_THROWS_WITH_AS(
        read(model, kTestdata / "lm" / "eval.txt", {.tokenizer = kTestdata / "lm", .seq_len = 10}),
        doctest::Contains("of the tokenizer, which has 1024 tokens, is not in the model's table of 100"), Error);
  }

  TEST_CASE("too little text for one window is an error") {
    const Model model = open_model(kTestdata / "lm" / "dynamo.onnx");
    CHECK_THROWS_WITH_AS(
        read(model, kTestdata / "lm" / "eval.txt", {.tokenizer = kTestdata / "lm", .seq_len = 100'000}),
        doctest::Contains("tokens are less than one window of 100000"), Error);
  }
}

}  // namespace
}  // namespace terse::calibration
