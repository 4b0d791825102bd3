#include "formats/config.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "formats/error.h"

namespace terse {
namespace {

struct Config {
  explicit Config(std::string_view text) : document(parse_json(text)) {}
  JsonField root() const { return {document, ""}; }
  nlohmann::json document;
};

template <typename Read>
std::string message_of(std::string_view text, Read&& read) {
  const Config config(text);
  try {
    read(config.root());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_SUITE("formats/config") {
  TEST_CASE("heads that the configuration leaves out follow from the others") {
    const struct {
      std::string_view text;
      HeadSizes expected;
    } rows[] = {
        {R"({"hidden_size": 64, "num_attention_heads": 4})", {4, 4, 16}},
        {R"({"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 2})", {4, 2, 16}},
        {R"({"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": null, "head_dim": 32})", {4, 4, 32}},
    };
    for (const auto& row : rows) {
      CAPTURE(row.text);
      const HeadSizes sizes = read_heads(Config(row.text).root());
      CHECK(sizes.heads == row.expected.heads);
      CHECK(sizes.kv_heads == row.expected.kv_heads);
      CHECK(sizes.head_size == row.expected.head_size);
    }
  }

  TEST_CASE("windows are those of the layers that slide") {
    const struct {
      std::string_view text;
      std::vector<int64_t> expected;
    } rows[] = {
        {R"({})", {0, 0}},
        {R"({"sliding_window": null})", {0, 0}},
        {R"({"sliding_window": 5})", {5, 5}},
        {R"({"sliding_window": 5, "use_sliding_window": false})", {0, 0}},
        {R"({"sliding_window": 5, "layer_types": ["full_attention", "sliding_attention"]})", {0, 5}},
    };
    for (const auto& row : rows) {
      CAPTURE(row.text);
      CHECK(read_windows(Config(row.text).root(), 2) == row.expected);
    }
  }

  TEST_CASE("a window that is left out is the family's, null is none") {
    CHECK(read_windows(Config("{}").root(), 1, 9) == std::vector<int64_t>{9});
    CHECK(read_windows(Config(R"({"sliding_window": null})").root(), 1, 9) == std::vector<int64_t>{0});
  }

  TEST_CASE("a hostile configuration is an error that names key, found and expected") {
    const auto heads = [](const JsonField& config) { read_heads(config); };
    const auto windows = [](const JsonField& config) { read_windows(config, 2); };
    const auto layers = [](const JsonField& config) { get_layers(config, "n"); };
    const auto epsilon = [](const JsonField& config) { positive_or(config, "eps", 1); };
    const struct {
      std::string_view text;
      std::function<void(const JsonField&)> read;
      std::string_view message;
    } rows[] = {
        {R"({})", heads, "'num_attention_heads' is missing"},
        {R"({"hidden_size": 64, "num_attention_heads": 0})", heads, "num_attention_heads: 0 is not from 1 to 16777216"},
        {R"({"hidden_size": 64, "num_attention_heads": 4.0})", heads,
         "num_attention_heads: found a number, expected a whole number"},
        {R"({"hidden_size": 64, "num_attention_heads": 5})", heads,
         "hidden_size 64 is no multiple of num_attention_heads 5"},
        {R"({"hidden_size": 64, "num_attention_heads": 4, "num_key_value_heads": 3})", heads,
         "num_attention_heads 4 is no multiple of num_key_value_heads 3"},
        {R"({"n": 18446744073709551615})", layers, "n: 18446744073709551615 is not from 1 to 4096"},
        {R"({"eps": -1e-5})", epsilon, "eps: -1e-05 is not above 0"},
        {R"({"eps": 1e300})", epsilon, "eps: 1e+300 is no number that f32 holds"},
        {R"({"layer_types": ["full_attention"]})", windows,
         "layer_types has 1 entries, expected one for each of 2 layers"},
        {R"({"layer_types": ["full_attention", "sliding_attention"]})", windows,
         "layer_types[1] is sliding_attention, but sliding_window is missing"},
        {R"({"layer_types": ["full_attention", "mamba"]})", windows,
         "layer_types[1]: 'mamba' is no type of layer that this version knows: full_attention, sliding_attention"},
    };
    for (const auto& row : rows) {
      CAPTURE(row.text);
      CHECK(message_of(row.text, row.read) == row.message);
    }
  }

  TEST_CASE("a number too large for a double is an error, not the end") {
    CHECK_THROWS_AS(parse_json(R"({"eps": 1e999})"), Error);
  }
}

}  // namespace terse
