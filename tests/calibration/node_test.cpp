#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>

#include "calibration/ops/op.h"
#include "tests/calibration/node_tests.h"

// ONNX's own tests of every operator that the executor has. TERSE_NODE_TESTS names another folder of such tests than
// the one of Debian's libonnx-testdata, e.g. that of a newer onnx wheel.

namespace terse::calibration {
namespace {

struct Reason {
  std::string_view test;  ///< an operator, or a part of the names of tests that are not run
  std::string_view reason;
};
constexpr std::array kSkipped = {
    Reason{"STRING", "strings are no numbers"},
    Reason{"e8m0", "powers of two are no type that models are computed with"},
    Reason{"_string", "strings are no numbers"},
    Reason{"qlinearmatmul_2D_int8", "the expected numbers wrap around; onnxruntime saturates too"},
    Reason{"qlinearmatmul_3D_int8", "the expected numbers wrap around; onnxruntime saturates too"},
    Reason{"identity_sequence", "sequences are not tensors"},
    Reason{"identity_opt", "optionals are not tensors"},
    Reason{"training_dropout", "terse does not train"},
    Reason{"training_mode", "terse does not train"},
};

/// Of the default folder only.
constexpr std::array kWrongInOnnx112 = {
    Reason{"BFLOAT16", "its bfloat16 are truncated and stored as u16"},
};

/// Operators that the folder may hold no test of.
constexpr std::array kUntested = {
    Reason{"Attention", "newer than Debian's tests"},
    Reason{"BitwiseAnd", "newer than Debian's tests"},
    Reason{"BitwiseNot", "newer than Debian's tests"},
    Reason{"BitwiseOr", "newer than Debian's tests"},
    Reason{"BitwiseXor", "newer than Debian's tests"},
    Reason{"Constant", "the reader makes it an initialiser"},
    Reason{"FusedMatMul", "not one of ONNX's own"},
    Reason{"GatherBlockQuantized", "not one of ONNX's own"},
    Reason{"Gelu", "newer than Debian's tests"},
    Reason{"MatMulNBits", "not one of ONNX's own"},
    Reason{"RMSNormalization", "newer than Debian's tests"},
    Reason{"RotaryEmbedding", "newer than Debian's tests"},
    Reason{"SimplifiedLayerNormalization", "not one of ONNX's own"},
    Reason{"Swish", "newer than Debian's tests"},
};

const char* other_folder() { return std::getenv("TERSE_NODE_TESTS"); }

const std::vector<NodeTest>& node_tests() {
  static const std::vector<NodeTest> tests =
      find_node_tests(other_folder() != nullptr ? other_folder() : TERSE_NODE_TESTS);
  return tests;
}

std::optional<std::string_view> find_reason(std::span<const Reason> reasons, std::string_view test) {
  const auto found =
      std::ranges::find_if(reasons, [&](const Reason& row) { return test.find(row.test) != std::string_view::npos; });
  return found == reasons.end() ? std::nullopt : std::optional(found->reason);
}

std::optional<std::string_view> find_skipped(std::string_view test) {
  const auto reason = find_reason(kSkipped, test);
  return reason || other_folder() != nullptr ? reason : find_reason(kWrongInOnnx112, test);
}

bool may_be_untested(std::string_view op) {
  return std::ranges::any_of(kUntested, [&](const Reason& row) { return row.test == op; });
}

struct Counts {
  int run = 0, skipped = 0;
};

/// Runs what is not skipped and prints the reasons of what is.
template <typename Wanted>
Counts run_tests(Wanted&& is_wanted) {
  Counts counts;
  for (const NodeTest& test : node_tests()) {
    if (!is_wanted(test)) {
      continue;
    }
    if (const auto reason = find_skipped(test.name)) {
      std::cout << fmt::format("  {} is skipped: {}\n", test.name, *reason);
      ++counts.skipped;
      continue;
    }
    ++counts.run;
    const auto failure = run_node_test(test);
    CHECK_MESSAGE(!failure, test.name << ": " << *failure);
  }
  return counts;
}

/// "domain:operator"
std::string key_of(const OpRow& row) { return fmt::format("{}:{}", row.domain, row.name); }

TEST_SUITE("calibration/node") {
  TEST_CASE("every operator passes ONNX's tests of it") {
    for (const OpRow& row : operators()) {
      const std::string key = key_of(row);
      SUBCASE(key.c_str()) {
        CAPTURE(key);
        const auto [run, skipped] =
            run_tests([&](const NodeTest& test) { return test.operators.size() == 1 && test.operators.contains(key); });
        std::cout << fmt::format("{}: {} tests run, {} skipped\n", row.name, run, skipped);
        CHECK_MESSAGE((run > 0 || other_folder() != nullptr || may_be_untested(row.name)),
                      "no test of " << row.name << " was run");
      }
    }
  }

  TEST_CASE("graphs of several operators pass ONNX's tests of them") {
    std::set<std::string> claimed;
    for (const OpRow& row : operators()) {
      claimed.insert(key_of(row));
    }
    const auto [run, skipped] = run_tests([&](const NodeTest& test) {
      return test.operators.size() > 1 &&
             std::includes(claimed.begin(), claimed.end(), test.operators.begin(), test.operators.end());
    });
    std::cout << fmt::format("graphs: {} tests run, {} skipped\n", run, skipped);
    CHECK((run > 0 || other_folder() != nullptr));
    CHECK_FALSE(node_tests().empty());
  }
}

}  // namespace
}  // namespace terse::calibration
