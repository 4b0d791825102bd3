#include "formats/safetensors/compressed_tensors.h"

#include <doctest/doctest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/safetensors/lowering.h"
#include "formats/safetensors/quantized.h"
#include "tests/formats/safetensors/checkpoints.h"
#include "tests/temporary_folder.h"

namespace terse::safetensors {
namespace {

using Json = nlohmann::json;

class Bytes : public Sink {
 public:
  using Sink::write;
  void write(std::span<const std::byte> bytes) override { all_.insert(all_.end(), bytes.begin(), bytes.end()); }
  const std::vector<std::byte>& all() const { return all_; }

 private:
  std::vector<std::byte> all_;
};

Tensor stored(const StoredTensor& tensor) {
  Bytes bytes;
  tensor.write(bytes);
  Tensor copy = Tensor::uninitialized(tensor.dtype, tensor.shape);
  REQUIRE(copy.bytes().size() == bytes.all().size());
  std::ranges::copy(bytes.all(), copy.mutable_bytes().begin());
  return copy;
}

NamedTensors pack_all(const std::string& name, const EncodingPtr& weight) {
  NamedTensors tensors;
  for (const StoredTensor& tensor : pack(name, weight)) {
    tensors.tensors[tensor.name] = stored(tensor);
  }
  return tensors;
}

std::vector<uint32_t> words(const Tensor& tensor) {
  const auto values = tensor.values<int32_t>();
  return {values.begin(), values.end()};
}

std::vector<float> floats(const Encoding& encoding) {
  const Tensor decoded = decode(encoding);
  return {decoded.values<float>().begin(), decoded.values<float>().end()};
}

std::string config_of(int bits, int64_t group) {
  return Json{{"quantization_config",
               {{"quant_method", "compressed-tensors"},
                {"config_groups", {{"group_0", {{"weights", {{"num_bits", bits}, {"group_size", group}}}}}}}}}}
      .dump();
}

const Role kQ{RoleKind::q, 0}, kK{RoleKind::k, 0};

std::string error_of(TinyCheckpoint& tiny) {
  try {
    (void)lower(tiny.model);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_SUITE("formats/safetensors/compressed_tensors") {
  TEST_CASE("codes and zero points lie as compressed-tensors packs them") {  // its pack_to_int32 gave these words
    const auto four = pack_all("m.weight", affine_weight(3, 9, {.bits = 4, .group_columns = 3, .asymmetric = true}));
    CHECK(words(four.tensors.at("m.weight_packed")) ==
          std::vector<uint32_t>{0x52fc9630, 0x8, 0xa741eb85, 0xd, 0xfc9630da, 0x2});
    CHECK(words(four.tensors.at("m.weight_zero_point")) == std::vector<uint32_t>{0xa50, 0x1c7, 0x83e});
    CHECK(to_int64s(four.tensors.at("m.weight_shape")) == std::vector<int64_t>{3, 9});
    CHECK(four.tensors.at("m.weight_scale").shape() == Shape{3, 3});
    const auto eight = pack_all("m.weight", affine_weight(2, 5, {.bits = 8, .group_columns = 5}));
    CHECK(words(eight.tensors.at("m.weight_packed")) == std::vector<uint32_t>{0x09060300, 0xc, 0x0e0b0805, 0x11});
    CHECK_FALSE(eight.tensors.contains("m.weight_zero_point"));
  }

  TEST_CASE("what was packed is unpacked to the same weight") {
    for (const int bits : {2, 4, 8}) {
      for (const DType scale : {DType::f16, DType::bf16, DType::f32}) {
        for (const bool asymmetric : {false, true}) {
          for (const int64_t group : {4, 24}) {
            const EncodingPtr weight = affine_weight(
                7, 24, {.bits = bits, .group_columns = group, .scale_dtype = scale, .asymmetric = asymmetric});
            NamedTensors tensors = pack_all("a.b.weight", weight);
            unpack(tensors, config_of(bits, 4));
            CAPTURE(describe(*weight));
            CHECK(tensors.tensors.empty());
            const Encoding& found = *tensors.encoded.at("a.b.weight");
            CHECK(describe(found) == describe(*weight));
            CHECK(found.affine()->scale_dtype == scale);
            CHECK(floats(found) == floats(*weight));
          }
        }
      }
    }
  }

  TEST_CASE("8-bit codes that are stored as bytes are read") {
    NamedTensors tensors;
    tensors.tensors["m.weight"] = Tensor::of<int8_t>({2, 2}, {-128, 127, 0, 1});
    tensors.tensors["m.weight_scale"] = Tensor::of<float>({2, 1}, {0.5F, 2});
    tensors.tensors["m.weight_zero_point"] = Tensor::of<int8_t>({2, 1}, {-1, 0});
    tensors.tensors["norm.weight"] = Tensor::of<float>({1}, {1});
    unpack(tensors, config_of(8, -1));
    CHECK(floats(*tensors.encoded.at("m.weight")) == std::vector<float>{-63.5F, 64, 0, 2});
    CHECK(tensors.tensors.size() == 1);
  }

  TEST_CASE("codes of columns in an order of their own are decoded") {
    const EncodingPtr weight = affine_weight(3, 8, {.bits = 4, .group_columns = 4, .asymmetric = true});
    NamedTensors tensors = pack_all("m.weight", weight);
    tensors.tensors["m.weight_g_idx"] = Tensor::of<int32_t>({8}, {0, 0, 0, 0, 1, 1, 1, 1});
    unpack(tensors, config_of(4, 4));
    CHECK(describe(*tensors.encoded.at("m.weight")) == "uint4 block 4");
    tensors = pack_all("m.weight", weight);
    tensors.tensors["m.weight_g_idx"] = Tensor::of<int32_t>({8}, {1, 0, 0, 0, 1, 1, 1, 0});
    unpack(tensors, config_of(4, 4));
    const Encoding& found = *tensors.encoded.at("m.weight");
    CHECK(describe(found) == "f16");
    const AffineEncoding& affine = *weight->affine();
    const auto scales = to_f32(affine.scales);
    const int code = unpack_code(affine.codes.values<uint8_t>().data(), 7, 4);
    CHECK(floats(found)[7] ==
          static_cast<float>(code - affine.zero_points.values<uint8_t>()[0]) * scales.values<float>()[0]);
    CHECK(floats(found)[1] == floats(*weight)[1]);
  }

  TEST_CASE("codes of fewer than 8 bits that are stored as bytes are read in 4") {
    NamedTensors tensors;
    tensors.tensors["m.weight"] = Tensor::of<int8_t>({2, 2}, {-8, 7, 0, 1});
    tensors.tensors["m.weight_scale"] = Tensor::of<float>({2, 1}, {0.5F, 2});
    unpack(tensors, config_of(4, -1));
    CHECK(floats(*tensors.encoded.at("m.weight")) == std::vector<float>{-4, 3.5F, 0, 2});
    CHECK(describe(*tensors.encoded.at("m.weight")) == "int4 channel");
    tensors.tensors["m.weight"] = Tensor::of<int8_t>({1, 1}, {8});
    tensors.tensors["m.weight_scale"] = Tensor::of<float>({1, 1}, {1});
    CHECK_THROWS_WITH_AS(unpack(tensors, config_of(4, -1)), "tensor m.weight has a code 8, which 4 bits do not hold",
                         Error);
  }

  TEST_CASE("scales of activations and caches are left out, floats of 4 bits refused") {
    NamedTensors tensors = pack_all("m.weight", affine_weight(3, 8, {.bits = 4, .group_columns = 4}));
    tensors.tensors["m.input_scale"] = Tensor::of<float>({1}, {1});
    tensors.tensors["attn.k_scale"] = Tensor::of<float>({1}, {1});
    unpack(tensors, config_of(4, 4));
    CHECK(tensors.tensors.empty());
    tensors.tensors["m.weight_packed"] = Tensor::make(DType::u8, {2, 2});
    tensors.tensors["m.weight_global_scale"] = Tensor::of<float>({1}, {1});
    CHECK_THROWS_WITH_AS(unpack(tensors, config_of(4, 16)),
                         "tensor m.weight is in floats of 4 bits, which this version does not read: start from the "
                         "model that was quantized",
                         Error);
  }

  TEST_CASE("one scale may serve the whole weight") {
    NamedTensors tensors;
    tensors.tensors["m.weight"] = Tensor::of<int8_t>({2, 1}, {3, -4});
    tensors.tensors["m.weight_scale"] = Tensor::of<BFloat16>({1}, {to_bfloat16(0.5F)});
    unpack(tensors, config_of(8, -1));
    CHECK(floats(*tensors.encoded.at("m.weight")) == std::vector<float>{1.5F, -2});
  }

  TEST_CASE("tensors that contradict each other, or are missing, are errors") {
    const auto good = [] {
      return pack_all("m.weight", affine_weight(4, 8, {.bits = 4, .group_columns = 4, .asymmetric = true}));
    };
    for (const auto& [name, wrong] : std::vector<std::pair<std::string, Tensor>>{
             {"m.weight_packed", Tensor::make(DType::i32, {3, 1})},
             {"m.weight_packed", Tensor::make(DType::i32, {4, 9})},
             {"m.weight_packed", Tensor::make(DType::i32, {4})},
             {"m.weight_packed", Tensor::make(DType::u8, {4, 4})},
             {"m.weight_scale", Tensor::make(DType::f16, {4, 3})},
             {"m.weight_scale", Tensor::make(DType::f16, {4, 4})},
             {"m.weight_scale", Tensor::make(DType::f16, {4, 0})},
             {"m.weight_scale", Tensor::make(DType::i32, {4, 2})},
             {"m.weight_scale", {}},
             {"m.weight_zero_point", Tensor::make(DType::i32, {2, 2})},
             {"m.weight_zero_point", Tensor::make(DType::f16, {4, 2})},
             {"m.weight_shape", Tensor::of<int64_t>({2}, {4, -8})},
             {"m.weight_shape", Tensor::of<int64_t>({2}, {4, INT64_MAX})},
             {"m.weight_shape", Tensor::of<int64_t>({2}, {0, 8})},
             {"m.weight_shape", Tensor::of<int64_t>({1}, {4})},
             {"m.weight_shape", {}},
             {"m.weight_g_idx", Tensor::make(DType::i32, {7})},
             {"m.weight_g_idx", Tensor::of<int32_t>({8}, {0, 1, 0, 1, 0, 1, 0, 2})},
             {"m.weight_g_idx", Tensor::of<int32_t>({8}, {0, 1, 0, 1, 0, 1, 0, -2})},
         }) {
      NamedTensors tensors = good();
      tensors.tensors.erase(name);
      if (!wrong.empty()) {
        tensors.tensors[name] = wrong;
      }
      CAPTURE(name);
      CAPTURE(to_string(wrong.shape()));
      CHECK_THROWS_AS(unpack(tensors, config_of(4, 4)), Error);
    }
    NamedTensors tensors = good();
    CHECK_THROWS_AS(unpack(tensors, config_of(8, 4)), Error);
    tensors = good();
    unpack(tensors, "{}");
    CHECK(tensors.encoded.empty());
  }

  TEST_CASE("what the form cannot hold is refused before any work, with its cure") {
    struct Row {
      std::string expected;
      EncodingPtr weight;
      Role role{RoleKind::up, 0};
    };
    const AffineEncoding plain{.bits = 4, .group_columns = 8};
    auto whole = plain, crooked = plain, wide = plain;
    whole.group_rows = 4;
    crooked.group_columns = 3;
    wide.scale_dtype = DType::f32;
    for (const Row& row : {
             Row{"is a table", affine_weight(4, 8, plain), {RoleKind::embedding}},
             Row{"is a table", affine_weight(4, 8, plain), {RoleKind::position}},
             Row{"is a router", affine_weight(4, 8, plain), {RoleKind::router, 0}},
             Row{"has a scale for all rows: quantize with block=channel", affine_weight(4, 8, whole)},
             Row{"has blocks of 3 columns, which do not divide its 8", affine_weight(4, 8, crooked)},
             Row{"has scales in f32, which readers round to the model's f16: quantize with scale=f16",
                 affine_weight(4, 8, wide)},
             Row{"is to be stored as codebook 16 row",
                 std::make_shared<const Encoding>(Encoding{.shape = {4, 8}, .form = CodebookEncoding{}})},
         }) {
      TinyCheckpoint tiny;
      tiny.add("m.weight", row.weight, {row.role});
      const std::string error = error_of(tiny);
      CAPTURE(error);
      CHECK(error.starts_with("tensor m.weight " + row.expected));
      CHECK(error.find("target safetensors: compressed-tensors holds") != std::string::npos);
    }
    TinyCheckpoint conv;
    const ValueId id = conv.add("h.0.c_fc.weight", make_dense_transposed(Tensor::make(DType::f16, {8, 4})));
    conv.model.graph.value(id).constant = affine_weight(4, 8, plain);
    CHECK(error_of(conv).starts_with("tensor h.0.c_fc.weight is stored [in,out]: its module is a Conv1D"));
  }

  TEST_CASE("weights that runtimes compute as one product must be alike") {
    const AffineEncoding four{.bits = 4, .group_columns = 4}, eight{.bits = 8, .group_columns = 4};
    TinyCheckpoint tiny;
    tiny.add("q.weight", affine_weight(4, 8, four), {kQ});
    tiny.add("k.weight", affine_weight(2, 8, four), {kK});
    CHECK(error_of(tiny).empty());
    tiny.add("v.weight", dense_weight(DType::f16, {2, 8}), {{RoleKind::v, 0}});
    CHECK(error_of(tiny).starts_with("tensors k.weight and v.weight are int4 block 4 and f16: "));
    TinyCheckpoint narrow;
    narrow.add("q.weight", affine_weight(4, 8, four), {kQ});
    narrow.add("v.weight", affine_weight(4, 4, four), {{RoleKind::v, 0}});
    CHECK(error_of(narrow).empty());  // of another input, as MobileBERT's
    TinyCheckpoint mixed;
    mixed.add("gate.weight", affine_weight(4, 8, four), {{RoleKind::gate, 1}});
    mixed.add("up.weight", affine_weight(4, 8, eight), {{RoleKind::up, 1}});
    mixed.add("other_layer.weight", affine_weight(4, 8, eight), {{RoleKind::up, 2}});
    CHECK(error_of(mixed).starts_with("tensors gate.weight and up.weight are int4 block 4 and int8 block 4: "));
  }

  TEST_CASE("one scheme for all Linear modules names their class and lists those left out") {
    TinyCheckpoint tiny;
    for (const char* name : {"model.layers.0.up.weight", "model.layers.1.up.weight"}) {
      tiny.add(name, affine_weight(4, 8, {.bits = 8, .group_columns = 8}), {{RoleKind::up}});
    }
    tiny.add("embed.weight", dense_weight(DType::f16, {4, 8}), {{RoleKind::embedding}});
    tiny.add("lm_head.weight", dense_weight(DType::f16, {4, 8}), {{RoleKind::head}});
    const Json config = Json::parse(lower(tiny.model).config)["quantization_config"];
    CHECK(config["format"] == "pack-quantized");
    CHECK(config["config_groups"].size() == 1);
    CHECK(config["config_groups"]["group_0"]["targets"] == Json{"Linear"});
    CHECK(config["config_groups"]["group_0"]["weights"] ==
          Json{{"num_bits", 8}, {"type", "int"}, {"symmetric", true}, {"strategy", "channel"}, {"dynamic", false}});
    CHECK(config["ignore"] == Json{"lm_head"});
    CHECK_FALSE(config.contains("dequantize"));
  }

  TEST_CASE("zero points and models of sentence-transformers are dequantized when they are loaded") {
    const TemporaryFolder folder;
    write_text(folder.path() / "modules.json", "[]");
    for (const bool asymmetric : {false, true}) {
      for (const bool is_sentence_model : {false, true}) {
        CAPTURE(asymmetric);
        CAPTURE(is_sentence_model);
        TinyCheckpoint tiny(is_sentence_model ? folder.path() : std::filesystem::path());
        tiny.add("model.layers.0.up.weight",
                 affine_weight(4, 8, {.bits = 4, .group_columns = 4, .asymmetric = asymmetric}));
        const Json config = Json::parse(lower(tiny.model).config)["quantization_config"];
        CHECK(config.contains("dequantize") == (asymmetric || is_sentence_model));
      }
    }
  }

  TEST_CASE("with a tied head, or several schemes, modules are named by patterns") {
    const AffineEncoding four{.bits = 4, .group_columns = 4, .asymmetric = true}, eight{.bits = 8, .group_columns = 4};
    TinyCheckpoint tiny;
    tiny.add("embed.weight", dense_weight(DType::f16, {4, 8}), {{RoleKind::embedding}, {RoleKind::head}});
    tiny.add("model.layers.0.mlp.up.weight", affine_weight(4, 8, four));
    tiny.add("model.layers.1.mlp.up.weight", affine_weight(4, 8, four));
    tiny.add("model.layers.0.mlp.down.weight", affine_weight(4, 8, eight));
    tiny.add("model.layers.1.mlp.down.weight", affine_weight(4, 8, four));
    tiny.add("bert.pooler.dense.weight", dense_weight(DType::f16, {4, 8}));
    const Json config = Json::parse(lower(tiny.model).config)["quantization_config"];
    const Json& groups = config["config_groups"];
    CHECK(groups["group_0"]["targets"] == Json{R"(re:(.*\.)?mlp\.up$)", R"(re:(.*\.)?layers\.1\.mlp\.down$)"});
    CHECK(groups["group_0"]["weights"]["group_size"] == 4);
    CHECK(groups["group_0"]["weights"]["symmetric"] == false);
    CHECK(groups["group_1"]["targets"] == Json{R"(re:(.*\.)?layers\.0\.mlp\.down$)"});
    CHECK(config["ignore"] == Json{"bert.pooler.dense", "lm_head"});
  }
}

}  // namespace
}  // namespace terse::safetensors
