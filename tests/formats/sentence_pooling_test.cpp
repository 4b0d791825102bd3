#include "formats/sentence_pooling.h"

#include <doctest/doctest.h>

#include <array>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

constexpr std::string_view kModules =
    R"([{"idx": 0, "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}])";

std::optional<SentencePooling> read(std::string_view modules, std::string_view config) {
  const TemporaryFolder folder, other;
  write_text(folder.path() / "modules.json", modules);
  std::filesystem::create_directory(folder.path() / "1_Pooling");
  write_text(folder.path() / "1_Pooling" / "config.json", config);
  return find_sentence_pooling(std::array{other.path(), folder.path()});
}

TEST_SUITE("formats/sentence_pooling") {
  TEST_CASE("the pooling is what the configuration says, in the order in which vectors are put behind each other") {
    struct Row {
      std::string_view config;
      std::vector<Pooling> expected;
    };
    for (const Row& row : {
             Row{R"({"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true})", {Pooling::mean}},
             Row{R"({"pooling_mode_cls_token": true})", {Pooling::first}},
             Row{R"({"pooling_mode_mean_tokens": true, "pooling_mode_max_tokens": true})",
                 {Pooling::max, Pooling::mean}},
             Row{R"({"pooling_mode_lasttoken": true})", {Pooling::last}},
             Row{R"({"pooling_mode": "weightedmean"})", {Pooling::weighted_mean}},
             Row{R"({"pooling_mode": ["cls", "mean_sqrt_len_tokens"]})", {Pooling::first, Pooling::mean_sqrt_length}},
         }) {
      CAPTURE(row.config);
      const auto found = read(kModules, row.config);
      REQUIRE(found);
      CHECK(found->modes == row.expected);
      CHECK(found->is_normalized);
      CHECK(found->not_computed.empty());
    }
  }

  TEST_CASE("modules that are not computed are named") {
    const auto found = read(R"([{"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
                                {"path": "2_Dense", "type": "sentence_transformers.models.Dense"}])",
                            R"({"pooling_mode": "max"})");
    CHECK_FALSE(found->is_normalized);
    CHECK(found->not_computed == std::vector<std::string>{"Dense"});
  }

  TEST_CASE("what is broken is an error, what is absent is not") {
    const TemporaryFolder empty;
    CHECK_FALSE(find_sentence_pooling(std::array{empty.path()}));
    CHECK_THROWS_AS(read(kModules, R"({"pooling_mode_mean_tokens": false})"), Error);
    CHECK_THROWS_AS(read(kModules, R"({"pooling_mode": "median"})"), Error);
    CHECK_THROWS_AS(read(R"([{"path": "../1_Pooling", "type": "Pooling"}])", "{}"), Error);
    CHECK_THROWS_AS(read(R"({"path": ""})", "{}"), Error);
  }
}

}  // namespace
}  // namespace terse
