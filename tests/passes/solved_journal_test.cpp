#include "passes/solved_journal.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "calibration/dataset.h"
#include "passes/pipeline.h"
#include "tests/passes/models.h"
#include "tests/temporary_folder.h"

namespace terse::passes {
namespace {

const std::vector<RunFact> kFacts = {{"version", "1.2.3"}, {"seed", "0"}, {"model", "#00ff"}, {"pipeline", "quantize"}};

SolvedEntry entry(std::string_view note) {
  SolvedEntry entry;
  entry.note = note;
  entry.projected.encoding = *random_matrix(40, 512);
  entry.projected.solution = Solution{.signal = 2, .noise = 0.5, .zeros = 7};
  entry.projected.solver = "obs";
  entry.projected.output_error = 0.25;
  return entry;
}

std::string complaint(const std::filesystem::path& path, const std::vector<RunFact>& facts) {
  try {
    SolvedJournal::resume(path, facts);
    return "";
  } catch (const Error& error) {
    CHECK(error.kind() == Kind::input);
    return error.what();
  }
}

struct Folder : TemporaryFolder {
  std::filesystem::path journal = path() / "out.onnx.resume";

  /// A journal of one weight.
  void fill() const {
    SolvedJournal made(journal, kFacts);
    SolvedEntry one = entry("");
    made.add(0, "w", one);
  }
};

TEST_SUITE("passes/solved_journal") {
  TEST_CASE("what a run has found of a weight is there for the next, with all that the report says of it") {
    const Folder folder;
    {
      SolvedJournal journal(folder.journal, kFacts);
      CHECK_FALSE(std::filesystem::exists(folder.journal));
      SolvedEntry first = entry("a note"), second = entry("");
      journal.add(0, "w", first);
      journal.add(1, "w", second);
      CHECK(std::ranges::equal(decode(first.projected.encoding).bytes(), decode(*random_matrix(40, 512)).bytes()));
    }
    SolvedJournal journal = SolvedJournal::resume(folder.journal, kFacts);
    CHECK(journal.count() == 2);
    CHECK_FALSE(journal.find(0, "v", {40, 512}));
    CHECK_FALSE(journal.find(2, "w", {40, 512}));
    const auto found = journal.find(0, "w", {40, 512});
    REQUIRE(found);
    CHECK(found->note == "a note");
    CHECK(found->projected.solver == "obs");
    CHECK(found->projected.solution->signal == 2);
    CHECK(found->projected.solution->noise == 0.5);
    CHECK(found->projected.solution->zeros == 7);
    CHECK(found->projected.output_error == 0.25);
    CHECK(std::ranges::equal(decode(found->projected.encoding).bytes(), decode(*random_matrix(40, 512)).bytes()));
    CHECK_THROWS_AS(journal.find(0, "w", {512, 40}), Error);
    journal.remove();
    CHECK(folder.count() == 0);
    CHECK(decode(found->projected.encoding).count() == 40 * 512);  // still there for whoever holds it
  }

  TEST_CASE("a run without an earlier one begins") {
    const Folder folder;
    SolvedJournal journal = SolvedJournal::resume(folder.journal, kFacts);
    CHECK(journal.count() == 0);
    SolvedEntry one = entry("");
    journal.add(0, "w", one);
    CHECK(std::filesystem::exists(folder.journal));
  }

  TEST_CASE("whatever differs from the earlier run is named") {
    const Folder folder;
    folder.fill();
    CHECK(complaint(folder.journal, kFacts).empty());
    const std::string end = ": a run goes on only as it was begun; without --resume, --force starts over";
    const std::string begin = folder.journal.string() + ": was begun with ";
    const std::vector<std::pair<std::vector<RunFact>, std::string>> cases = {
        {{{"version", "1.3.0"}, {"seed", "0"}, {"model", "#00ff"}, {"pipeline", "quantize"}},
         "version 1.2.3 instead of 1.3.0"},
        {{{"version", "1.2.3"}, {"seed", "1"}, {"model", "#01ff"}, {"pipeline", "quantize"}},
         "seed 0 instead of 1, another model"},
        {{{"version", "1.2.3"},
          {"seed", "0"},
          {"model", "#00ff"},
          {"pipeline", "quantize,bits=4,block=32,except=head"}},
         "another pipeline"},
        {{{"version", "1.2.3"}, {"seed", "0"}, {"model", "#00ff"}, {"pipeline", "quantize"}, {"data", "#11"}},
         "without a data"},
    };
    for (const auto& [facts, expected] : cases) {
      CHECK(complaint(folder.journal, facts) == begin + expected + end);
    }
  }

  TEST_CASE("a file of something else is refused, and is no journal") {
    const Folder folder;
    write_text(folder.journal, "my notes");
    CHECK(complaint(folder.journal, kFacts).find("is not what an interrupted run of terse leaves") !=
          std::string::npos);
    CHECK_FALSE(is_journal(folder.journal));
    write_text(folder.journal, "");
    CHECK_FALSE(is_journal(folder.journal));
    CHECK_FALSE(is_journal(folder.path() / "none"));
    folder.fill();
    CHECK(is_journal(folder.journal));
  }

  TEST_CASE("where nothing can be written a run goes on without") {
    SolvedJournal journal("/nowhere/out.onnx.resume", kFacts);
    SolvedEntry one = entry("");
    journal.add(0, "w", one);
    REQUIRE(journal.failure());
    CHECK(journal.failure()->kind() == Kind::io);
    CHECK(decode(one.projected.encoding).count() == 40 * 512);
  }

  TEST_CASE("a run that goes on after any number of weights gives the same bytes and the same report") {
    const std::filesystem::path testdata = TERSE_TESTDATA;
    const Model original = open_model(testdata / "lm/dynamo.onnx");
    const calibration::Dataset data = calibration::read_dataset(original, {testdata / "lm/calib.npz"},
                                                                {.samples = 9, .seq_len = {}, .tokenizer = {}});
    struct Result {
      Model model;
      PipelineReport report;
    };
    const auto run = [&](SolvedJournal* journal) {
      Result result{.model = original, .report = {}};
      result.model.graph = deep_copy(original.graph);
      result.report = run_pipeline(parse_recipe("quantize,bits=4,block=32"), result.model,
                                   {.samples = &data.samples, .journal = journal});
      return result;
    };
    const Result expected = run(nullptr);
    const Folder folder;
    {
      SolvedJournal journal(folder.journal, kFacts);
      run(&journal);
    }
    const std::string whole = read_text(folder.journal);
    for (const double part : {0.0, 0.3, 0.7, 1.0}) {
      CAPTURE(part);
      const auto size = std::max<size_t>(1024, static_cast<size_t>(part * static_cast<double>(whole.size())));
      write_text(folder.journal, whole.substr(0, size));
      SolvedJournal journal = SolvedJournal::resume(folder.journal, kFacts);
      CHECK((part == 0 ? journal.count() == 0 : journal.count() > 0));
      const Result found = run(&journal);
      REQUIRE(found.report.weights.size() == expected.report.weights.size());
      for (size_t i = 0; i < found.report.weights.size(); ++i) {
        const WeightReport &a = found.report.weights[i], &b = expected.report.weights[i];
        CAPTURE(a.name);
        CHECK(a.after == b.after);
        CHECK(a.snr_db == b.snr_db);
        CHECK(a.zeros_fraction == b.zeros_fraction);
        CHECK(a.solver == b.solver);
        CHECK(a.output_error == b.output_error);
        CHECK(a.note == b.note);
      }
      for (size_t i = 0; i < original.graph.values.size(); ++i) {
        const EncodingPtr &a = found.model.graph.values[i].constant, &b = expected.model.graph.values[i].constant;
        if (b != nullptr && is_float(compute_dtype(*b))) {
          CHECK(std::ranges::equal(decode(*a).bytes(), decode(*b).bytes()));
        }
      }
    }
  }
}

}  // namespace
}  // namespace terse::passes
