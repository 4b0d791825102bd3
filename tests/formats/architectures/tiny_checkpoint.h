#pragma once

#include <doctest/doctest.h>

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "formats/architectures/architecture.h"
#include "formats/error.h"

namespace terse::architectures {

/// A checkpoint by hand: config.json's text, and names and shapes of tensors of zeros.
struct TinyCheckpoint {
  std::string config;
  std::map<std::string, Shape> shapes;

  TinyCheckpoint& rename(const std::string& from, const std::string& to) {
    std::map<std::string, Shape> renamed;
    for (const auto& [name, shape] : shapes) {
      const size_t at = name.find(from);
      renamed[at == std::string::npos ? name : std::string(name).replace(at, from.size(), to)] = shape;
    }
    shapes = renamed;
    return *this;
  }

  TinyCheckpoint& configure(const std::string& from, const std::string& to) {
    const size_t at = config.find(from);
    REQUIRE(at != std::string::npos);
    config.replace(at, from.size(), to);
    return *this;
  }

  Model build() const {
    NamedTensors tensors;
    for (const auto& [name, shape] : shapes) {
      tensors.tensors[name] = Tensor::make(DType::f32, shape);
    }
    return architectures::build("", config, std::move(tensors), {});
  }

  /// What the error says; "" if there is none.
  std::string complaint() const {
    try {
      (void)build();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

inline std::string names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::string text;
  for (const ValueId id : ids) {
    text += (text.empty() ? "" : " ") + graph.value(id).name;
    for (const Dimension& dimension : *graph.value(id).type->shape) {
      text += "," + (dimension.symbol.empty() ? std::to_string(dimension.size) : dimension.symbol);
    }
  }
  return text;
}

}  // namespace terse::architectures
