#include "formats/safetensors/quantized.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "formats/error.h"
#include "formats/source_notes.h"
#include "tests/formats/safetensors/checkpoints.h"

namespace terse::safetensors {
namespace {

using Json = nlohmann::json;

std::vector<float> floats(const NamedTensors& tensors) {
  const Tensor decoded = decode(*tensors.encoded.at("m.weight"));
  return {decoded.values<float>().begin(), decoded.values<float>().end()};
}

Tensor words(Shape shape, std::vector<uint32_t> values) {
  return Tensor::of<uint32_t>(shape, values).reinterpreted(DType::i32, shape);
}

Tensor halves(Shape shape, std::vector<float> values) {
  return from_f32(Tensor::of<float>(std::move(shape), values), DType::f16);
}

std::string config_of(const Json& quantization) { return Json{{"quantization_config", quantization}}.dump(); }
std::string gptq(int bits, int group, const std::string& form = "gptq") {
  return config_of({{"quant_method", "gptq"}, {"bits", bits}, {"group_size", group}, {"checkpoint_format", form}});
}
std::string awq(const std::string& version) {
  return config_of({{"quant_method", "awq"}, {"bits", 4}, {"group_size", 8}, {"version", version}});
}

/// Two rows of 8 columns, in groups of 4: codes 0 to 7 and 8 to 15, zero points 8 and 1 in the first group, 4 and 15 in
/// the second.
NamedTensors gptq_tensors() {
  NamedTensors tensors;
  tensors.tensors["m.qweight"] = words({1, 2}, {0x76543210, 0xfedcba98});
  tensors.tensors["m.qzeros"] = words({2, 1}, {0x07, 0xe3});
  tensors.tensors["m.scales"] = halves({2, 2}, {1, 2, 0.5F, 4});
  tensors.tensors["m.g_idx"] = Tensor::of<int32_t>({8}, {0, 0, 0, 0, 1, 1, 1, 1});
  return tensors;
}

const std::vector<float> kGptq = {-8, -7, -6, -5, 0, 0.5F, 1, 1.5F, 14, 16, 18, 20, -12, -8, -4, 0};

TEST_SUITE("formats/safetensors/quantized") {
  TEST_CASE("GPTQ's codes lie along the columns, its zero points along the rows") {
    NamedTensors tensors = gptq_tensors();
    unpack(tensors, gptq(4, 4));
    CHECK(tensors.tensors.empty());
    CHECK(floats(tensors) == kGptq);
    CHECK(describe(*tensors.encoded.at("m.weight")) == "uint4 block 4");
  }

  TEST_CASE("version 2 of GPTQ's form stores zero points as they are") {
    NamedTensors tensors = gptq_tensors();
    tensors.tensors["m.qzeros"] = words({2, 1}, {0x18, 0xf4});
    unpack(tensors, gptq(4, 4, "gptq_v2"));
    CHECK(floats(tensors) == kGptq);
  }

  TEST_CASE("a zero point of 0 borrowed from its neighbour in version 1, and gets that back") {
    NamedTensors tensors = gptq_tensors();
    tensors.tensors["m.qzeros"] = words({2, 1}, {0x10U - 0x11111111U, 0xe3});
    unpack(tensors, gptq(4, 4));
    CHECK(floats(tensors)[0] == 0);
    CHECK(floats(tensors)[8] == 14);
  }

  TEST_CASE("g_idx may be absent, and an order of columns is decoded") {
    NamedTensors tensors = gptq_tensors();
    tensors.tensors.erase("m.g_idx");
    unpack(tensors, gptq(4, 4));
    CHECK(floats(tensors) == kGptq);
    tensors = gptq_tensors();
    tensors.tensors["m.g_idx"] = Tensor::of<int32_t>({8}, {1, 0, 0, 0, 0, 1, 1, 1});
    unpack(tensors, gptq(4, 4));
    CHECK(describe(*tensors.encoded.at("m.weight")) == "f16");
    CHECK(floats(tensors) == std::vector<float>{-2, -7, -6, -5, -4, 0.5F, 1, 1.5F,  //
                                                -28, 16, 18, 20, 22, -8, -4, 0});
  }

  TEST_CASE("zero points in the middle are none, and 3 bits become 4") {
    NamedTensors tensors;
    // 0 to 7, and again: 32 codes in three words, with two of them across.
    tensors.tensors["m.qweight"] = words({3, 1}, {0x88fac688, 0xc688fac6, 0xfac688fa});
    tensors.tensors["m.qzeros"] = words({1, 1}, {3});
    tensors.tensors["m.scales"] = halves({1, 1}, {2});
    unpack(tensors, gptq(3, -1));
    CHECK(describe(*tensors.encoded.at("m.weight")) == "int4 channel");
    for (size_t i = 0; i < 32; ++i) {
      CHECK(floats(tensors)[i] == 2 * (static_cast<float>(i % 8) - 4));
    }
  }

  TEST_CASE("AWQ interleaves eight rows in a word") {
    NamedTensors tensors;
    // Column 0 has the rows' numbers as codes, column 1 has 8 everywhere.
    tensors.tensors["m.qweight"] = words({2, 1}, {0x75316420, 0x88888888});
    tensors.tensors["m.qzeros"] = words({1, 1}, {0x75316420});
    tensors.tensors["m.scales"] = halves({1, 8}, {1, 1, 1, 1, 1, 1, 1, 2});
    unpack(tensors, awq("gemm"));
    CHECK(floats(tensors) == std::vector<float>{0, 8, 0, 7, 0, 6, 0, 5, 0, 4, 0, 3, 0, 2, 0, 2});
  }

  TEST_CASE("AWQ for gemv has columns in order, and pads the groups") {
    NamedTensors tensors;
    tensors.tensors["m.qweight"] = words({1, 2}, {0x76543210, 0xfedcba98});
    tensors.tensors["m.qzeros"] = words({1, 1}, {0x98});
    tensors.tensors["m.scales"] = halves({1, 8}, {1, 2, 0, 0, 0, 0, 0, 0});
    unpack(tensors, awq("GEMV"));
    CHECK(floats(tensors) == std::vector<float>{-8, -7, -6, -5, -4, -3, -2, -1, -2, 0, 2, 4, 6, 8, 10, 12});
  }

  TEST_CASE("floats of 8 bits are decoded with a scale for all, a row, or a block") {
    struct Row {
      std::string suffix;
      Tensor scales;
      std::vector<float> expected;
    };
    for (const Row& row : {
             Row{"_scale", Tensor::of<float>({1}, {2}), {2, -0.00390625F, 896, 0, 3, 0.03125F}},
             Row{"_scale", Tensor::of<float>({2, 1}, {1, 4}), {1, -0.001953125F, 448, 0, 6, 0.0625F}},
             Row{"_scale_inv", Tensor::of<float>({2, 2}, {1, 2, 4, 8}), {1, -0.001953125F, 896, 0, 6, 0.125F}},
         }) {
      NamedTensors tensors;
      tensors.tensors["m.weight"] =
          Tensor::of<uint8_t>({2, 3}, {0x38, 0x81, 0x7e, 0, 0x3c, 0x08}).reinterpreted(DType::f8e4m3fn, {2, 3});
      tensors.tensors["m.weight" + row.suffix] = row.scales;
      unpack(tensors, config_of({{"quant_method", "fp8"}, {"weight_block_size", {1, 2}}}));
      CHECK(floats(tensors) == row.expected);
      CHECK(describe(*tensors.encoded.at("m.weight")) == "bf16");
      CHECK(tensors.tensors.empty());
    }
    NamedTensors tensors;
    tensors.tensors["m.weight"] = Tensor::of<uint8_t>({1, 3}, {0x3c, 0xc1, 0x01}).reinterpreted(DType::f8e5m2, {1, 3});
    tensors.tensors["m.weight_scale"] = halves({1, 1}, {1});
    unpack(tensors, config_of({{"quant_method", "compressed-tensors"}}));
    CHECK(floats(tensors) == std::vector<float>{1, -2.5F, 0.0000152587890625F});
    CHECK(describe(*tensors.encoded.at("m.weight")) == "f16");
  }

  TEST_CASE("a scale of floats of 8 bits that fits no block is an error") {
    for (const Tensor& scales : {Tensor::make(DType::f32, {2, 2}), Tensor::make(DType::f32, {3}),
                                 Tensor::make(DType::f32, {0}), Tensor::make(DType::i32, {1})}) {
      NamedTensors tensors;
      tensors.tensors["m.weight"] = Tensor::make(DType::f8e4m3fn, {2, 3});
      tensors.tensors["m.weight_scale"] = scales;
      CHECK_THROWS_AS(unpack(tensors, config_of({{"quant_method", "fp8"}})), Error);
    }
  }

  TEST_CASE("tensors that contradict each other, or are missing, are errors") {
    for (const auto& [name, wrong] : std::vector<std::pair<std::string, Tensor>>{
             {"m.qweight", words({2, 2}, {0, 0, 0, 0})},
             {"m.qweight", words({2}, {0, 0})},
             {"m.qweight", Tensor::make(DType::i32, {0, 2})},
             {"m.qweight", Tensor::make(DType::f16, {1, 2})},
             {"m.qzeros", words({1, 1}, {0})},
             {"m.qzeros", words({2, 2}, {0, 0, 0, 0})},
             {"m.qzeros", {}},
             {"m.scales", halves({2, 3}, {0, 0, 0, 0, 0, 0})},
             {"m.scales", Tensor::make(DType::f16, {0, 2})},
             {"m.scales", Tensor::make(DType::i32, {2, 2})},
             {"m.scales", {}},
             {"m.g_idx", Tensor::make(DType::i32, {9})},
             {"m.g_idx", Tensor::of<int32_t>({8}, {0, 0, 0, 0, 1, 1, 1, 2})},
             {"m.g_idx", Tensor::of<int32_t>({8}, {0, 0, 0, 0, 1, 1, 1, -1})},
             {"m.g_idx", Tensor::make(DType::i32, {2, 4})},
         }) {
      NamedTensors tensors = gptq_tensors();
      tensors.tensors.erase(name);
      if (!wrong.empty()) {
        tensors.tensors[name] = wrong;
      }
      CAPTURE(name);
      CAPTURE(to_string(wrong.shape()));
      CHECK_THROWS_AS(unpack(tensors, gptq(4, 4)), Error);
    }
    for (const auto& [version, name, wrong] : std::vector<std::tuple<std::string, std::string, Tensor>>{
             {"gemm", "m.qzeros", words({2, 1}, {0, 0})},
             {"gemm", "m.scales", halves({3, 8}, std::vector<float>(24))},
             {"gemm", "m.scales", halves({1, 7}, std::vector<float>(7))},
             {"gemm", "m.scales", {}},
             {"gemv", "m.qzeros", words({1, 1}, {0})},
             {"gemv", "m.qzeros", {}},
             {"gemv", "m.scales", halves({2, 7}, std::vector<float>(14))},
             {"gemv", "m.qweight", words({2, 9}, std::vector<uint32_t>(18))},
         }) {
      NamedTensors tensors;  // two columns of eight rows, or two rows of eight columns
      tensors.tensors["m.qweight"] = words({2, 1}, {0, 0});
      tensors.tensors["m.qzeros"] = version == "gemm" ? words({1, 1}, {0}) : words({2, 1}, {0, 0});
      tensors.tensors["m.scales"] =
          version == "gemm" ? halves({1, 8}, std::vector<float>(8)) : halves({2, 8}, std::vector<float>(16));
      NamedTensors right = tensors;
      CHECK_NOTHROW(unpack(right, awq(version)));
      tensors.tensors.erase(name);
      if (!wrong.empty()) {
        tensors.tensors[name] = wrong;
      }
      CAPTURE(version);
      CAPTURE(name);
      CHECK_THROWS_AS(unpack(tensors, awq(version)), Error);
    }
  }

  TEST_CASE("modules may have another number of bits where the configuration says that some do") {
    NamedTensors tensors = gptq_tensors();
    tensors.tensors["m.qweight"] = words({2, 2}, {0x03020100, 0x0b0a0908, 0x07060504, 0x0f0e0d0c});
    tensors.tensors["m.qzeros"] = words({2, 1}, {0x0007, 0x0e03});
    CHECK_THROWS_AS(unpack(tensors, gptq(4, 4)), Error);
    tensors = gptq_tensors();
    tensors.tensors["m.qweight"] = words({2, 2}, {0x03020100, 0x0b0a0908, 0x07060504, 0x0f0e0d0c});
    tensors.tensors["m.qzeros"] = words({2, 1}, {0x0007, 0x0e03});
    unpack(tensors,
           config_of({{"quant_method", "gptq"}, {"bits", 4}, {"group_size", 4}, {"dynamic", {{"m", {{"bits", 8}}}}}}));
    CHECK(floats(tensors) == kGptq);
  }

  TEST_CASE("what a checkpoint asks for beside its weights is noted") {
    const auto notes = [](const Json& quantization) {
      return source_notes(TinyCheckpoint({}, config_of(quantization)).model);
    };
    const Json scheme = {{"weights", {{"num_bits", 8}}}, {"input_activations", {{"num_bits", 8}}}};
    CHECK(notes({{"config_groups", {{"group_0", {{"input_activations", nullptr}}}}}, {"kv_cache_scheme", nullptr}})
              .empty());
    CHECK(notes({{"config_groups", {{"group_0", scheme}}}}) ==
          std::vector<std::string>{"quantization_config asks for quantized activations, which stay in floats"});
    CHECK(notes({{"kv_cache_scheme", {{"num_bits", 8}}}}).size() == 1);
    CHECK(source_notes(TinyCheckpoint().model).empty());
  }

  TEST_CASE("what is not read is said in a sentence") {
    struct Row {
      Json config;
      std::string error;
    };
    for (const Row& row : {
             Row{{{"quant_method", "bitsandbytes"}},
                 "config.json: quantization_config: quant_method 'bitsandbytes', this version reads awq, "
                 "compressed-tensors, fp8, gptq: start from the model that was quantized"},
             Row{{{"quant_method", "gptq"}, {"bits", 4}, {"checkpoint_format", "marlin"}},
                 "quantization_config: checkpoint_format 'marlin', this version reads gptq and gptq_v2"},
             Row{{{"quant_method", "gptq"}, {"bits", 4}, {"is_marlin_format", true}},
                 "quantization_config: checkpoint_format 'marlin', this version reads gptq and gptq_v2"},
             Row{{{"quant_method", "awq"}, {"bits", 4}, {"version", "gemv_fast"}},
                 "quantization_config: AWQ in the form 'gemv_fast', this version reads gemm and gemv"},
             Row{{{"quant_method", "awq"}, {"bits", 3}}, "quantization_config: 3 bits, AWQ's files have 4"},
             Row{{{"quant_method", "gptq"}}, "quantization_config: 'bits' is missing"},
         }) {
      NamedTensors tensors = gptq_tensors();
      CHECK_THROWS_WITH_AS(unpack(tensors, config_of(row.config)), row.error.c_str(), Error);
    }
  }
}

}  // namespace
}  // namespace terse::safetensors
