#include "formats/rope_config.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "formats/error.h"

namespace terse {
namespace {

RopeConfig read(std::string_view text) {
  const nlohmann::json document = parse_json(text);
  return read_rope(JsonField(document, ""));
}

std::string message_of(std::string_view text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_SUITE("formats/rope_config") {
  TEST_CASE("rotary positions are read in the dialects of transformers 4 and 5") {
    const struct {
      std::string_view text, type;
      double theta, factor, share;
    } rows[] = {
        {R"({})", "default", 10000, 1, 1},
        {R"({"rope_theta": 5e5, "rope_scaling": null, "partial_rotary_factor": 0.5})", "default", 5e5, 1, 0.5},
        {R"({"rope_theta": 5e5, "rope_scaling": {"type": "linear", "factor": 4}})", "linear", 5e5, 4, 1},
        {R"({"rope_theta": 5e5, "rope_scaling": {"rope_type": "linear", "type": "su", "factor": 4}})", "linear", 5e5, 4,
         1},
        {R"({"rope_parameters": {"rope_theta": 5e5, "rope_type": "linear", "factor": 4, "partial_rotary_factor": 0.5}})",
         "linear", 5e5, 4, 0.5},
    };
    for (const auto& row : rows) {
      CAPTURE(row.text);
      const RopeConfig rope = read(row.text);
      CHECK(rope.type == row.type);
      CHECK(rope.theta == row.theta);
      CHECK(rope.factor == row.factor);
      CHECK(rope.rotated_share == row.share);
    }
  }

  TEST_CASE("what longer sequences than those trained on get is read where files have it") {
    const struct {
      std::string_view text, type;
      int64_t original;
      double factor, attention_factor;
    } rows[] = {
        // Phi-3's files: sqrt(1 + ln(8) / ln(64)) = sqrt(1.5)
        {R"({"max_position_embeddings": 512, "original_max_position_embeddings": 64,
             "rope_scaling": {"type": "su", "short_factor": [1], "long_factor": [2]}})",
         "longrope", 64, 8, 1.2247449},
        {R"({"rope_scaling": {"type": "longrope", "original_max_position_embeddings": 64, "factor": 1,
             "short_factor": [1], "long_factor": [2]}})",
         "longrope", 64, 1, 1},
        // 0.1 * ln(4) + 1
        {R"({"rope_scaling": {"type": "yarn", "original_max_position_embeddings": 64, "factor": 4}})", "yarn", 64, 4,
         1.1386294},
        {R"({"max_position_embeddings": 256, "rope_scaling": {"type": "yarn", "original_max_position_embeddings": 64,
             "attention_factor": 0.5}})",
         "yarn", 64, 4, 0.5},
        // (0.2 * ln(4) + 1) / (0.1 * ln(4) + 1)
        {R"({"max_position_embeddings": 64, "rope_parameters": {"rope_type": "yarn", "factor": 4, "mscale": 2,
             "mscale_all_dim": 1}})",
         "yarn", 64, 4, 1.1217511},
    };
    for (const auto& row : rows) {
      CAPTURE(row.text);
      const RopeConfig rope = read(row.text);
      CHECK(rope.type == row.type);
      CHECK(rope.original_positions == row.original);
      CHECK(rope.factor == row.factor);
      CHECK(rope.attention_factor == doctest::Approx(row.attention_factor).epsilon(1e-6));
    }
  }

  TEST_CASE("a hostile configuration is an error that names the key") {
    const struct {
      std::string_view text, message;
    } rows[] = {
        {R"({"rope_theta": 0})", "rope_theta: 0 is not above 0"},
        {R"({"rope_scaling": {"rope_type": "llama3"}})", "rope_scaling: 'low_freq_factor' is missing"},
        {R"({"rope_scaling": {"rope_type": "yarn"}})", "'max_position_embeddings' is missing"},
        {R"({"max_position_embeddings": 8, "rope_scaling": {"rope_type": "longrope"}})",
         "rope_scaling: 'short_factor' is missing"},
        {R"({"max_position_embeddings": 8, "rope_scaling": {"rope_type": "longrope", "short_factor": [1, 0]}})",
         "rope_scaling.short_factor[1]: 0 is no factor above 0"},
    };
    for (const auto& row : rows) {
      CAPTURE(row.text);
      CHECK(message_of(row.text) == row.message);
    }
  }
}

}  // namespace terse
