#include "calibration/evaluate.h"

#include <doctest/doctest.h>

#include <cmath>

#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

const std::filesystem::path kTestdata = TERSE_TESTDATA;

Sample sample_of(std::initializer_list<int64_t> ids, std::initializer_list<int64_t> mask) {
  const auto tokens = static_cast<int64_t>(ids.size());
  return {{"input_ids", Tensor::of<int64_t>({1, tokens}, ids)},
          {"attention_mask", Tensor::of<int64_t>({1, tokens}, mask)}};
}

Measuring of_task(Task task, Score score = Score::all) {
  return {.task = task, .score = score, .outputs = {task == Task::encoder ? "last_hidden_state" : "logits"}};
}

Evaluation measure(const Measuring& measuring, const Sample& sample, const Tensor& tested, const Tensor& reference,
                   const std::vector<int64_t>& labels = {}) {
  return summarize(measuring, {measure_sample(measuring, {.sample = sample, .places = {}}, {tested}, {reference})},
                   labels);
}

/// Logits [1, 4, 2]: the first token is the more likely one by 2, 1, 0, -1 nats.
Tensor four_rows() { return Tensor::of<float>({1, 4, 2}, {2, 0, 1, 0, 0, 0, -1, 0}); }

/// -log of the probability of the first token at `lead` nats.
double nll(double lead) { return std::log(1 + std::exp(-lead)); }

TEST_SUITE("calibration/evaluate") {
  TEST_CASE("perplexity is that of the next token, where there is one and neither is padding") {
    struct Row {
      std::initializer_list<int64_t> mask;
      Score score;
      double expected;
      int64_t rows;
    };
    for (const Row& row : {Row{{1, 1, 1, 1}, Score::all, (nll(2) + nll(1) + nll(0)) / 3, 3},
                           Row{{1, 1, 1, 1}, Score::second_half, nll(0), 1}, Row{{1, 1, 0, 0}, Score::all, nll(2), 1},
                           Row{{0, 1, 1, 0}, Score::all, nll(1), 1}}) {
      const auto measuring = of_task(Task::language_model, row.score);
      const auto found = measure(measuring, sample_of({0, 0, 0, 0}, row.mask), four_rows(), four_rows());
      CHECK(found.rows == row.rows);
      CHECK(*found.perplexity == doctest::Approx(std::exp(row.expected)));
      CHECK(*found.reference_perplexity == doctest::Approx(std::exp(row.expected)));
      CHECK(*found.kl_mean == 0);
      CHECK(*found.top1 == 1);
      CHECK(found.outputs.at(0).snr_db == kMaxSnrDb);
    }
  }

  TEST_CASE("a masked model has a divergence on every token and no perplexity") {
    const auto found = measure(of_task(Task::masked_model), sample_of({0, 0, 0, 0}, {1, 1, 1, 0}), four_rows(),
                               Tensor::of<float>({1, 4, 2}, {0, 2, 1, 0, 0, 0, 0, 9}));
    CHECK(found.rows == 3);
    CHECK_FALSE(found.perplexity);
    CHECK(*found.top1 == doctest::Approx(2.0 / 3));
    CHECK(*found.kl_p99 > 1);
    CHECK(*found.kl_median == 0);
  }

  TEST_CASE("a classifier agrees and is right where its largest logit says so") {
    const Tensor tested = Tensor::of<float>({2, 3}, {1, 2, 3, 9, 8, 7});
    const Tensor reference = Tensor::of<float>({2, 3}, {1, 5, 3, 9, 8, 7});
    const auto found = measure(of_task(Task::classifier), {}, tested, reference, {2, 0});
    CHECK(*found.agreement == 0.5);
    CHECK(*found.accuracy == 1);
    CHECK(*found.reference_accuracy == 0.5);
    CHECK_THROWS_AS(measure(of_task(Task::classifier), {}, tested, reference, {2}), Error);
  }

  TEST_CASE("an encoder is judged by the mean of its tokens without padding") {
    const Tensor tested = Tensor::of<float>({1, 3, 2}, {1, 0, 0, 1, 100, -100});
    const Tensor reference = Tensor::of<float>({1, 3, 2}, {0, 1, 1, 0, 5, 5});
    const auto found = measure(of_task(Task::encoder), sample_of({1, 2, 3}, {1, 1, 0}), tested, reference);
    CHECK(*found.cosine_mean == doctest::Approx(1));
    CHECK(*found.cosine_worst == doctest::Approx(1));
  }

  TEST_CASE("vectors of tokens are pooled as the model's folder says") {
    const Tensor tested = Tensor::of<float>({1, 3, 2}, {1, 0, 0, 3, 100, -100});
    const Tensor reference = Tensor::of<float>({1, 3, 2}, {0, 1, 1, 0, 5, 5});
    struct Row {
      std::vector<Pooling> modes;
      double expected;  ///< of the vectors of the first two tokens, pooled by hand
    };
    for (const Row& row :
         {Row{{Pooling::first}, 0}, Row{{Pooling::last}, 0},
          Row{{Pooling::mean}, 2 / std::sqrt(5.0)},  // (1, 3) and (1, 1), halved
          Row{{Pooling::mean_sqrt_length}, 2 / std::sqrt(5.0)},
          Row{{Pooling::max}, 2 / std::sqrt(5.0)},                      // (1, 3) and (1, 1)
          Row{{Pooling::weighted_mean}, 8 / std::sqrt(185.0)},          // (1, 6) and (2, 1), in thirds
          Row{{Pooling::first, Pooling::max}, 4 / std::sqrt(33.0)}}) {  // (1, 0, 1, 3) and (0, 1, 1, 1)
      Measuring measuring = of_task(Task::encoder);
      measuring.pooling.modes = row.modes;
      const auto found = measure(measuring, sample_of({1, 2, 3}, {1, 1, 0}), tested, reference);
      CHECK(*found.cosine_mean == doctest::Approx(row.expected));
    }
  }

  TEST_CASE("a masked model is asked about the tokens behind its masks") {
    const Measuring measuring = {.task = Task::masked_model, .outputs = {"logits"}, .pooling = {}, .mask_token = 1};
    const Probe probe = {.sample = sample_of({0, 1, 1, 0}, {1, 1, 1, 1}),
                         .places = {{.sequence = 0, .token = 1, .label = 0}, {.sequence = 0, .token = 2, .label = 1}}};
    const auto found = summarize(measuring, {measure_sample(measuring, probe, {four_rows()}, {four_rows()})}, {});
    CHECK(found.rows == 2);
    CHECK_FALSE(found.perplexity);
    CHECK(*found.pseudo_perplexity == doctest::Approx(std::exp((nll(1) + nll(0)) / 2)));
    CHECK(*found.reference_pseudo_perplexity == *found.pseudo_perplexity);
    CHECK(*found.kl_mean == 0);
  }

  TEST_CASE("a detector's signs are held against the reference's and what was replaced") {
    const Measuring measuring = {.task = Task::token_detector, .outputs = {"logits"}, .pooling = {}};
    Probe probe = {.sample = sample_of({0, 1, 1, 0}, {1, 1, 1, 1}), .places = {}};
    for (int64_t token = 0; token < 4; ++token) {
      probe.places.push_back({.sequence = 0, .token = token, .label = token == 1 ? 1 : 0});
    }
    const auto found = summarize(measuring,
                                 {measure_sample(measuring, probe, {Tensor::of<float>({1, 4}, {-1, 2, 3, -4})},
                                                 {Tensor::of<float>({1, 4}, {-1, 2, -3, -4})})},
                                 {});
    CHECK(found.rows == 4);
    CHECK(*found.agreement == 0.75);
    CHECK(*found.accuracy == 0.75);
    CHECK(*found.reference_accuracy == 1);
  }

  TEST_CASE("a broken model shows as figures that are not finite") {
    const Tensor broken = Tensor::of<float>({1, 4, 2}, {NAN, 0, 1, 0, 0, 0, -1, 0});
    const auto found =
        measure(of_task(Task::language_model), sample_of({0, 0, 0, 0}, {1, 1, 1, 1}), broken, four_rows());
    CHECK(std::isnan(*found.perplexity));
    CHECK(std::isnan(*found.kl_mean));
    CHECK(std::isnan(*found.kl_p99));
    CHECK(std::isnan(found.outputs.at(0).snr_db));
  }

  TEST_CASE("outputs of other shapes are an error that names the output") {
    CHECK_THROWS_WITH_AS(
        measure(of_task(Task::classifier), {}, Tensor::make(DType::f32, {1, 3}), Tensor::make(DType::f32, {1, 4})),
        "output 'logits' has shape [1,3], the reference's has [1,4]", Error);
  }

  TEST_CASE("the small classifier has the accuracy that onnxruntime finds") {
    const Model model = open_model(kTestdata / "classifier" / "dynamo.onnx");
    const Dataset data = read_dataset(model, {kTestdata / "classifier" / "eval.npz"}, {});
    const Evaluation found = evaluate(model, nullptr, data, {});
    CHECK(found.task == Task::classifier);
    CHECK(*found.accuracy == 243.0 / 256);  // onnxruntime 1.31
    CHECK_FALSE(found.agreement);
  }

  TEST_CASE("the small language model has the perplexity that onnxruntime finds, by both exporters") {
    const Model model = open_model(kTestdata / "lm" / "torchscript.onnx");
    const Model reference = open_model(kTestdata / "lm" / "dynamo.onnx");
    const Dataset data = read_dataset(model, {kTestdata / "lm" / "eval.npz"}, {});
    const Evaluation found = evaluate(model, &reference, data, {});
    CHECK(found.task == Task::language_model);
    CHECK(found.rows == 64 * 63);
    CHECK(*found.reference_perplexity == doctest::Approx(5.034653).epsilon(1e-5));  // onnxruntime 1.31
    CHECK(*found.kl_mean < 1e-4);                                                   // the float16 model against float32
    CHECK(*found.top1 > 0.99);
    const ThreadLimit one(1);
    const Evaluation again = evaluate(model, &reference, data, {});
    CHECK(*again.perplexity == *found.perplexity);
    CHECK(*again.kl_mean == *found.kl_mean);
  }
}

}  // namespace
}  // namespace terse::calibration
