#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/calibration/ops/call.h"

namespace terse::calibration {
namespace {

using Ints = std::vector<int64_t>;

Tensor floats(Shape shape) { return Tensor::make(DType::f32, std::move(shape)); }
Tensor ints(Ints values) { return Tensor::of<int64_t>({std::ssize(values)}, values); }
Tensor integer(int64_t value) { return Tensor::scalar(value); }

struct Wrong {
  std::string_view op;
  std::vector<Tensor> inputs;
  std::vector<Attribute> attributes;
  std::string message;  ///< a part
};

constexpr int64_t kHuge = int64_t{1} << 40;
constexpr int64_t kMin = std::numeric_limits<int64_t>::min();

TEST_SUITE("calibration/ops/errors") {
  TEST_CASE("what a model asks wrongly is an error that says what") {
    const std::vector<Wrong> rows = {
        {"ArgMax", {floats({0})}, {}, "ArgMax of an empty dimension"},
        {"Cast", {floats({2})}, {{"to", int64_t{99}}}, "attribute 'to' is 99, which is no element type"},
        {"Cast", {floats({2})}, {}, "a cast to undefined"},
        {"Concat", {floats({2, 3}), floats({3, 3})}, {{"axis", int64_t{1}}}, "cannot be joined along axis 1"},
        {"Concat", {floats({2}), ints({1})}, {{"axis", int64_t{0}}}, "f32 [2] and i64 [1] cannot be joined"},
        {"Concat", {floats({2})}, {{"axis", int64_t{1}}}, "axis 1 of a tensor of rank 1"},
        {"ConstantOfShape", {ints({-1})}, {}, "an output of shape [-1] is too large"},
        {"ConstantOfShape", {ints({kHuge, kHuge})}, {}, "is too large"},
        {"CumSum", {floats({2}), integer(1)}, {}, "axis 1 of a tensor of rank 1"},
        {"DequantizeLinear",
         {Tensor::make(DType::i8, {4}), floats({3})},
         {{"axis", int64_t{0}}},
         "scales of shape [3]"},
        {"DequantizeLinear",
         {Tensor::make(DType::i8, {4}), floats({3})},
         {{"axis", int64_t{0}}, {"block_size", int64_t{2}}},
         "blocks of 2"},
        {"DequantizeLinear",
         {Tensor::make(DType::i8, {4}), floats({1}), Tensor::make(DType::i8, {2})},
         {},
         "2 zero points for 1 scales"},
        {"Expand", {floats({2}), ints({3})}, {}, "[2]"},
        {"Expand", {floats({1}), ints({kHuge})}, {}, "is too large"},
        {"Expand", {floats({1}), ints({-2})}, {}, "is too large"},
        {"Flatten", {floats({2})}, {{"axis", int64_t{2}}}, "axis 2 of a tensor of rank 1"},
        {"Gather", {floats({2}), ints({2})}, {}, "index 2 of a dimension of size 2"},
        {"Gather", {floats({2}), ints({-3})}, {}, "index -3 of a dimension of size 2"},
        {"Gather", {floats({2}), floats({2})}, {}, "expected an integer type"},
        {"Gather", {floats({}), ints({0})}, {}, "axis 0 of a tensor of rank 0"},
        {"Gather", {floats({2})}, {}, "Gather lacks its input 1"},
        {"GatherElements", {floats({2, 2}), Tensor::make(DType::i64, {1, 3})}, {}, "indices of shape [1,3]"},
        {"GatherElements", {floats({2}), ints({kMin})}, {}, "of a dimension of size 2"},
        {"GatherND", {floats({2}), Tensor::make(DType::i64, {1, 2})}, {}, "indices of shape [1,2]"},
        {"GatherND", {floats({2}), ints({5})}, {}, "index 5 of a dimension of size 2"},
        {"GatherND", {floats({2}), ints({0})}, {{"batch_dims", int64_t{1}}}, "with batch_dims 1"},
        {"OneHot", {ints({0}), integer(kHuge), floats({2})}, {}, "is too large"},
        {"OneHot", {ints({0}), integer(-1), floats({2})}, {}, "depth"},
        {"OneHot", {ints({0}), integer(1), floats({3})}, {}, "values of shape [3], expected [2]"},
        {"Pad", {floats({2}), ints({1})}, {}, "pads [1] for 1 axes"},
        {"Pad", {floats({2}), ints({kHuge, 0})}, {}, "is too large"},
        {"Pad", {floats({2}), ints({-2, -1})}, {}, "padded to [-1]"},
        {"Pad", {floats({0}), ints({1, 0})}, {{"mode", std::string("edge")}}, "nothing to pad with"},
        {"Pad", {floats({2}), ints({1, 0})}, {{"mode", std::string("mirror")}}, "mode 'mirror'"},
        {"Pad", {floats({2}), ints({1, 0}), integer(1)}, {}, "expected one number of type f32"},
        {"Range", {integer(0), integer(5), integer(0)}, {}, "a step of 0"},
        {"Range", {integer(kMin), integer(std::numeric_limits<int64_t>::max()), integer(1)}, {}, "is too large"},
        {"Reshape", {floats({6}), ints({4, -1})}, {}, "6 elements do not fit shape [4,-1]"},
        {"Reshape", {floats({6}), ints({-1, -1})}, {}, "6 elements do not fit"},
        {"Reshape", {floats({6}), ints({6, 0})}, {}, "copies dimension 1"},
        {"Reshape", {floats({6}), ints({7})}, {}, "[6] cannot become [7]"},
        {"Reshape", {floats({6}), ints({-6})}, {}, "negative"},
        {"ScatterElements", {floats({2}), ints({2}), floats({1})}, {}, "index 2 of a dimension of size 2"},
        {"ScatterElements", {floats({2}), ints({0}), ints({1})}, {}, "updates of type i64"},
        {"ScatterND", {floats({2}), ints({7}), floats({})}, {}, "index 7 of a dimension of size 2"},
        {"ScatterND", {floats({2}), ints({0, 0}), floats({})}, {}, "indices of shape [2]"},
        {"Slice", {floats({2}), ints({0}), ints({1}), ints({0}), ints({0})}, {}, "a step of 0"},
        {"Slice", {floats({2}), ints({0, 0}), ints({1, 1})}, {}, "axis 1 of a tensor of rank 1"},
        {"Slice", {floats({2}), ints({0, 0}), ints({1, 1}), ints({0, 0})}, {}, "axis 0 is given twice"},
        {"Slice", {floats({2}), ints({0}), ints({1, 2})}, {}, "input 2 has 2 entries, expected 1"},
        {"Split", {floats({5}), ints({2})}, {}, "sizes [2] for 1 outputs of a dimension of 5"},
        {"Squeeze", {floats({2}), ints({0})}, {}, "dimension 0 is 2, expected 1"},
        {"Tile", {floats({2}), ints({-1})}, {}, "repeats [-1]"},
        {"Tile", {floats({2}), ints({kHuge})}, {}, "is too large"},
        {"TopK", {floats({2}), ints({3})}, {}, "k is [3], expected one number up to 2"},
        {"Transpose", {floats({2, 3})}, {{"perm", Ints{0}}}, "a permutation of 1 axes of a tensor of rank 2"},
        {"Transpose", {floats({2, 3})}, {{"perm", Ints{0, 0}}}, "axis 0 is given twice"},
        {"Trilu", {floats({2})}, {}, "a tensor of rank 1"},
        {"Unsqueeze", {floats({2}), ints({2, 5})}, {}, "axis 5 of a tensor of rank 3"},
    };
    for (const Wrong& row : rows) {
      CAPTURE(row.op);
      CAPTURE(row.message);
      CHECK_THROWS_WITH_AS(call_operator("", row.op, row.inputs, row.attributes),
                           doctest::Contains(row.message.c_str()), Error);
    }
  }

  TEST_CASE("bounds of slices and diagonals may be any number") {
    constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
    const Tensor data = Tensor::of<float>({3}, {1, 2, 3});
    const auto reversed = call_operator("", "Slice", {data, ints({kMax}), ints({kMin}), ints({0}), ints({-1})})[0];
    CHECK(reversed.values<float>()[0] == 3);
    CHECK(reversed.count() == 3);
    CHECK(call_operator("", "Slice", {data, ints({kMin}), ints({kMax}), ints({0}), ints({kMax})})[0].count() == 1);
    CHECK(call_operator("", "Trilu", {floats({2, 2}), integer(kMin)})[0].count() == 4);
    CHECK(call_operator("", "EyeLike", {floats({2, 2})}, {{"k", kMin}})[0].values<float>()[0] == 0);
  }
}

}  // namespace
}  // namespace terse::calibration
