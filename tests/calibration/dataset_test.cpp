#include "calibration/dataset.h"

#include <doctest/doctest.h>

#include "calibration/inputs.h"
#include "calibration/npy.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

ValueId add_input(Model& model, std::string_view name, DType dtype, std::vector<Dimension> shape) {
  const ValueId id = model.graph.add(name);
  model.graph.value(id).type = ValueType{.dtype = dtype, .shape = std::move(shape)};
  model.graph.main.inputs.push_back(id);
  return id;
}

/// Looks ids up in a table of ten rows; has every input that can be made up.
Model language_model() {
  Model model;
  const Dimension batch{.symbol = "batch"}, tokens{.symbol = "tokens"};
  const ValueId ids = add_input(model, "input_ids", DType::i64, {batch, tokens});
  add_input(model, "attention_mask", DType::i32, {batch, tokens});
  add_input(model, "token_type_ids", DType::i64, {batch, tokens});
  add_input(model, "position_ids", DType::i64, {batch, tokens});
  add_input(model, "past_key_values.0.key", DType::f16, {batch, {.size = 2}, {.symbol = "past"}, {.size = 4}});
  const ValueId table = model.graph.add_constant("table", make_dense(Tensor::make(DType::f32, {10, 4})));
  const ValueId logits = model.graph.add("logits");
  model.graph.main.nodes.push_back({.op_type = "Gather", .inputs = {table, ids}, .outputs = {logits}});
  model.graph.main.outputs.push_back(logits);
  return model;
}

std::filesystem::path write_array(const TemporaryFolder& folder, const Tensor& tensor) {
  AtomicFile file(folder.path() / "data.npy");
  write_npy(file, tensor);
  file.commit();
  return folder.path() / "data.npy";
}

Dataset read_array(const Model& model, const Tensor& tensor, const DataOptions& options = {}) {
  const TemporaryFolder folder;
  return read_dataset(model, {write_array(folder, tensor)}, options);
}

std::vector<int64_t> numbers(const Sample& sample, std::string_view name) {
  return to_int64s(sample.find(name)->second);
}

std::string failure(const auto& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_SUITE("calibration/dataset") {
  TEST_CASE("an array of ids gives a sample a row; what is missing is made up from its name") {
    const Model model = language_model();
    const Dataset data = read_array(model, Tensor::of<int32_t>({2, 3}, {1, 2, 3, 4, 5, 6}));
    REQUIRE(data.samples.size() == 2);
    const Sample& sample = data.samples[1];
    CHECK(sample.at("input_ids").dtype() == DType::i64);
    CHECK(sample.at("input_ids").shape() == Shape{1, 3});
    CHECK(numbers(sample, "input_ids") == std::vector<int64_t>{4, 5, 6});
    CHECK(sample.at("attention_mask").dtype() == DType::i32);
    CHECK(numbers(sample, "attention_mask") == std::vector<int64_t>{1, 1, 1});
    CHECK(numbers(sample, "token_type_ids") == std::vector<int64_t>{0, 0, 0});
    CHECK(numbers(sample, "position_ids") == std::vector<int64_t>{0, 1, 2});
    CHECK(sample.at("past_key_values.0.key").shape() == Shape{1, 2, 0, 4});
    CHECK(sample.at("past_key_values.0.key").dtype() == DType::f16);
  }

  TEST_CASE("a text of ids is cut into windows without overlap, and only so many samples are taken") {
    const Tensor text = Tensor::of<uint16_t>({7}, {0, 1, 2, 3, 4, 5, 6});
    const Dataset all = read_array(language_model(), text, {.seq_len = 3});
    REQUIRE(all.samples.size() == 2);
    CHECK(numbers(all.samples[1], "input_ids") == std::vector<int64_t>{3, 4, 5});
    CHECK(read_array(language_model(), text, {.samples = 1, .seq_len = 2}).samples.size() == 1);
  }

  TEST_CASE("misfits are errors that name array, found and expected") {
    const Model model = language_model();
    CHECK(failure([&] {
            read_array(model, Tensor::of<int64_t>({1, 2}, {1, 10}));
          }).ends_with("data.npy: sample 0: input 'input_ids': token id 10 is outside of the vocabulary of 10"));
    CHECK(failure([&] {
            read_array(model, Tensor::of<int64_t>({1, 2}, {1, -1}));
          }).find("token id -1") != std::string::npos);
    CHECK(failure([&] {
            read_array(model, Tensor::of<float>({1, 2}, {1, 2}));
          }).ends_with("input 'input_ids': elements are f32, expected i64"));
    CHECK(failure([&] {
            read_array(model, Tensor::make(DType::i64, {1, 1, 2, 2}));
          }).ends_with("shape [1,2,2] does not fit the declared [-1,-1] (-1: any)"));
    CHECK(failure([&] {
            read_array(model, Tensor::of<int64_t>({3}, {1, 2, 3}));
          }).ends_with("3 tokens are less than one window of 512"));
    CHECK(failure([&] { read_array(model, Tensor::make(DType::i64, {0, 4})); }) == "no samples in the data");
    CHECK(failure([&] { read_dataset(model, {"/nowhere/x.npz"}, {}); }).find("No such file") != std::string::npos);
    CHECK(failure([&] { read_dataset(model, {"text.txt"}, {}); }) == "text.txt: text needs a tokenizer");
    CHECK(failure([&] { read_dataset(model, {"text.csv"}, {}); }).starts_with("text.csv: no data that terse knows"));
  }

  TEST_CASE("an input that cannot be made up is an error that lists all inputs") {
    Model model = language_model();
    add_input(model, "pixels", DType::f32, {{.size = 1}});
    Sample sample = {{"input_ids", Tensor::of<int64_t>({1, 1}, {1})}};
    CHECK(failure([&] { complete_sample(model, sample); }) ==
          "input 'pixels' is missing, the model has the inputs input_ids, attention_mask, token_type_ids, "
          "position_ids, past_key_values.0.key, pixels");
    Sample unknown = {{"ids", Tensor::of<int64_t>({1, 1}, {1})}};
    CHECK(failure([&] { complete_sample(model, unknown); }).starts_with("the model has no input 'ids', expected"));
  }

  TEST_CASE("integers that do not fit the declared type are errors") {
    Model model;
    add_input(model, "small", DType::i8, {{.size = 1}});
    Sample sample = {{"small", Tensor::of<int64_t>({1}, {300})}};
    CHECK(failure([&] { complete_sample(model, sample); }) == "input 'small': 300 does not fit into i8");
  }

  TEST_CASE("an archive's arrays go to the inputs of their names; labels are kept, outputs skipped") {
    const Model model = open_model(kTestdata / "classifier" / "dynamo.onnx");
    const Dataset data = read_dataset(model, {kTestdata / "classifier" / "eval.npz"}, {.samples = 5});
    REQUIRE(data.samples.size() == 5);
    CHECK(data.labels.size() == 5);
    CHECK(data.samples[0].at("input_ids").shape() == Shape{1, 48});
    CHECK(data.samples[0].size() == model.graph.main.inputs.size());
    CHECK(read_dataset(model, {kTestdata / "classifier" / "reference.npz"}, {}).samples.size() == 8);
  }

  TEST_CASE("ONNX's test_data_set folders are a sample each, whether named or by their parent") {
    const Model model = open_model(kTestdata / "classifier" / "dynamo.onnx");
    const auto folder = kTestdata / "classifier";
    for (const auto& path : {folder, folder / "test_data_set_0"}) {
      const Dataset data = read_dataset(model, {path}, {});
      REQUIRE(data.samples.size() == 1);
      CHECK(data.samples[0].at("input_ids").shape() == Shape{2, 48});
    }
    const TemporaryFolder empty;
    CHECK(failure([&] {
            read_dataset(model, {empty.path()}, {});
          }).ends_with("no input_*.pb and no test_data_set_* inside"));
  }

  TEST_CASE("a file of labels goes with the samples that are read") {
    const Model model = language_model();
    const TemporaryFolder folder;
    const Tensor ids = Tensor::of<int64_t>({3, 2}, {1, 2, 3, 4, 5, 6});
    const auto read = [&](std::string_view labels, std::optional<int64_t> samples) {
      write_text(folder.path() / "labels.txt", labels);
      return read_dataset(model, {write_array(folder, ids)},
                          {.samples = samples, .seq_len = {}, .tokenizer = {}, .labels = folder.path() / "labels.txt"})
          .labels;
    };
    CHECK(read("4\n0\n2\n", {}) == std::vector<int64_t>{4, 0, 2});
    CHECK(read("4\n0\n2\n", 2) == std::vector<int64_t>{4, 0});
    CHECK_THROWS_AS(read("4\n0\n", {}), Error);
    CHECK_THROWS_AS(read("4\n0\n2\n1\n", {}), Error);
  }
}

}  // namespace
}  // namespace terse::calibration
