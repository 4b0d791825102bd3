#include "calibration/walk.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

/// What a test wants to know of a model: its linears, in the order of the graph.
std::vector<ValueId> linears(const Graph& graph) {
  std::vector<ValueId> found;
  for (const Node& node : graph.main.nodes) {
    if (node.is("MatMul") && graph.is_constant(node.input(1))) {
      found.push_back(node.input(1));
    }
  }
  return found;
}

struct Language {
  Model model = open_model(kTestdata / "lm/dynamo.onnx");
  Dataset data = read_dataset(model, {kTestdata / "lm/calib.npz"}, {.samples = 12, .seq_len = {}, .tokenizer = {}});
};

/// Two linears, each followed by a Relu. Tokens are weighted by what passes by, and here nothing does: all count once.
struct Chain {
  Model model{.opsets = {{"", 23}}};
  std::vector<ValueId> weights;
  std::vector<Sample> samples;

  Chain() {
    Graph& graph = model.graph;
    const ValueId x = graph.add("x");
    graph.value(x).type = ValueType{DType::f32, std::vector<Dimension>{{.symbol = "n"}, {.size = 3}}};
    graph.main.inputs = {x};
    ValueId last = x;
    for (const char* name : {"w1", "w2"}) {
      weights.push_back(graph.add_constant(name, make_dense(Tensor::of<float>({3, 3}, {1, 2, 0, -1, 1, 1, 0, 0, 2}))));
      const ValueId product = graph.add("product"), out = graph.add("activation");
      graph.main.nodes.push_back({.op_type = "MatMul",
                                  .inputs = {last, weights.back()},
                                  .outputs = {product},
                                  .attributes = {{"transB", int64_t{1}}}});
      graph.main.nodes.push_back({.op_type = "Relu", .inputs = {product}, .outputs = {out}});
      last = out;
    }
    graph.main.outputs = {last};
    for (int i = 0; i < 7; ++i) {
      const auto f = static_cast<float>(i);
      samples.push_back({{"x", Tensor::of<float>({2, 3}, {f, 1, -f, 2, f - 3, 1})}});
    }
  }
};

/// The sum of x^T (x0 - x) of a value in two models, x0 being the first one's.
std::vector<double> direct_drift(const Model& before, const Model& after, const std::vector<Sample>& samples,
                                 ValueId value) {
  const std::vector<std::string> outputs = {before.graph.value(value).name};
  const Executor original(before, {.outputs = outputs}), changed(after, {.outputs = outputs});
  std::vector<double> sums;
  for (const Sample& sample : samples) {
    const Tensor first = original.run(sample)[0], second = changed.run(sample)[0];
    const auto columns = static_cast<size_t>(first.shape().back());
    sums.resize(columns * columns);
    const auto x0 = first.values<float>(), x = second.values<float>();
    for (size_t row = 0; row < x.size(); row += columns) {
      for (size_t i = 0; i < columns; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          sums[i * columns + j] += static_cast<double>(x[row + i]) * static_cast<double>(x0[row + j] - x[row + j]);
        }
      }
    }
  }
  return sums;
}

/// X^T X of a barrier's value, computed by running the whole model up to it.
std::vector<double> direct_gram(const Model& model, const std::vector<Sample>& samples, const std::string& value) {
  const Executor executor(model, {.outputs = {value}});
  std::vector<double> sums;
  for (const Sample& sample : samples) {
    const Tensor rows = executor.run(sample)[0];
    const auto columns = static_cast<size_t>(rows.shape().back());
    sums.resize(columns * columns);
    const auto x = rows.values<float>();
    for (size_t row = 0; row < x.size() / columns; ++row) {
      for (size_t i = 0; i < columns; ++i) {
        for (size_t j = 0; j < columns; ++j) {
          sums[i * columns + j] +=
              static_cast<double>(x[row * columns + i]) * static_cast<double>(x[row * columns + j]);
        }
      }
    }
  }
  return sums;
}

TEST_SUITE("calibration/walk") {
  TEST_CASE("linears that read one value share a barrier, in the order of the graph; a tied table has none") {
    Language lm;
    const Walk walk(lm.model, lm.data.samples, linears(lm.model.graph));
    std::vector<size_t> sizes;
    for (const Barrier& barrier : walk.barriers()) {
      sizes.push_back(barrier.weights.size());
    }
    CHECK(sizes == std::vector<size_t>{3, 1, 2, 1, 3, 1, 2, 1, 3, 1, 2, 1, 3, 1, 2, 1});
  }

  TEST_CASE("statistics are those of running the model up to the barrier") {
    Chain chain;
    Walk walk(chain.model, chain.samples, chain.weights);
    int64_t visited = 0;
    walk.run([&](const Barrier& barrier, const Statistics& statistics) {
      const auto expected = direct_gram(chain.model, chain.samples, chain.model.graph.value(barrier.value).name);
      CHECK(statistics.solving.rows() == 14);
      CHECK(statistics.held_out.rows() == 0);
      for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(static_cast<double>(statistics.solving.matrix()[i]) == doctest::Approx(expected[i]));
      }
      ++visited;
    });
    CHECK(visited == 2);
  }

  TEST_CASE("later barriers see the weights that earlier ones were given") {
    Language lm;
    const auto weights = linears(lm.model.graph);
    const auto trace_of_last = [&](bool replaces) {
      Walk walk(lm.model, lm.data.samples, weights);
      double trace = 0;
      walk.run([&](const Barrier& barrier, const Statistics& statistics) {
        trace = 0;
        for (int64_t i = 0; i < statistics.solving.columns(); ++i) {
          trace += static_cast<double>(statistics.solving.at(i, i));
        }
        if (replaces && &barrier == walk.barriers().data()) {
          const Encoding& old = *lm.model.graph.value(barrier.weights[0]).constant;
          walk.replace(barrier.weights[0], make_dense(Tensor::make(DType::f32, old.shape)));
        }
      });
      return trace;
    };
    CHECK(trace_of_last(false) != trace_of_last(true));
  }

  TEST_CASE("once a weight is replaced, statistics say how far inputs have moved from the original model's") {
    Chain chain;
    Model changed = chain.model;
    changed.graph.value(chain.weights[0]).constant =
        make_dense(Tensor::of<float>({3, 3}, {1, 1, 0, -1, 1, 1, 0, 2, 2}));
    Walk walk(chain.model, chain.samples, chain.weights);
    walk.replace(chain.weights[0], chain.model.graph.value(chain.weights[0]).constant);  // by what it is
    int64_t visited = 0;
    walk.run([&](const Barrier& barrier, const Statistics& statistics) {
      CHECK(statistics.held_out_drift.empty());
      if (visited++ == 0) {
        CHECK(statistics.solving_drift.empty());
        walk.replace(chain.weights[0], changed.graph.value(chain.weights[0]).constant);
        return;
      }
      const auto expected = direct_drift(chain.model, changed, chain.samples, barrier.value);
      for (size_t i = 0; i < expected.size(); ++i) {
        CHECK(static_cast<double>(statistics.solving_drift.matrix()[i]) == doctest::Approx(expected[i]));
      }
    });
    CHECK(visited == 2);
  }

  TEST_CASE("every eighth sample is held out, padding counts nowhere, and threads change no bit") {
    Language lm;
    const auto weights = linears(lm.model.graph);
    Sample& padded = lm.data.samples[0];
    Tensor mask = Tensor::of<int64_t>(padded.at("input_ids").shape(),
                                      std::vector<int64_t>(static_cast<size_t>(padded.at("input_ids").count()), 1));
    mask.mutable_values<int64_t>().back() = 0;
    padded["attention_mask"] = mask;
    const auto tokens = padded.at("input_ids").count();
    std::vector<float> first;
    const auto run = [&](std::vector<float>& matrix) {
      Walk walk(lm.model, lm.data.samples, weights);
      walk.run([&](const Barrier&, const Statistics& statistics) {
        CHECK(statistics.held_out.rows() == tokens);
        CHECK(statistics.solving.rows() == 11 * tokens - 1);
        matrix.insert(matrix.end(), statistics.solving.matrix().begin(), statistics.solving.matrix().end());
      });
    };
    run(first);
    const ThreadLimit one(1);
    std::vector<float> second;
    run(second);
    CHECK(first == second);
  }

  TEST_CASE("statistics that nobody asks for are left out, and the others stay the same bits") {
    Language lm;
    const auto weights = linears(lm.model.graph);
    const auto run = [&](const std::vector<ValueId>& skipped) {
      std::vector<std::vector<float>> matrices;
      Walk walk(lm.model, lm.data.samples, weights);
      walk.skip_statistics(skipped);
      walk.run([&](const Barrier&, const Statistics& statistics) {
        const auto matrix = statistics.solving.matrix();
        matrices.emplace_back(matrix.begin(), matrix.end());
      });
      return matrices;
    };
    const auto all = run({});
    // The first barrier's three linears, and one of the third's two, which still needs them for the other.
    const auto some = run({weights[0], weights[1], weights[2], weights[4]});
    REQUIRE(some.size() == all.size());
    CHECK(some[0].empty());
    for (size_t i = 1; i < all.size(); ++i) {
      CHECK(some[i] == all[i]);
    }
  }

  TEST_CASE("a number that is not finite is reported with the weight that it comes from") {
    Language lm;
    const auto weights = linears(lm.model.graph);
    Walk walk(lm.model, lm.data.samples, weights);
    const ValueId v = weights[2];  // attention in this export turns rows of NaN scores into zeros
    Tensor broken = Tensor::make(DType::f32, lm.model.graph.value(v).constant->shape);
    broken.mutable_values<float>()[0] = NAN;
    walk.replace(v, make_dense(broken));
    try {
      walk.run([](const Barrier&, const Statistics&) {});
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(error.kind() == Kind::input);
      CHECK(std::string(error.what()).starts_with("calibration sample 0: weight '"));
      CHECK(std::string(error.what()).ends_with("' holds a number that is not finite"));
    }
  }
}

}  // namespace
}  // namespace terse::calibration
