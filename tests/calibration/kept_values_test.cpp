#include "calibration/kept_values.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <numeric>

namespace terse::calibration {
namespace {

Tensor counting(DType dtype, const Shape& shape) {
  Tensor tensor = Tensor::make(DType::f32, shape);
  const auto numbers = tensor.mutable_values<float>();
  std::iota(numbers.begin(), numbers.end(), -1000.25F);
  return from_f32(tensor, dtype);
}

bool is_same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::ranges::equal(a.bytes(), b.bytes());
}

int64_t resident_bytes() {
  int64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

TEST_SUITE("calibration/kept_values") {
  TEST_CASE("matrices of f32 come back rounded to bf16, everything else as it was") {
    const Tensor matrix = counting(DType::f32, {3, 50, 40});
    const Tensor rounded = to_f32(from_f32(matrix, DType::bf16));
    REQUIRE(!is_same(rounded, matrix));
    struct Case {
      std::string_view what;
      Tensor value, expected;
    };
    const std::vector<Case> cases = {
        {"large matrix", matrix, rounded},
        {"long vector", counting(DType::f32, {5000}), counting(DType::f32, {5000})},
        {"small matrix", counting(DType::f32, {3, 5}), counting(DType::f32, {3, 5})},
        {"f16", counting(DType::f16, {64, 65}), counting(DType::f16, {64, 65})},
        {"scalar", Tensor::scalar(int64_t{7}), Tensor::scalar(int64_t{7})},
    };
    Frame frame(cases.size());
    std::vector<ValueId> ids;
    for (size_t i = 0; i < cases.size(); ++i) {
      frame[i] = cases[i].value;
      ids.push_back(static_cast<ValueId>(i));
    }
    KeptValues kept;
    kept.store(ids, frame);
    Frame later(cases.size());
    CHECK(kept.load(later) == ids);
    for (size_t i = 0; i < cases.size(); ++i) {
      CAPTURE(cases[i].what);
      CHECK(is_same(later[i], cases[i].expected));
    }
  }

  TEST_CASE("what is stored takes the place of what was there, larger or smaller, and moves with the object") {
    KeptValues kept;
    Frame frame(1), later(1);
    for (const int64_t rows : {100, 400, 200}) {
      CAPTURE(rows);
      frame[0] = counting(DType::bf16, {rows, 64});
      kept.store(std::vector<ValueId>{0}, frame);
      kept.load(later);
      CHECK(is_same(later[0], frame[0]));
    }
    const KeptValues moved = std::move(kept);
    later[0] = Tensor();
    moved.load(later);
    CHECK(is_same(later[0], frame[0]));
  }

  TEST_CASE("a smaller set of values gives the memory of a larger one back") {
    constexpr int64_t kRows = 16384, kColumns = 1024;
    KeptValues kept;
    Frame frame(2);
    frame[0] = Tensor::make(DType::f32, {kRows, kColumns});
    frame[1] = Tensor::make(DType::f32, {kRows / 16, kColumns});
    CHECK(KeptValues::count_bytes(std::vector<ValueId>{0, 1}, frame) == 2 * (kRows + kRows / 16) * kColumns);
    kept.store(std::vector<ValueId>{0}, frame);
    const int64_t before = resident_bytes();
    kept.store(std::vector<ValueId>{1}, frame);
    CHECK(before - resident_bytes() > 2 * kRows * kColumns * 3 / 4);
  }
}

}  // namespace
}  // namespace terse::calibration
