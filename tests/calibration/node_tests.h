#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse::calibration {

/// One of ONNX's node tests: a folder with model.onnx and test_data_set_*/{input,output}_*.pb.
struct NodeTest {
  std::string name;
  std::filesystem::path folder;
};

/// The tests of single nodes by "domain:operator" ("" is ONNX's own), and those of whole graphs under "".
using NodeTests = std::map<std::string, std::vector<NodeTest>>;

/// All tests of a folder.
NodeTests find_node_tests(const std::filesystem::path& folder);

/// Runs a test with all of its data sets; what is wrong, or nothing.
std::optional<std::string> run_node_test(const NodeTest& test);

}  // namespace terse::calibration
