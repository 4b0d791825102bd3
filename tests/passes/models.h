#pragma once

#include <initializer_list>
#include <random>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse::passes {

/// Numbers that look like a layer's weights.
inline std::vector<float> normal_numbers(int64_t count, uint32_t seed = 1) {
  std::mt19937 random(seed);
  std::vector<float> numbers(static_cast<size_t>(count));
  for (float& number : numbers) {
    // The sum of four uniform numbers: near normal, and the same with every standard library.
    number = 0;
    for (int i = 0; i < 4; ++i) {
      number += static_cast<float>(random()) / 4294967296.0F - 0.5F;
    }
  }
  return numbers;
}

inline EncodingPtr matrix(int64_t rows, int64_t columns, const std::vector<float>& numbers) {
  return make_dense(Tensor::of<float>({rows, columns}, std::span<const float>(numbers)));
}

inline EncodingPtr random_matrix(int64_t rows, int64_t columns, uint32_t seed = 1) {
  return matrix(rows, columns, normal_numbers(rows * columns, seed));
}

/// Adds a weight with its roles.
inline ValueId add_weight(Graph& graph, std::string_view name, EncodingPtr constant, std::vector<Role> roles) {
  const ValueId id = graph.add_constant(name, std::move(constant));
  graph.value(id).roles = std::move(roles);
  graph.value(id).display_name = name;
  return id;
}

/// Adds a node that reads `inputs`; its result is read by nobody.
inline void add_reader(Graph& graph, std::string_view op, std::vector<ValueId> inputs) {
  Node node{.op_type = std::string(op), .inputs = std::move(inputs)};
  node.outputs = {graph.add(std::string(op) + "_result")};
  graph.main.nodes.push_back(std::move(node));
}

/// Two layers of a tiny language model with a tied table, a norm, a router, a convolution and an unnamed linear.
struct TinyModel {
  Model model;
  ValueId x = model.graph.add("x");
  ValueId table = weight("embed", 40, 32, {{RoleKind::embedding}, {RoleKind::head}}, {"Gather", "MatMul"});
  ValueId q0 = linear("layers.0.attn.q", {RoleKind::q, 0});
  ValueId k0 = linear("layers.0.attn.k", {RoleKind::k, 0});
  ValueId up0 = linear("layers.0.mlp.up", {RoleKind::up, 0});
  ValueId q1 = linear("layers.1.attn.q", {RoleKind::q, 1});
  ValueId down1 = linear("layers.1.mlp.down", {RoleKind::down, 1});
  ValueId router = weight("layers.1.router", 8, 32, {{RoleKind::router, 1}}, {"MatMul"});
  ValueId side = weight("side", 16, 32, {{RoleKind::other}}, {"Gemm"});
  ValueId filter = weight("filter", 16, 32, {{RoleKind::other}}, {"Conv"});
  ValueId norm = add_weight(model.graph, "norm", make_dense(Tensor::of<float>({2}, {1, 1})), {{RoleKind::norm}});

  ValueId linear(std::string_view name, Role role) { return weight(name, 32, 32, {role}, {"MatMul"}); }

  ValueId weight(std::string_view name, int64_t rows, int64_t columns, std::vector<Role> roles,
                 std::initializer_list<std::string_view> readers) {
    const auto seed = static_cast<uint32_t>(model.graph.values.size());
    const ValueId id = add_weight(model.graph, name, random_matrix(rows, columns, seed), std::move(roles));
    for (const std::string_view reader : readers) {
      add_reader(model.graph, reader, reader == "Gather" ? std::vector{id, x} : std::vector{x, id});
    }
    return id;
  }
};

}  // namespace terse::passes
