#include "passes/pipeline.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "calibration/dataset.h"
#include "calibration/parallel.h"
#include "formats/error.h"
#include "passes/solvers/output_error.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

const WeightReport& find_report(const PipelineReport& report, std::string_view name) {
  const auto found =
      std::find_if(report.weights.begin(), report.weights.end(), [&](const auto& row) { return row.name == name; });
  REQUIRE(found != report.weights.end());
  return *found;
}

int64_t count_zeros(const Tensor& tensor) {
  const auto numbers = tensor.values<float>();
  return std::count(numbers.begin(), numbers.end(), 0.0F);
}

TEST_SUITE("passes/pipeline") {
  TEST_CASE("pruning sets half of each linear to zero and says so") {
    TinyModel tiny;
    const auto report = run_pipeline(parse_recipe("prune,pattern=2:4"), tiny.model, {});
    const Encoding& q = *tiny.model.graph.value(tiny.q0).constant;
    CHECK(count_zeros(decode(q)) == 32 * 32 / 2);
    const WeightReport& row = find_report(report, "layers.0.attn.q");
    CHECK(row.zeros_fraction == 0.5);
    CHECK(row.before == "f32");
    CHECK(row.after == "f32");
    CHECK(row.bytes_after == 32 * 32 * 4);
    CHECK(row.snr_db > 5);
    CHECK(row.snr_db < 15);
    const WeightReport& table = find_report(report, "embed");
    CHECK(std::isinf(table.snr_db));
    CHECK_FALSE(table.zeros_fraction);
    CHECK(report.times.size() == 1);
    CHECK(report.times[0].weights == 6);
  }

  TEST_CASE("a global ratio prunes small matrices more than large ones") {
    TinyModel tiny;
    std::vector<float> large = normal_numbers(int64_t{32} * 32);
    for (float& number : large) {
      number *= 10;
    }
    tiny.model.graph.value(tiny.q0).constant = matrix(32, 32, large);
    const auto report = run_pipeline(parse_recipe("prune,ratio=0.5,scope=global,only=q"), tiny.model, {});
    CHECK(*find_report(report, "layers.0.attn.q").zeros_fraction < 0.2);
    CHECK(*find_report(report, "layers.1.attn.q").zeros_fraction > 0.8);
  }

  TEST_CASE("a weight cast to another type remembers what it is computed with") {
    TinyModel tiny;
    const auto report = run_pipeline(parse_recipe("cast,dtype=f16,only=embed"), tiny.model, {});
    const Value& table = tiny.model.graph.value(tiny.table);
    CHECK(table.constant->dense()->dtype == DType::f16);
    CHECK(table.type->dtype == DType::f32);
    CHECK(find_report(report, "embed").bytes_after == 40 * 32 * 2);
    CHECK(find_report(report, "embed").snr_db > 60);
  }

  TEST_CASE("a mask and a type that select the same weight hold both") {
    TinyModel tiny;
    run_pipeline(parse_recipe("cast,dtype=f16,only=q\nprune,ratio=0.5,only=q"), tiny.model, {});
    const Encoding& q = *tiny.model.graph.value(tiny.q0).constant;
    CHECK(q.dense()->dtype == DType::f16);
    CHECK(count_zeros(decode(q)) == 32 * 32 / 2);
  }

  TEST_CASE("a weight that already is what a pass would make of it is left alone, with a note") {
    TinyModel tiny;
    const EncodingPtr before = tiny.model.graph.value(tiny.q0).constant;
    const auto report = run_pipeline(parse_recipe("cast,dtype=f32"), tiny.model, {});
    CHECK(tiny.model.graph.value(tiny.q0).constant == before);
    CHECK(find_report(report, "layers.0.attn.q").note == "cast: already f32");
  }

  TEST_CASE("pruned weights that are quantized keep their zeros") {
    TinyModel tiny;
    const auto report =
        run_pipeline(parse_recipe("prune,pattern=2:4\nquantize,bits=4,grid=asymmetric"), tiny.model, {});
    const Encoding& q = *tiny.model.graph.value(tiny.q0).constant;
    CHECK(describe(q) == "uint4 channel");
    CHECK(count_zeros(decode(q)) >= 32 * 32 / 2);
    CHECK(report.times.size() == 1);
    CHECK(report.times[0].pass == "prune,pattern=2:4 + quantize,bits=4,grid=asymmetric");
  }

  TEST_CASE("of several passes that give codes the last one wins, and a type gives way to codes") {
    TinyModel tiny;
    run_pipeline(parse_recipe("quantize,bits=4\nquantize,bits=8,only=q\ncast,dtype=f16"), tiny.model, {});
    CHECK(describe(*tiny.model.graph.value(tiny.q0).constant) == "int8 channel");
    CHECK(describe(*tiny.model.graph.value(tiny.k0).constant) == "int4 channel");
    CHECK(describe(*tiny.model.graph.value(tiny.table).constant) == "f16");
  }

  TEST_CASE("a quantized weight is left alone, unless a new quantization is asked for") {
    TinyModel tiny;
    run_pipeline(parse_recipe("quantize,bits=8"), tiny.model, {});
    const auto report = run_pipeline(parse_recipe("quantize,bits=4"), tiny.model, {});
    CHECK(find_report(report, "side").after == "int8 channel");
    CHECK(find_report(report, "side").note == "quantize: already int8 channel, requantize=yes changes it");
    run_pipeline(parse_recipe("quantize,bits=4,requantize=yes"), tiny.model, {});
    CHECK(describe(*tiny.model.graph.value(tiny.side).constant) == "int4 channel");
  }

  TEST_CASE("weights become blocks of a type; where rows are no whole blocks, of another one, with a note") {
    TinyModel tiny;
    const EncodingPtr wide = random_matrix(16, 512), odd = random_matrix(16, 40);
    tiny.model.graph.value(tiny.q0).constant = wide;
    tiny.model.graph.value(tiny.k0).constant = odd;
    const auto report = run_pipeline(parse_recipe("quantize,type=Q4_K"), tiny.model, {});
    CHECK(find_report(report, "layers.0.attn.q").after == "Q4_K");
    CHECK(find_report(report, "layers.0.attn.q").bytes_after == 16 * 2 * 144);
    CHECK(find_report(report, "layers.0.attn.q").note.empty());
    CHECK(find_report(report, "layers.1.attn.q").after == "Q5_0");
    CHECK(find_report(report, "layers.1.attn.q").note == "quantize: rows of 32 are no whole blocks of Q4_K, so Q5_0");
    CHECK(find_report(report, "layers.0.attn.k").after == "f16");
    CHECK(find_report(report, "layers.0.attn.k").note == "quantize: rows of 40 are no whole blocks of Q4_K, so F16");
    run_pipeline(parse_recipe("quantize,bits=8,requantize=yes,only=q"), tiny.model, {});
    CHECK(describe(*tiny.model.graph.value(tiny.q0).constant) == "int8 block 32");
  }

  TEST_CASE("every type that can be encoded can be asked for, and stands alone") {
    const OptionRow& option = *find_option(get_pass("quantize"), "type");
    for (const BlockTypeRow& type : block_types()) {
      CAPTURE(type.name);
      CHECK(accepts(option.values, type.name) == type.can_encode());
    }
    CHECK_THROWS_WITH_AS(parse_recipe("quantize,type=Q4_0,bits=4"),
                         "line 1: type=Q4_0 says what bits= would say, leave one of them out", Error);
  }

  TEST_CASE("masks need blocks that hold zero") {
    TinyModel tiny;
    run_pipeline(parse_recipe("prune,pattern=2:4\nquantize,type=Q4_0"), tiny.model, {});
    CHECK(count_zeros(decode(*tiny.model.graph.value(tiny.q0).constant)) >= 32 * 32 / 2);
    TinyModel other;
    CHECK_THROWS_WITH_AS(run_pipeline(parse_recipe("prune,pattern=2:4\nquantize,type=Q4_1,only=q"), other.model, {}),
                         "weight 'layers.0.attn.q': Q4_1 holds no zeros, which a mask would leave: use a type that "
                         "does, such as Q4_0 or Q6_K",
                         Error);
  }

  TEST_CASE("a weight whose scales f16 cannot hold gets f32 scales") {
    TinyModel tiny;
    std::vector<float> numbers = normal_numbers(int64_t{32} * 32);
    for (float& number : numbers) {
      number *= 1e8F;
    }
    tiny.model.graph.value(tiny.q0).constant = matrix(32, 32, numbers);
    const auto report = run_pipeline(parse_recipe("quantize,only=q"), tiny.model, {});
    CHECK(tiny.model.graph.value(tiny.q0).constant->affine()->scale_dtype == DType::f32);
    CHECK(tiny.model.graph.value(tiny.q1).constant->affine()->scale_dtype == DType::f16);
    CHECK(find_report(report, "layers.0.attn.q").snr_db > 20);
    TinyModel strict = tiny;
    strict.model.graph.value(tiny.q0).constant = matrix(32, 32, numbers);
    CHECK_THROWS_WITH_AS(
        run_pipeline(parse_recipe("quantize,only=q,scale=f16"), strict.model, {}),
        "weight 'layers.0.attn.q': its largest scale is 2.1e+07, f16 holds 6.1e-05 to 65504: use scale=f32", Error);
  }

  TEST_CASE("a bf16 weight gets bf16 scales, unless told otherwise") {
    for (const auto& [recipe, expected] :
         {std::pair{"quantize,only=q", DType::bf16}, {"quantize,only=q,scale=f16", DType::f16}}) {
      TinyModel tiny;
      run_pipeline(parse_recipe("cast,dtype=bf16"), tiny.model, {});
      run_pipeline(parse_recipe(recipe), tiny.model, {});
      CHECK(tiny.model.graph.value(tiny.q0).constant->affine()->scale_dtype == expected);
      run_pipeline(parse_recipe("quantize,only=q,bits=8,requantize=yes"), tiny.model, {});
      CHECK(tiny.model.graph.value(tiny.q0).constant->affine()->scale_dtype == expected);
    }
  }

  TEST_CASE("planning sets encodings without data, and the sizes that running gives") {
    TinyModel planned, run;
    const Pipeline pipeline = parse_recipe("prune,ratio=0.5\nquantize\ncast,dtype=f16");
    const auto plan = run_pipeline(pipeline, planned.model, {.plan_only = true, .progress = {}});
    const auto real = run_pipeline(pipeline, run.model, {});
    CHECK(planned.model.graph.value(planned.q0).constant->is_planned());
    for (size_t i = 0; i < plan.weights.size(); ++i) {
      CHECK(plan.weights[i].after == real.weights[i].after);
      CHECK(plan.weights[i].bytes_after == real.weights[i].bytes_after);
    }
  }

  TEST_CASE("numbers that are not finite are an error that names the weight") {
    TinyModel tiny;
    std::vector<float> numbers = normal_numbers(int64_t{32} * 32);
    numbers[1000] = NAN;
    tiny.model.graph.value(tiny.q1).constant = matrix(32, 32, numbers);
    for (const std::string_view recipe : {"prune,pattern=2:4", "prune,ratio=0.5", "cast,dtype=bf16"}) {
      CAPTURE(recipe);
      CHECK_THROWS_WITH_AS(run_pipeline(parse_recipe(recipe), tiny.model, {}),
                           "weight 'layers.1.attn.q': holds a number that is not finite", Error);
    }
  }

  TEST_CASE("progress runs from weight to weight up to 1") {
    TinyModel tiny;
    std::vector<double> done;
    std::vector<std::string> names;
    run_pipeline(parse_recipe("prune,pattern=2:4,only=q"), tiny.model,
                 {.progress = [&](std::string_view what, double part) {
                   names.emplace_back(what);
                   done.push_back(part);
                 }});
    CHECK(names == std::vector<std::string>{"layers.0.attn.q", "layers.1.attn.q"});
    CHECK(done == std::vector<double>{0.5, 1.0});
  }

  TEST_CASE("of several passes over a weight the one that wins says what it became, and why") {
    TinyModel tiny;
    const auto report = run_pipeline(parse_recipe("quantize,type=Q4_K\nquantize,type=Q5_0,only=q"), tiny.model, {});
    CHECK(find_report(report, "layers.0.attn.q").after == "Q5_0");
    CHECK(find_report(report, "layers.0.attn.q").note.empty());
    CHECK(find_report(report, "layers.0.attn.k").note == "quantize: rows of 32 are no whole blocks of Q4_K, so Q5_0");
  }

  TEST_CASE("statistics choose codes by how large each input is, and are what errors are judged by") {
    TinyModel nearest, weighted;
    std::vector<float> means(32, 0.01F);
    means[3] = 100;
    const SavedStatistics statistics = {{"layers.0.attn.q", {means, {}}}, {"layers.0.attn.k", {means, {}}}};
    const std::string_view recipe = "quantize,only=q+k";
    const EncodingPtr before = weighted.model.graph.value(weighted.q0).constant;
    run_pipeline(parse_recipe(recipe), nearest.model, {});
    const auto report = run_pipeline(parse_recipe(recipe), weighted.model, {.statistics = &statistics});
    const auto error = [&](const TinyModel& tiny) {
      return OutputError(*before, Importance(means)).relative(*tiny.model.graph.value(tiny.q0).constant);
    };
    CHECK(error(weighted) < 0.1 * error(nearest));
    const WeightReport& q = find_report(report, "layers.0.attn.q");
    CHECK(q.solver == "weighted");
    CHECK(*q.output_error == error(weighted));
    CHECK(q.note.empty());
    const WeightReport& unknown = find_report(report, "layers.1.attn.q");
    CHECK(unknown.solver == "nearest");
    CHECK(unknown.note == "the statistics say nothing of it, so rounded to the nearest");
    CHECK_FALSE(unknown.output_error);
  }

  TEST_CASE("a weight whose inputs are all alike may as well be rounded to the nearest") {
    TinyModel tiny;
    const SavedStatistics statistics = {{"layers.0.attn.q", {std::vector<float>(32, 1), {}}}};
    const auto report =
        run_pipeline(parse_recipe("quantize,only=layers.0.attn.q"), tiny.model, {.statistics = &statistics});
    CHECK(find_report(report, "layers.0.attn.q").solver == "nearest");
  }

  TEST_CASE("statistics are not enough for solvers that let columns make up for each other") {
    TinyModel tiny;
    const SavedStatistics statistics;
    CHECK_THROWS_WITH_AS(
        run_pipeline(parse_recipe("quantize,solver=obs"), tiny.model, {.statistics = &statistics}),
        "quantize: solver=obs needs calibration data, --data: these statistics say how large each input "
        "is, not how inputs belong together, as those of --full-stats do",
        Error);
    CHECK_THROWS_WITH_AS(run_pipeline(parse_recipe("quantize,solver=weighted"), tiny.model, {}),
                         "quantize: solver=weighted needs calibration data: --data, or --stats", Error);
  }

  TEST_CASE("with samples weights are chosen by the layers' outputs, and the report says by which solver") {
    const std::filesystem::path folder = std::filesystem::path(TERSE_TESTDATA) / "lm";
    const Model original = open_model(folder / "dynamo.onnx");
    const auto data =
        calibration::read_dataset(original, {folder / "calib.npz"}, {.samples = 16, .seq_len = {}, .tokenizer = {}});
    for (const char* text : {"quantize,bits=4", "prune,ratio=0.5", "prune,pattern=2:4\nquantize,bits=4,grid=asymmetric",
                             "cluster,centroids=16", "prune,ratio=0.5,scope=global"}) {
      CAPTURE(text);
      const auto mean_error = [&](std::string_view solver) {
        Model model = original;
        model.graph = deep_copy(original.graph);
        std::string recipe = text;
        if (!solver.empty()) {
          recipe.insert(recipe.find('\n') == std::string::npos ? recipe.size() : recipe.find('\n'),
                        fmt::format(",solver={}", solver));
        }
        const auto report = run_pipeline(parse_recipe(recipe), model, {.samples = &data.samples});
        double sum = 0;
        for (const WeightReport& weight : report.weights) {
          sum += weight.output_error.value_or(0);
        }
        return sum;
      };
      CHECK(mean_error("") < 0.7 * mean_error("nearest"));
    }
  }

  TEST_CASE("a ratio that is asked for is kept to, however the solver moves the weights") {
    const std::filesystem::path folder = std::filesystem::path(TERSE_TESTDATA) / "lm";
    Model model = open_model(folder / "dynamo.onnx");
    const auto data =
        calibration::read_dataset(model, {folder / "calib.npz"}, {.samples = 8, .seq_len = {}, .tokenizer = {}});
    const auto report = run_pipeline(parse_recipe("prune,ratio=0.6"), model, {.samples = &data.samples});
    for (const WeightReport& weight : report.weights) {
      if (weight.output_error) {
        CHECK(*weight.zeros_fraction == doctest::Approx(0.6).epsilon(0.01));
      }
    }
  }

  TEST_CASE("a solver that needs data is refused without it") {
    TinyModel tiny;
    CHECK_THROWS_WITH_AS((void)run_pipeline(parse_recipe("quantize,solver=obs"), tiny.model, {}),
                         "quantize: solver=obs needs calibration data: --data", Error);
  }
}

}  // namespace
}  // namespace terse::passes
