#include "passes/saved_statistics.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "formats/gguf/imatrix_writer.h"
#include "tests/passes/models.h"

namespace terse::passes {
namespace {

const std::map<std::string, std::string> kNames = {{"layers.0.attn.q", "blk.0.attn_q.weight"},
                                                   {"layers.0.mlp.up", "blk.0.ffn_up_exps.weight"},
                                                   {"layers.1.mlp.down", "blk.0.ffn_up_exps.weight"},
                                                   {"filter", "filter.weight"}};

gguf::ColumnSums sums(int64_t columns, std::vector<int64_t> counts) {
  gguf::ColumnSums sums{.squares = {}, .counts = std::move(counts)};
  for (int64_t i = 0; i < columns * sums.matrices(); ++i) {
    sums.squares.push_back(sums.counts[static_cast<size_t>(i / columns)] == 0 ? 0 : static_cast<double>(i));
  }
  return sums;
}

/// The model with two of its matrices made experts of one tensor.
struct ExpertModel : TinyModel {
  ExpertModel() {
    model.graph.value(up0).roles = {{RoleKind::up, 0, 0}};
    model.graph.value(down1).roles = {{RoleKind::up, 0, 1}};
  }
};

std::string message_of(const gguf::Imatrix& matrix) {
  try {
    saved_statistics(matrix, kNames, ExpertModel().model.graph);
  } catch (const Error& error) {
    CHECK(error.kind() == Kind::input);
    return error.what();
  }
  return "";
}

TEST_SUITE("passes/saved_statistics") {
  TEST_CASE("weights get the means of their own entry, experts those of their matrix") {
    ExpertModel tiny;
    const gguf::Imatrix matrix{.entries = {{"blk.0.attn_q.weight", sums(32, {2})},
                                           {"blk.0.ffn_up_exps.weight", sums(32, {1, 4})},
                                           {"blk.9.attn_q.weight", sums(7, {1})}}};
    const SavedStatistics statistics = saved_statistics(matrix, kNames, tiny.model.graph);
    REQUIRE(statistics.size() == 3);
    CHECK(statistics.at("layers.0.attn.q").means[5] == 2.5F);
    CHECK(statistics.at("layers.0.mlp.up").means[5] == 5);
    CHECK(statistics.at("layers.1.mlp.down").means[5] == 37.0F / 4);
  }

  TEST_CASE("matrices of a stack get those of an entry's matrices, by the names they are split into") {
    Graph graph;
    add_weight(graph, "stack", make_dense(Tensor::make(DType::f32, {2, 3, 4})), {{RoleKind::up, 0}});
    const SavedStatistics statistics =
        saved_statistics({.entries = {{"up_exps", sums(4, {2, 1})}}}, {{"stack", "up_exps"}}, graph);
    REQUIRE(statistics.size() == 2);
    CHECK(statistics.at("stack.0").means == std::vector<float>{0, 0.5, 1, 1.5});
    CHECK(statistics.at("stack.1").means == std::vector<float>{4, 5, 6, 7});
  }

  TEST_CASE("experts that share no entry are the only matrix of their own") {
    ExpertModel tiny;
    const SavedStatistics statistics =
        saved_statistics({.entries = {{"own", sums(32, {1})}}}, {{"layers.1.mlp.down", "own"}}, tiny.model.graph);
    CHECK(statistics.at("layers.1.mlp.down").means[5] == 5);
  }

  TEST_CASE("the old form's long entry is cut into experts") {
    ExpertModel tiny;
    const gguf::Imatrix matrix{.entries = {{"blk.0.ffn_up_exps.weight", sums(64, {2})}}};
    const SavedStatistics statistics = saved_statistics(matrix, kNames, tiny.model.graph);
    CHECK(statistics.at("layers.0.mlp.up").means[5] == 2.5F);
    CHECK(statistics.at("layers.1.mlp.down").means[5] == 37.0F / 2);
  }

  TEST_CASE("an expert that no row has reached has no statistics") {
    ExpertModel tiny;
    const gguf::Imatrix matrix{.entries = {{"blk.0.ffn_up_exps.weight", sums(32, {3, 0})}}};
    const SavedStatistics statistics = saved_statistics(matrix, kNames, tiny.model.graph);
    CHECK(statistics.contains("layers.0.mlp.up"));
    CHECK_FALSE(statistics.contains("layers.1.mlp.down"));
  }

  TEST_CASE("statistics of another model are refused") {
    CHECK(message_of({.entries = {{"blk.0.attn_q.weight", sums(48, {1})}}}) ==
          "weight 'layers.0.attn.q': has statistics of 48 columns, expected 32: they are of another model");
    CHECK(message_of({.entries = {{"blk.0.attn_q.weight", sums(64, {1})}}}) ==
          "weight 'layers.0.attn.q': has statistics of 64 columns, expected 32: they are of another model");
    CHECK(message_of({.entries = {{"blk.0.ffn_up_exps.weight", sums(32, {1})}}}) ==
          "weight 'layers.1.mlp.down': has statistics of 1 experts, and is expert 1");
    CHECK(message_of({.entries = {{"blk.77.attn_q.weight", sums(32, {1})}}}) ==
          "names none of the model's weights: an entry is 'blk.77.attn_q.weight', a weight 'filter.weight'");
  }

  TEST_CASE(
      "weights of a graph go by their display names; long ones by a hash and their end, shared ones by their own") {
    TinyModel tiny;
    const std::string name = "encoder." + std::string(60, 'x') + ".query";
    tiny.model.graph.value(tiny.q0).display_name = name;
    tiny.model.graph.value(tiny.q1).display_name = "layers.0.attn.k";
    const auto names = statistics_names(tiny.model);
    CHECK(names.at("embed") == "embed");
    CHECK(names.at("layers.0.attn.q").size() == gguf::kMostEntryNameBytes);
    CHECK(names.at("layers.0.attn.q").ends_with("xxxx.query"));
    CHECK(names.at("layers.0.attn.k") == "layers.0.attn.k");
    CHECK(names.at("layers.1.attn.q") == "layers.1.attn.q");
  }
}

}  // namespace
}  // namespace terse::passes
