#pragma once

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse::calibration {

/// One of ONNX's node tests: a folder with model.onnx and test_data_set_*/{input,output}_*.pb.
struct NodeTest {
  std::string name;
  std::filesystem::path folder;
  std::set<std::string> operators;  ///< of its upgraded graph, as "domain:operator"; "" is ONNX's own
};

/// All tests of a folder, by name.
std::vector<NodeTest> find_node_tests(const std::filesystem::path& folder);

/// Runs a test with all of its data sets; what is wrong, or nothing.
std::optional<std::string> run_node_test(const NodeTest& test);

}  // namespace terse::calibration
