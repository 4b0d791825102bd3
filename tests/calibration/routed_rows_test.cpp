#include "calibration/routed_rows.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "calibration/parallel.h"
#include "calibration/walk.h"
#include "formats/architectures/experts.h"

namespace terse::calibration {
namespace {

constexpr int64_t kWidth = 4, kInner = 6, kExperts = 4, kChosen = 2;

using Rows = std::vector<std::vector<double>>;

/// A mixture of experts and nothing else, with an input that says what is padding. Nearly no token goes to the last
/// expert.
struct Mixture {
  Model model;
  std::vector<ValueId> gates, ups, downs;
  std::vector<Sample> samples;

  explicit Mixture(size_t sample_count) {
    std::mt19937 random(7);
    NamedTensors tensors;
    tensors.tensors["router.weight"] = Tensor::of<float>({kExperts, kWidth}, {1, 0, 0, 0, 0, 1, 0, 0,  //
                                                                              -1, -1, 0, 0, 0, 0, 0, -9});
    for (size_t expert = 0; expert < kExperts; ++expert) {
      tensors.tensors[architectures::numbered("{}.gate.weight", expert)] = coarse({kInner, kWidth}, random);
      tensors.tensors[architectures::numbered("{}.up.weight", expert)] = coarse({kInner, kWidth}, random);
      tensors.tensors[architectures::numbered("{}.down.weight", expert)] = coarse({kWidth, kInner}, random);
    }
    build(std::move(tensors));
    for (size_t i = 0; i < sample_count; ++i) {
      Tensor x = coarse({1, 9, kWidth}, random);
      for (size_t token = 0; token < 9; ++token) {  // the last expert is for a negative last number
        x.mutable_values<float>()[token * kWidth + 3] = token == 0 ? -1.0F : 0.5F;
      }
      samples.push_back(
          {{"x", x}, {"attention_mask", Tensor::of<int64_t>({1, 9}, {1, 1, 1, 1, 1, 1, 1, 1, i % 2 == 0 ? 1 : 0})}});
    }
  }

  const Value& value(ValueId id) const { return model.graph.value(id); }

 private:
  /// Multiples of 1/4, which bf16 holds.
  static Tensor coarse(Shape shape, std::mt19937& random) {
    Tensor values = Tensor::make(DType::f32, std::move(shape));
    for (float& x : values.mutable_values<float>()) {
      x = static_cast<float>(static_cast<int>(random() % 9) - 4) / 4;
    }
    return values;
  }

  void build(NamedTensors tensors) {
    using architectures::Size;
    architectures::OpBuilder builder(model.graph);
    architectures::Weights weights(std::move(tensors), "");
    architectures::Blocks blocks(builder, weights);
    const ValueId x = builder.input("x", DType::f32, {{.size = 1}, {.symbol = "tokens"}, {.size = kWidth}});
    (void)builder.input("attention_mask", DType::i64, {{.size = 1}, {.symbol = "tokens"}});
    const ValueId y = add_experts(blocks, x,
                                  {.names = {.router = "router", .gate = "{}.gate", .up = "{}.up", .down = "{}.down"},
                                   .count = {kExperts, "experts"},
                                   .chosen = {kChosen, "chosen"},
                                   .activation = "silu",
                                   .width = {kWidth, "width"},
                                   .inner = {kInner, "inner"}});
    builder.output("y", y, DType::f32, {{.size = 1}, {.symbol = "tokens"}, {.size = kWidth}});
    sort_and_validate(model.graph);
    model.opsets = {{"", 23}};
    for (size_t expert = 0; expert < kExperts; ++expert) {
      gates.push_back(*model.graph.find(architectures::numbered("{}.gate.weight", expert)));
      ups.push_back(*model.graph.find(architectures::numbered("{}.up.weight", expert)));
      downs.push_back(*model.graph.find(architectures::numbered("{}.down.weight", expert)));
    }
  }
};

std::vector<double> numbers(const Tensor& tensor) {
  return {tensor.values<float>().begin(), tensor.values<float>().end()};
}

/// The tokens that are no padding.
Rows tokens_of(const Sample& sample) {
  Rows rows;
  const std::vector<double> x = numbers(sample.at("x"));
  for (size_t token = 0; token < 9; ++token) {
    if (sample.at("attention_mask").values<int64_t>()[token] != 0) {
      rows.emplace_back(x.begin() + static_cast<std::ptrdiff_t>(token * kWidth),
                        x.begin() + static_cast<std::ptrdiff_t>((token + 1) * kWidth));
    }
  }
  return rows;
}

double dot(const Encoding& weight, int64_t row, const std::vector<double>& x) {
  const std::vector<double> all = numbers(decode(weight));
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    sum += all[static_cast<size_t>(row) * x.size() + i] * x[i];
  }
  return sum;
}

/// What a token's shares are by the definition: the softmax over its two greatest scores.
std::vector<double> shares_of(const Mixture& mixture, const std::vector<double>& x) {
  const Encoding& router = *mixture.value(*mixture.model.graph.find("router.weight")).constant;
  std::vector<std::pair<double, size_t>> scores;
  for (size_t expert = 0; expert < kExperts; ++expert) {
    scores.emplace_back(-dot(router, static_cast<int64_t>(expert), x), expert);
  }
  std::sort(scores.begin(), scores.end());
  const double second = std::exp(scores[0].first - scores[1].first);
  std::vector<double> shares(kExperts);
  shares[scores[0].second] = 1 / (1 + second);
  shares[scores[1].second] = second / (1 + second);
  return shares;
}

std::vector<double> inner_of(const Mixture& mixture, size_t expert, const std::vector<double>& x) {
  std::vector<double> inner;
  for (int64_t row = 0; row < kInner; ++row) {
    const double gate = dot(*mixture.value(mixture.gates[expert]).constant, row, x);
    inner.push_back(gate / (1 + std::exp(-gate)) * dot(*mixture.value(mixture.ups[expert]).constant, row, x));
  }
  return inner;
}

/// Adds weight * x x^T.
void add_product(std::vector<double>& sums, const std::vector<double>& x, double weight) {
  sums.resize(x.size() * x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    for (size_t j = 0; j < x.size(); ++j) {
      sums[i * x.size() + j] += weight * x[i] * x[j];
    }
  }
}

/// By the definition, token by token: of those routed to the expert, and of all as if they were.
struct Expected {
  std::vector<double> routed, all;
  int64_t rows = 0, tokens = 0;
  double weight = 0;  ///< of the routed rows
};

enum class Place { in_front, inside };

Expected expected_of(const Mixture& mixture, size_t expert, Place place) {
  Expected expected;
  for (const Sample& sample : mixture.samples) {
    for (const std::vector<double>& x : tokens_of(sample)) {
      const double share = shares_of(mixture, x)[expert];
      const std::vector<double> input = place == Place::in_front ? x : inner_of(mixture, expert, x);
      add_product(expected.routed, input, share * share);
      add_product(expected.all, input, 1);
      expected.rows += share > 0 ? 1 : 0;
      expected.weight += share * share;
      ++expected.tokens;
    }
  }
  return expected;
}

void check_close(std::span<const float> found, const std::vector<double>& expected) {
  REQUIRE(found.size() == expected.size());
  const double largest = std::abs(*std::ranges::max_element(expected, {}, [](double x) { return std::abs(x); }));
  for (size_t i = 0; i < found.size(); ++i) {
    CHECK(static_cast<double>(found[i]) == doctest::Approx(expected[i]).epsilon(0.02).scale(largest));
  }
}

std::vector<ValueId> weights_of(const Mixture& mixture) {
  std::vector<ValueId> weights = mixture.gates;
  weights.insert(weights.end(), mixture.ups.begin(), mixture.ups.end());
  weights.insert(weights.end(), mixture.downs.begin(), mixture.downs.end());
  return weights;
}

}  // namespace

TEST_SUITE("calibration/routed_rows") {
  TEST_CASE("experts are found behind the gather of their tokens, with their shares") {
    const Mixture mixture(1);
    const auto routings = find_routings(mixture.model.graph, weights_of(mixture));
    CHECK(routings.size() == 3 * kExperts);
    for (size_t expert = 0; expert < kExperts; ++expert) {
      const Routing &gate = routings.at(mixture.gates[expert]), &down = routings.at(mixture.downs[expert]);
      CHECK(gate.rows == down.rows);
      CHECK(gate.tokens == down.tokens);
      CHECK(gate.shares != kNoValue);
      CHECK(gate.shares == down.shares);
      CHECK(gate.all == routings.at(mixture.gates[0]).all);
      CHECK((expert == 0 || gate.rows != routings.at(mixture.gates[0]).rows));
    }
    const auto router = *mixture.model.graph.find("router.weight");
    CHECK(find_routings(mixture.model.graph, {router}).empty());
  }

  TEST_CASE("an expert's statistics are of its own tokens, by the squares of their shares; padding is no token") {
    const Mixture mixture(6);
    Walk walk(mixture.model, mixture.samples, weights_of(mixture), ScarceRows::leave);
    CHECK(walk.barriers().size() == 2 * kExperts);
    walk.run([&](const Barrier& barrier, const Statistics& statistics) {
      CAPTURE(mixture.value(barrier.weights[0]).name);
      const auto gate = std::ranges::find(mixture.gates, barrier.weights[0]);
      const bool is_gate = gate != mixture.gates.end();
      CHECK(barrier.weights.size() == (is_gate ? 2 : 1));
      const auto expert = is_gate ? gate - mixture.gates.begin()
                                  : std::ranges::find(mixture.downs, barrier.weights[0]) - mixture.downs.begin();
      const Expected expected =
          expected_of(mixture, static_cast<size_t>(expert), is_gate ? Place::in_front : Place::inside);
      CHECK(statistics.solving.rows() == expected.rows);
      CHECK(statistics.note.empty());
      check_close(statistics.solving.matrix(), expected.routed);
    });
  }

  TEST_CASE("what an expert lacks in rows is filled up from all tokens, as if they had been routed to it") {
    const Mixture mixture(3);
    Walk walk(mixture.model, mixture.samples, {mixture.gates[3], mixture.downs[3], mixture.gates[0]});
    int64_t filled = 0;
    walk.run([&](const Barrier& barrier, const Statistics& statistics) {
      const bool is_scarce = barrier.weights[0] != mixture.gates[0];
      CHECK(statistics.note.empty() != is_scarce);
      if (!is_scarce) {
        return;
      }
      ++filled;
      const int64_t columns = statistics.solving.columns();
      Expected expected = expected_of(mixture, 3, columns == kWidth ? Place::in_front : Place::inside);
      REQUIRE(expected.rows == 3);
      const double factor =
          expected.weight / 3 * static_cast<double>(columns - 3) / static_cast<double>(expected.tokens);
      for (size_t i = 0; i < expected.all.size(); ++i) {
        expected.routed[i] += factor * expected.all[i];
      }
      check_close(statistics.solving.matrix(), expected.routed);
      CHECK(statistics.note.starts_with("fewer rows are routed to it"));
    });
    CHECK(filled == 2);
  }

  TEST_CASE("threads change no bit") {
    const Mixture mixture(9);
    const auto run = [&] {
      std::vector<float> all;
      Walk walk(mixture.model, mixture.samples, weights_of(mixture));
      walk.run([&](const Barrier&, const Statistics& statistics) {
        all.insert(all.end(), statistics.solving.matrix().begin(), statistics.solving.matrix().end());
        all.insert(all.end(), statistics.held_out.matrix().begin(), statistics.held_out.matrix().end());
      });
      return all;
    };
    const std::vector<float> many = run();
    const ThreadLimit one(1);
    CHECK(run() == many);
  }
}

}  // namespace terse::calibration
