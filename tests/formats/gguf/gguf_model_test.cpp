#include "formats/gguf/gguf_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <map>

#include "formats/error.h"
#include "formats/gguf/family.h"
#include "formats/gguf/reader.h"
#include "formats/row_order.h"
#include "tests/formats/gguf/sample.h"
#include "tests/temporary_folder.h"

namespace terse::gguf {
namespace {

namespace fs = std::filesystem;

const fs::path kModel = fs::path(TERSE_TESTDATA) / "lm";

/// A GGUF file by hand: a llama of two layers with heads of 4 rows.
struct TinyFile {
  Metadata metadata;
  std::map<std::string, Shape> shapes;

  TinyFile() {
    metadata.set("general.architecture", std::string("llama"));
    for (const auto& [key, value] : std::map<std::string, uint32_t>{{"block_count", 2},
                                                                    {"context_length", 16},
                                                                    {"embedding_length", 8},
                                                                    {"feed_forward_length", 12},
                                                                    {"attention.head_count", 2},
                                                                    {"attention.head_count_kv", 1}}) {
      metadata.set("llama." + key, value);
    }
    metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    shapes = {{"token_embd.weight", {6, 8}}, {"output_norm.weight", {8}}};
    for (const std::string layer : {"blk.0.", "blk.1."}) {
      for (const auto& [name, shape] : std::map<std::string, Shape>{{"attn_norm", {8}},
                                                                    {"attn_q", {8, 8}},
                                                                    {"attn_k", {4, 8}},
                                                                    {"attn_v", {4, 8}},
                                                                    {"attn_output", {8, 8}},
                                                                    {"ffn_norm", {8}},
                                                                    {"ffn_gate", {12, 8}},
                                                                    {"ffn_up", {12, 8}},
                                                                    {"ffn_down", {8, 12}}}) {
        shapes[layer + name + ".weight"] = shape;
      }
    }
  }

  Model open() const {
    const TemporaryFolder folder;
    std::vector<OutputTensor> tensors;
    for (const auto& [name, shape] : shapes) {
      tensors.push_back(output_tensor(name, BlockType::f32, shape));
    }
    gguf::write(metadata, tensors, folder.path() / "tiny.gguf");
    return gguf::open(folder.path() / "tiny.gguf", {});
  }
};

const Value& get_value(const Model& model, std::string_view name) {
  const auto found = std::ranges::find(model.graph.values, name, &Value::name);
  REQUIRE(found != model.graph.values.end());
  return *found;
}

bool are_equal(const EncodingPtr& a, const EncodingPtr& b) {
  return std::ranges::equal(decode(*a).values<float>(), decode(*b).values<float>());
}

TEST_SUITE("formats/gguf/gguf_model") {
  TEST_CASE("a checkpoint's weights come back bit for bit, those of rotary pairs in another order") {
    const TemporaryFolder folder;
    const Model original = open_model(kModel);
    gguf::write(original, folder.path() / "lm.gguf", {});
    const Model back = open_model(folder.path() / "lm.gguf");
    CHECK(back.format == "gguf");
    CHECK(back.checkpoint->tensors == original.checkpoint->tensors);
    for (const std::string& name : original.checkpoint->tensors) {
      CAPTURE(name);
      const EncodingPtr& found = get_value(back, name).constant;
      const int64_t heads = back.checkpoint->stored.at(name).neighbour_heads;
      CHECK((heads > 0) == (name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos));
      const EncodingPtr& expected = get_value(original, name).constant;
      CHECK(are_equal(heads > 0 ? reorder_rows(found, heads, RowOrder::halves) : found, expected));
      CHECK(found->dense()->dtype == expected->dense()->dtype);
    }
  }

  TEST_CASE("layout tells the bytes that write gives") {
    const TemporaryFolder folder;
    const Model model = open_model(kModel);
    const Layout planned = gguf::layout(model, folder.path() / "lm.gguf", {});
    gguf::write(model, folder.path() / "lm.gguf", {});
    CHECK(planned.total_bytes() == static_cast<int64_t>(fs::file_size(folder.path() / "lm.gguf")));
    CHECK(planned.entries.size() == model.checkpoint->tensors.size());
  }

  TEST_CASE("a file that is written again keeps its metadata and tensors") {
    const TemporaryFolder folder;
    gguf::write(open_model(kModel), folder.path() / "a.gguf", {});
    gguf::write(open_model(folder.path() / "a.gguf"), folder.path() / "b.gguf", {});
    const File a = read(folder.path() / "a.gguf"), b = read(folder.path() / "b.gguf");
    CHECK(a.metadata.entries == b.metadata.entries);
    REQUIRE(a.tensors.size() == b.tensors.size());
    for (const FileTensor& tensor : a.tensors) {
      CAPTURE(tensor.name);
      const FileTensor* other = b.find(tensor.name);
      REQUIRE(other != nullptr);
      CHECK(other->type == tensor.type);
      CHECK(std::ranges::equal(other->data.bytes(), tensor.data.bytes()));
    }
  }

  TEST_CASE("tensors have the names that llama.cpp gives them") {
    const auto names = tensor_names(*open_model(kModel).checkpoint);
    CHECK(names.at("model.embed_tokens.weight") == "token_embd.weight");
    CHECK(names.at("model.layers.3.mlp.down_proj.weight") == "blk.3.ffn_down.weight");
    CHECK(names.at("model.layers.0.post_attention_layernorm.weight") == "blk.0.ffn_norm.weight");
  }

  TEST_CASE("names that only look alike are no tensor's") {
    const FamilyRow& llama = get_family(*TinyFile().open().checkpoint);
    for (const std::string_view name :
         {"blk..attn_q.weight", "blk.x.attn_q.weight", "blk.1.attn_q", "attn_q.weight", "blk.1.attn_qq.weight",
          "blk.99999999999999999999.attn_q.weight", "blk.1.attn_q.", ""}) {
      CAPTURE(name);
      CHECK_FALSE(find_checkpoint_name(llama, name));
    }
    CHECK(find_checkpoint_name(llama, "blk.17.attn_q.bias")->name == "model.layers.17.self_attn.q_proj.bias");
  }

  TEST_CASE("a tiny file by hand opens") {
    const Model model = TinyFile().open();
    CHECK(model.checkpoint->family == "llama");
    CHECK(model.checkpoint->stored.at("model.layers.1.self_attn.q_proj.weight").neighbour_heads == 2);
    CHECK(model.checkpoint->stored.at("model.layers.1.self_attn.k_proj.weight").neighbour_heads == 1);
  }

  TEST_CASE("what contradicts itself is refused by name") {
    struct Case {
      std::function<void(TinyFile&)> change;
      std::string_view complaint;
    };
    const std::vector<Case> cases = {
        {[](TinyFile& f) { f.metadata.erase("general.architecture"); }, "metadata 'general.architecture' is missing"},
        {[](TinyFile& f) { f.metadata.set("general.architecture", std::string("rwkv7")); },
         "architecture 'rwkv7' is none that this version knows"},
        {[](TinyFile& f) { f.metadata.erase("llama.block_count"); }, "metadata 'llama.block_count' is missing"},
        {[](TinyFile& f) { f.metadata.set("llama.block_count", std::string("2")); },
         "metadata 'llama.block_count' is of type string"},
        {[](TinyFile& f) { f.metadata.set("llama.block_count", uint32_t{3}); }, "tensors are missing"},
        {[](TinyFile& f) { f.metadata.set("llama.block_count", uint32_t{4000000000}); }, "num_hidden_layers"},
        {[](TinyFile& f) { f.metadata.set("llama.embedding_length", uint32_t{9}); }, "has shape"},
        {[](TinyFile& f) { f.metadata.set("llama.attention.head_count", uint32_t{0}); }, "num_attention_heads"},
        {[](TinyFile& f) { f.metadata.set("llama.attention.head_count", uint32_t{3}); }, "head"},
        {[](TinyFile& f) { f.metadata.set("llama.attention.key_length", uint64_t{1} << 62); }, "head_dim"},
        {[](TinyFile& f) { f.metadata.set("llama.attention.value_length", uint32_t{8}); },
         "'llama.attention.value_length' is 8, expected 4"},
        {[](TinyFile& f) { f.metadata.set("llama.rope.dimension_count", uint32_t{2}); },
         "a llama turns whole heads, 2 of 4 dimensions were asked for"},
        {[](TinyFile& f) { f.metadata.set("llama.rope.scaling.type", std::string("magic")); },
         "'llama.rope.scaling.type' is 'magic'"},
        {[](TinyFile& f) { f.metadata.set("llama.rope.freq_base", 0.0F); }, "rope_theta"},
        {[](TinyFile& f) { f.shapes["rope_freqs.weight"] = {2}; }, "tensor rope_freqs.weight"},
        {[](TinyFile& f) { f.shapes["rope_freqs.weight"] = {7}; }, "tensor rope_freqs.weight"},
        {[](TinyFile& f) {
           f.shapes["blk.0.ssm_norm.weight"] = {2, 8};
         },
         "tensor blk.0.ssm_norm.weight"},
        {[](TinyFile& f) { f.shapes.erase("token_embd.weight"); }, "vocab_size"},
        {[](TinyFile& f) { f.shapes["token_embd.weight"] = {}; }, "vocab_size"},
    };
    for (const Case& c : cases) {
      TinyFile file;
      c.change(file);
      CAPTURE(c.complaint);
      CHECK_THROWS_WITH_AS(file.open(), doctest::Contains(std::string(c.complaint).c_str()), Error);
    }
  }

  TEST_CASE("what llama.cpp has no place for is refused before anything is written") {
    Model model = open_model(kModel);
    const auto with = [&](auto change) {
      Checkpoint checkpoint = *model.checkpoint;
      change(checkpoint);
      Model changed = model;
      changed.checkpoint = std::make_shared<const Checkpoint>(std::move(checkpoint));
      return changed;
    };
    CHECK_THROWS_WITH_AS(gguf::layout(with([](Checkpoint& c) { c.family = "electra"; }), "out.gguf", {}),
                         doctest::Contains("llama.cpp has no family electra"), Error);
    CHECK_THROWS_WITH_AS(
        gguf::layout(with([](Checkpoint& c) { c.config.replace(c.config.find("\"silu\""), 6, "\"gelu\""); }),
                     "out.gguf", {}),
        doctest::Contains("hidden_act is \"gelu\", llama.cpp computes this family with \"silu\" only"), Error);
    CHECK_THROWS_WITH_AS(
        gguf::layout(with([](Checkpoint& c) { c.stored.at("model.norm.weight").standard_name = "score.weight"; }),
                     "out.gguf", {}),
        doctest::Contains("has no place for it"), Error);
    model.checkpoint = nullptr;
    CHECK_THROWS_WITH_AS(gguf::layout(model, "out.gguf", {}), doctest::Contains("has no architecture"), Error);
  }
}

}  // namespace
}  // namespace terse::gguf
