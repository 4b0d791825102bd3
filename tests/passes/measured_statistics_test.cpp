#include "passes/measured_statistics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "calibration/dataset.h"
#include "calibration/parallel.h"
#include "formats/bytes.h"
#include "formats/error.h"
#include "passes/pipeline.h"
#include "passes/saved_statistics.h"
#include "tests/temporary_folder.h"

namespace terse::passes {
namespace {

namespace fs = std::filesystem;
using calibration::Sums;

const fs::path kTestdata = TERSE_TESTDATA;

/// A language model, its samples and a folder for statistics of them.
struct Language {
  Model model = open_model(kTestdata / "lm/dynamo.onnx");
  calibration::Dataset data =
      calibration::read_dataset(model, {kTestdata / "lm/calib.npz"}, {.samples = 16, .seq_len = {}, .tokenizer = {}});
  TemporaryFolder folder;

  /// The given samples' alone.
  fs::path measure(std::string_view name, std::ptrdiff_t first, std::ptrdiff_t end, Sums sums = Sums::both) const {
    fs::path path = folder.path() / name;
    const std::vector<calibration::Sample> samples(data.samples.begin() + first, data.samples.begin() + end);
    measure_statistics(model, samples, {.sums = sums, .datasets = {"calib.npz"}}, path);
    return path;
  }

  PipelineReport run(std::string_view recipe, const PipelineOptions& options) const {
    Model copy = model;
    return run_pipeline(parse_recipe(recipe), copy, options);
  }
};

bool is_query(const WeightReport& weight) { return weight.roles == std::vector<Role>{{RoleKind::q, 0}}; }

TEST_SUITE("passes/measured_statistics") {
  TEST_CASE("what is measured agrees with what llama-imatrix measures on the same text; the table is there too") {
    const Model model = open_model(kTestdata / "lm");
    const auto data = calibration::read_dataset(model, {kTestdata / "lm/calib.txt"},
                                                {.samples = 4, .seq_len = 128, .tokenizer = kTestdata / "lm"});
    const TemporaryFolder folder;
    const fs::path path = folder.path() / "stats.gguf";
    const gguf::Imatrix found = measure_statistics(model, data.samples, {}, path);
    const gguf::Imatrix expected = gguf::read_imatrix(kTestdata / "gguf/lm_imatrix.gguf");
    CHECK(found.chunk_count == 4);
    CHECK(found.chunk_size == 128);
    CHECK(found.entries.size() == expected.entries.size() + 1);
    CHECK(found.entries.contains("token_embd.weight"));
    for (const auto& [name, entry] : expected.entries) {
      CAPTURE(name);
      const gguf::ColumnSums& own = found.entries.at(name);
      CHECK(own.counts == entry.counts);
      double difference = 0, sum = 0;
      for (size_t i = 0; i < entry.squares.size(); ++i) {
        difference += std::abs(own.squares[i] - entry.squares[i]);
        sum += entry.squares[i];
      }
      CHECK(difference < 0.2 * sum);  // of windows that begin elsewhere in the text
    }
    const calibration::ThreadLimit one(1);
    const gguf::Imatrix alone = measure_statistics(model, data.samples, {}, path);
    for (const auto& [name, entry] : found.entries) {
      CHECK(alone.entries.at(name).squares == entry.squares);
    }
  }

  TEST_CASE("full statistics are those of the walk: the first layer is solved as with the samples themselves") {
    const Language lm;
    const SavedStatistics statistics = read_statistics(std::vector{lm.measure("full.gguf", 0, 16)}, lm.model);
    CHECK(statistics.size() == 29);
    for (const std::string_view recipe : {"quantize,layers=0", "quantize,solver=obs,layers=0"}) {
      CAPTURE(recipe);
      const PipelineReport expected = lm.run(recipe, {.samples = &lm.data.samples});
      const PipelineReport found = lm.run(recipe, {.statistics = &statistics});
      const auto query = std::ranges::find_if(found.weights, is_query);
      REQUIRE(query != found.weights.end());
      CHECK(*query->output_error == *std::ranges::find_if(expected.weights, is_query)->output_error);
      CHECK(query->solver == std::ranges::find_if(expected.weights, is_query)->solver);
    }
    const PipelineReport all = lm.run("quantize,bits=4,block=16", {.statistics = &statistics});
    CHECK(std::ranges::count(all.weights, "descent", &WeightReport::solver) > 20);
  }

  TEST_CASE("the sums of squares in a full file are those of a file without X^T X, whose walk stops less often") {
    const Language lm;
    const gguf::Imatrix full = gguf::read_imatrix(lm.measure("full.gguf", 0, 9));
    const gguf::Imatrix plain = gguf::read_imatrix(lm.measure("plain.gguf", 0, 9, Sums::squares));
    CHECK(full.products.size() == full.entries.size());
    CHECK(plain.products.empty());
    REQUIRE(full.entries.size() == plain.entries.size());
    for (const auto& [name, entry] : plain.entries) {
      CAPTURE(name);
      const gguf::ColumnSums& other = full.entries.at(name);
      CHECK(other.counts == entry.counts);
      double difference = 0;
      for (size_t i = 0; i < entry.squares.size(); ++i) {
        difference += std::abs(other.squares[i] - entry.squares[i]);
      }
      CHECK(difference < 0.005 * std::accumulate(entry.squares.begin(), entry.squares.end(), 0.0));
    }
  }

  TEST_CASE("files merge in their order to the same numbers; full ones and others do not merge") {
    const Language lm;
    const std::vector<fs::path> halves = {lm.measure("first.gguf", 0, 8), lm.measure("second.gguf", 8, 16)};
    const SavedStatistics merged = read_statistics(halves, lm.model), again = read_statistics(halves, lm.model);
    const SavedStatistics whole = read_statistics(std::vector{lm.measure("whole.gguf", 0, 16)}, lm.model);
    for (const auto& [name, inputs] : merged) {
      CAPTURE(name);
      CHECK(inputs.means == again.at(name).means);
      const calibration::Statistics found = to_statistics(*inputs.products),
                                    same = to_statistics(*again.at(name).products),
                                    expected = to_statistics(*whole.at(name).products);
      CHECK(std::ranges::equal(found.solving.matrix(), same.solving.matrix()));
      CHECK(found.solving.at(3, 1) == found.solving.at(1, 3));
      CHECK(found.solving.rows() == expected.solving.rows());
      CHECK(found.held_out.rows() == expected.held_out.rows());
      const auto near = [](float x) { return doctest::Approx(static_cast<double>(x)).epsilon(1e-3); };
      CHECK(static_cast<double>(found.solving.at(1, 1)) == near(expected.solving.at(1, 1)));
      CHECK(static_cast<double>(found.held_out.at(1, 1)) == near(expected.held_out.at(1, 1)));
    }
    const fs::path plain = lm.measure("plain.gguf", 0, 8, Sums::squares);
    CHECK_THROWS_AS(read_statistics(std::vector{halves[0], plain}, lm.model), Error);
    CHECK_THROWS_AS(read_statistics(std::vector{plain, halves[0]}, lm.model), Error);
  }

  TEST_CASE("a solver that needs X^T X refuses files in which it is not") {
    const Language lm;
    const SavedStatistics plain = read_statistics(std::vector{lm.measure("plain.gguf", 0, 8, Sums::squares)}, lm.model);
    CHECK_THROWS_AS(lm.run("quantize,solver=obs", {.statistics = &plain}), Error);
    const SavedStatistics full = read_statistics(std::vector{lm.measure("full.gguf", 0, 8)}, lm.model);
    SavedStatistics partly = full;
    for (auto& [name, inputs] : partly) {
      inputs.products = name == full.rbegin()->first ? inputs.products : std::nullopt;
    }
    CHECK_THROWS_WITH_AS(lm.run("quantize,solver=obs", {.statistics = &partly}),
                         doctest::Contains("needs to know how inputs belong together"), Error);
  }

  TEST_CASE("threads change no byte of a file") {
    const Language lm;
    const std::string many = read_text(lm.measure("many.gguf", 0, 9));
    const calibration::ThreadLimit one(1);
    CHECK(read_text(lm.measure("one.gguf", 0, 9)) == many);
  }
}

}  // namespace
}  // namespace terse::passes
