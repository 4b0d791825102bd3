#include "formats/roles.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <map>

#include "formats/model.h"

namespace terse {
namespace {

std::string describe(const Value& value) {
  std::string text;
  for (const Role& role : value.roles) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", name(role.kind));
    text += role.layer < 0 ? "" : fmt::format(".{}", role.layer);
    text += role.expert < 0 ? "" : fmt::format(" expert {}", role.expert);
  }
  return text;
}

using Roles = std::map<std::string, std::string>;

/// Display name -> roles of every float constant that is more than a single number.
Roles roles_of(const std::string& file) {
  const Model model = open_model(std::string(TERSE_TESTDATA) + "/" + file);
  Roles roles;
  for (const Value& value : model.graph.values) {
    if (!value.roles.empty() && value.constant->rows() * value.constant->columns() > 1) {
      CHECK(roles.emplace(value.display_name, describe(value)).second);
    }
  }
  return roles;
}

/// Rows for one layer each: a suffix of the name and the kind.
using LayerRows = std::vector<std::pair<std::string, std::string>>;

void add_layers(Roles& roles, const std::string& prefix, int count, const LayerRows& rows) {
  for (int layer = 0; layer < count; ++layer) {
    for (const auto& [suffix, kind] : rows) {
      roles[fmt::format("{}.{}.{}", prefix, layer, suffix)] = fmt::format("{}.{}", kind, layer);
    }
  }
}

void check_equal(const Roles& found, const Roles& expected) {
  for (const auto& [name, role] : expected) {
    CAPTURE(name);
    REQUIRE(found.contains(name));
    CHECK(found.at(name) == role);
  }
  CHECK(found.size() == expected.size());
}

TEST_SUITE("formats/roles") {
  TEST_CASE("kinds and names belong together") {
    for (int i = 0; i <= static_cast<int>(RoleKind::other); ++i) {
      const auto kind = static_cast<RoleKind>(i);
      CAPTURE(i);
      CHECK(find_role_kind(name(kind)) == kind);
    }
    CHECK_FALSE(find_role_kind("attention"));
  }

  TEST_CASE("a language model's weights have their roles and names, whichever exporter wrote it") {
    struct Row {
      const char* file;
      const char* table;
      const char* frequencies;
    };
    const std::vector<Row> rows = {
        {"lm/dynamo.onnx", "model.lm_head.weight", "model.model.rotary_emb.inv_freq"},
        {"lm/torchscript.onnx", "model.model.embed_tokens.weight", "/model/model/rotary_emb/Constant_1_output_0"}};
    for (const Row& row : rows) {
      CAPTURE(row.file);
      Roles expected = {{row.table, "embedding head"}, {row.frequencies, "other"}, {"model.model.norm.weight", "norm"}};
      add_layers(expected, "model.model.layers", 4,
                 {{"input_layernorm.weight", "norm"},
                  {"self_attn.q_proj.weight", "q"},
                  {"self_attn.k_proj.weight", "k"},
                  {"self_attn.v_proj.weight", "v"},
                  {"self_attn.o_proj.weight", "attention_output"},
                  {"post_attention_layernorm.weight", "norm"},
                  {"mlp.gate_proj.weight", "gate"},
                  {"mlp.up_proj.weight", "up"},
                  {"mlp.down_proj.weight", "down"}});
      check_equal(roles_of(row.file), expected);
    }
  }

  TEST_CASE("a classifier's weights have their roles and names, whichever exporter wrote it") {
    for (const char* file : {"classifier/dynamo.onnx", "classifier/torchscript.onnx"}) {
      CAPTURE(file);
      Roles expected = {{"model.bert.embeddings.word_embeddings.weight", "embedding"},
                        {"model.bert.embeddings.position_embeddings.weight", "position"},
                        {"model.bert.embeddings.token_type_embeddings.weight", "embedding"},
                        {"model.bert.embeddings.LayerNorm.weight", "norm"},
                        {"model.bert.embeddings.LayerNorm.bias", "norm"},
                        {"model.bert.pooler.dense.weight", "pooler"},
                        {"model.bert.pooler.dense.bias", "bias"},
                        {"model.classifier.weight", "classifier"},
                        {"model.classifier.bias", "bias"}};
      add_layers(expected, "model.bert.encoder.layer", 2,
                 {{"attention.self.query.weight", "q"},
                  {"attention.self.query.bias", "bias"},
                  {"attention.self.key.weight", "k"},
                  {"attention.self.key.bias", "bias"},
                  {"attention.self.value.weight", "v"},
                  {"attention.self.value.bias", "bias"},
                  {"attention.output.dense.weight", "attention_output"},
                  {"attention.output.dense.bias", "bias"},
                  {"attention.output.LayerNorm.weight", "norm"},
                  {"attention.output.LayerNorm.bias", "norm"},
                  {"intermediate.dense.weight", "up"},
                  {"intermediate.dense.bias", "bias"},
                  {"output.dense.weight", "down"},
                  {"output.dense.bias", "bias"},
                  {"output.LayerNorm.weight", "norm"},
                  {"output.LayerNorm.bias", "norm"}});
      check_equal(roles_of(file), expected);
    }
  }
}

}  // namespace
}  // namespace terse
