#include "formats/pytorch/strides.h"

#include <algorithm>
#include <cstring>

#include "formats/error.h"

namespace terse::pytorch {
namespace {

constexpr size_t kMostDimensions = 64;  // PyTorch's own limit

int64_t count_of(const StridedView& view) {
  const auto count = checked_count(view.sizes);
  if (!count || view.sizes.size() > kMostDimensions) {
    throw Error(Kind::input, "size {} is negative or too large", to_string(view.sizes));
  }
  return *count;
}

/// Copies one run along the last dimension.
void copy_row(const std::byte* from, int64_t stride_bytes, std::byte* to, int64_t count, size_t width) {
  for (int64_t i = 0; i < count; ++i) {
    std::memcpy(to + i * static_cast<int64_t>(width), from + i * stride_bytes, width);
  }
}

}  // namespace

void check_inside(const StridedView& view, int64_t storage_elements) {
  const int64_t count = count_of(view);
  if (view.sizes.size() != view.strides.size()) {
    throw Error(Kind::input, "size {} has strides {}, expected as many", to_string(view.sizes),
                to_string(view.strides));
  }
  int64_t last = view.offset;
  bool inside = last >= 0 && last <= storage_elements - (count > 0 ? 1 : 0);
  for (size_t d = 0; d < view.sizes.size() && count > 0 && inside; ++d) {
    const int64_t steps = view.sizes[d] - 1, stride = view.strides[d];
    inside = stride >= 0 && (steps == 0 || stride <= (storage_elements - 1 - last) / steps);
    last += inside ? steps * stride : 0;
  }
  if (!inside) {
    throw Error(Kind::input, "offset {}, size {}, strides {} lead out of the storage's {} elements", view.offset,
                to_string(view.sizes), to_string(view.strides), storage_elements);
  }
}

bool is_contiguous(const StridedView& view) {
  if (std::ranges::find(view.sizes, 0) != view.sizes.end()) {
    return true;
  }
  int64_t expected = 1;
  for (size_t d = view.sizes.size(); d-- > 0;) {
    if (view.sizes[d] != 1 && view.strides[d] != expected) {
      return false;
    }
    expected *= view.sizes[d];
  }
  return true;
}

Tensor gather(const StridedView& view, DType dtype, std::span<const std::byte> storage) {
  Tensor out = Tensor::uninitialized(dtype, view.sizes);
  const auto width = static_cast<size_t>(packed_bytes(dtype, 1));
  const int64_t columns = view.sizes.empty() ? 1 : view.sizes.back();
  const int64_t column_stride = view.sizes.empty() ? 0 : view.strides.back();
  Shape at(view.sizes.size(), 0);
  std::byte* to = out.mutable_bytes().data();
  for (int64_t done = 0; done < out.count(); done += columns) {
    int64_t from = view.offset;
    for (size_t d = 0; d + 1 < at.size(); ++d) {
      from += at[d] * view.strides[d];
    }
    const auto bytes = static_cast<int64_t>(width);
    copy_row(storage.data() + from * bytes, column_stride * bytes, to + done * bytes, columns, width);
    for (size_t d = at.size() - std::min<size_t>(at.size(), 1); d-- > 0 && ++at[d] == view.sizes[d];) {
      at[d] = 0;
    }
  }
  return out;
}

}  // namespace terse::pytorch
