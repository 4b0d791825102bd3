#include "tests/calibration/node_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calibration/executor.h"
#include "formats/error.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/tensor_file.h"
#include "formats/onnx/upgrade.h"

namespace terse::calibration {
namespace {

namespace fs = std::filesystem;

// As in ONNX's own runner.
constexpr double kRelative = 1e-3;
constexpr double kAbsolute = 1e-7;

/// Tests declare the version in which their operator last changed; 7 is the oldest that terse reads.
Model read_model(const fs::path& folder) {
  Model model = onnx::read(folder / "model.onnx");
  int64_t& opset = model.opsets[""];
  opset = std::max(opset, int64_t{7});
  return model;
}

std::set<std::string> operators_of(const fs::path& folder) {
  std::set<std::string> operators;
  try {
    Model model = read_model(folder);
    onnx::upgrade(model.graph, model.opsets);
    for_each_node(model.graph.main, [&](const Node& node) { operators.insert(node.domain + ":" + node.op_type); });
  } catch (const Error&) {
    // Sequences and the like: a test of what terse does not claim.
  }
  return operators;
}

std::vector<Tensor> read_all(const fs::path& folder, std::string_view kind) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / fmt::format("{}_{}.pb", kind, i);
    if (!fs::exists(path)) {
      return tensors;
    }
    tensors.push_back(onnx::read_tensor(path).tensor);
  }
}

Sample sample_of(const Graph& graph, const std::vector<Tensor>& inputs) {
  Sample sample;
  for (size_t i = 0; i < std::min(inputs.size(), graph.main.inputs.size()); ++i) {
    sample.emplace(graph.value(graph.main.inputs[i]).name, inputs[i]);
  }
  return sample;
}

bool is_close(double found, double expected) {
  return found == expected || (std::isnan(found) && std::isnan(expected)) ||
         std::abs(found - expected) <= kAbsolute + kRelative * std::abs(expected);
}

double as_double(float value) { return value; }
double as_double(double value) { return value; }
double as_double(Half value) { return to_float(value); }
double as_double(BFloat16 value) { return to_float(value); }

std::optional<std::string> compare_floats(const Tensor& found, const Tensor& expected) {
  std::optional<std::string> difference;
  dispatch(found.dtype(), [&]<typename T>() {
    if constexpr (std::is_floating_point_v<T> || !std::is_arithmetic_v<T>) {
      for (size_t i = 0; i < found.values<T>().size() && !difference; ++i) {
        const double a = as_double(found.values<T>()[i]);
        const double b = as_double(expected.values<T>()[i]);
        if (!is_close(a, b)) {
          difference = fmt::format("element {} is {}, expected {}", i, a, b);
        }
      }
    }
  });
  return difference;
}

std::optional<std::string> compare(const Tensor& found, const Tensor& expected_bytes) {
  const Tensor expected = expected_bytes.aligned();
  if (found.dtype() != expected.dtype() || found.shape() != expected.shape()) {
    return fmt::format("{} {}, expected {} {}", name(found.dtype()), to_string(found.shape()), name(expected.dtype()),
                       to_string(expected.shape()));
  }
  if (is_float(found.dtype())) {
    return compare_floats(found, expected);
  }
  for (size_t i = 0; i < found.bytes().size(); ++i) {
    if (found.bytes()[i] != expected.bytes()[i]) {
      return fmt::format("byte {} is {:#x}, expected {:#x}", i, static_cast<unsigned>(found.bytes()[i]),
                         static_cast<unsigned>(expected.bytes()[i]));
    }
  }
  return std::nullopt;
}

std::optional<std::string> run_data_set(const Model& model, const fs::path& folder) {
  const std::vector<Tensor> expected = read_all(folder, "output");
  const std::vector<Tensor> found = Executor(model).run(sample_of(model.graph, read_all(folder, "input")));
  if (found.size() != expected.size() || expected.empty()) {
    return fmt::format("{} outputs, expected {}", found.size(), expected.size());
  }
  for (size_t i = 0; i < found.size(); ++i) {
    if (const auto difference = compare(found[i], expected[i])) {
      return fmt::format("output {}: {}", i, *difference);
    }
  }
  return std::nullopt;
}

}  // namespace

std::vector<NodeTest> find_node_tests(const fs::path& folder) {
  std::vector<NodeTest> tests;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (fs::exists(entry.path() / "model.onnx")) {
      tests.push_back({entry.path().filename(), entry.path(), operators_of(entry.path())});
    }
  }
  std::ranges::sort(tests, {}, &NodeTest::name);
  return tests;
}

std::optional<std::string> run_node_test(const NodeTest& test) {
  try {
    const Model model = read_model(test.folder);
    for (int i = 0; fs::exists(test.folder / fmt::format("test_data_set_{}", i)); ++i) {
      if (auto difference = run_data_set(model, test.folder / fmt::format("test_data_set_{}", i))) {
        return difference;
      }
    }
  } catch (const Error& error) {
    return error.what();
  }
  return std::nullopt;
}

}  // namespace terse::calibration
