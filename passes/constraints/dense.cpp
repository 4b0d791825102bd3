#include "passes/constraints/dense.h"

#include <algorithm>
#include <cmath>

#include "formats/error.h"

namespace terse::passes {
namespace {

template <typename T>
constexpr bool kIsFloat = std::is_floating_point_v<T> || std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>;

/// Rounds numbers in place and stores them as T.
template <typename T>
void store(std::span<float> numbers, T* out) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if constexpr (std::is_same_v<T, Half>) {
      out[i] = to_half(numbers[i]);
      numbers[i] = to_float(out[i]);
    } else if constexpr (std::is_same_v<T, BFloat16>) {
      out[i] = to_bfloat16(numbers[i]);
      numbers[i] = to_float(out[i]);
    } else {
      out[i] = static_cast<T>(numbers[i]);
    }
  }
}

template <typename T>
class DenseFit : public PanelFit {
 public:
  DenseFit(T* first, int64_t columns) : first_(first), columns_(columns) {}

  void fit(const ConstBlock& /*block*/, Importance /*importance*/) override {}

  void snap(const Block& block) override {
    for (int64_t row = 0; row < block.rows; ++row) {
      const std::span<float> numbers(block.row(row), static_cast<size_t>(block.columns));
      store(numbers, first_ + row * columns_ + block.first_column);
      if (std::any_of(numbers.begin(), numbers.end(), [](float x) { return std::isinf(x); })) {
        throw Error(Kind::input, "a number is too large for {}, keep f32 or use bf16", name(kDTypeOf<T>));
      }
    }
  }

 private:
  T* first_;
  int64_t columns_;
};

}  // namespace

DenseConstraint::DenseConstraint(const Encoding& weight, DType dtype)
    : encoding_{.shape = weight.shape, .form = DenseEncoding{.dtype = dtype}} {}

std::unique_ptr<PanelFit> DenseConstraint::begin(int64_t first_row, int64_t /*row_count*/) {
  std::unique_ptr<PanelFit> fit;
  dispatch(values_.dtype(), [&]<typename T>() {
    if constexpr (kIsFloat<T>) {
      const int64_t columns = encoding_.columns();
      fit = std::make_unique<DenseFit<T>>(values_.mutable_values<T>().data() + first_row * columns, columns);
    }
  });
  return fit;
}

Encoding DenseConstraint::plan() const { return encoding_; }

void DenseConstraint::allocate() { values_ = Tensor::uninitialized(encoding_.dense()->dtype, encoding_.shape); }

Encoding DenseConstraint::finish() {
  std::get<DenseEncoding>(encoding_.form).values = std::move(values_);
  return std::move(encoding_);
}

}  // namespace terse::passes
