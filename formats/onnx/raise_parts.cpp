#include "formats/onnx/raise_parts.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/rounding.h"

namespace terse::onnx {
namespace {

/// Scales as an encoding wants them, and what they say of the groups.
struct Scales {
  Tensor values;  ///< [rows / group_rows, groups]
  int64_t group_rows = 1, group_columns = 0;
};

std::optional<Scales> find_scales(const RaiseContext& context, const AffineParts& parts, int64_t rows, int64_t blocks) {
  const Tensor* stored = context.tensor(context.stored(parts.scales));
  if (stored == nullptr || (stored->dtype() != DType::f32 && stored->dtype() != DType::f16)) {
    return std::nullopt;
  }
  const int64_t columns = parts.shape.back();
  const int64_t count = stored->count();
  const int64_t last = stored->shape().empty() ? 1 : stored->shape().back();
  Scales scales{.group_columns = std::min(parts.block, columns)};
  if (count == rows * blocks) {
    scales.values = stored->reshaped({rows, blocks});
  } else if (count == rows && last == 1) {
    scales.values = stored->reshaped({rows, 1});
    scales.group_columns = columns;
  } else if (count == 1) {
    scales.values = stored->reshaped({1, 1});
    scales.group_rows = rows;
    scales.group_columns = columns;
  } else if (count == blocks && last == blocks) {
    scales.values = stored->reshaped({1, blocks});
    scales.group_rows = rows;
  } else {
    return std::nullopt;
  }
  scales.values = scales.values.aligned();
  return scales;
}

/// Unpacked zero points of all rows and blocks. A stored row may serve all rows.
std::optional<std::vector<uint8_t>> packed_zero_points(const Tensor& stored, int bits, int64_t rows, int64_t blocks) {
  const int64_t row_bytes = packed_row_bytes(blocks, bits);
  const int64_t stored_rows = stored.count() / row_bytes;
  if (stored.count() % row_bytes != 0 || (stored_rows != rows && stored_rows != 1)) {
    return std::nullopt;
  }
  std::vector<uint8_t> points(static_cast<size_t>(rows * blocks));
  const auto bytes = stored.values<uint8_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const auto from = static_cast<size_t>(stored_rows == 1 ? 0 : row * row_bytes);
    unpack_codes(bytes.subspan(from, static_cast<size_t>(row_bytes)), bits,
                 std::span(points).subspan(static_cast<size_t>(row * blocks), static_cast<size_t>(blocks)));
  }
  return points;
}

/// Zero points stored as floats, if all of them are codes.
std::optional<std::vector<uint8_t>> float_zero_points(const Tensor& stored, int bits, int64_t rows, int64_t blocks) {
  if (stored.count() != rows * blocks) {
    return std::nullopt;
  }
  std::vector<uint8_t> points;
  const Tensor floats = to_f32(stored);
  for (const float point : floats.values<float>()) {
    const bool is_code = point >= 0 && point < static_cast<float>(1 << bits) && point == std::floor(point);
    if (!is_code) {
      return std::nullopt;
    }
    points.push_back(static_cast<uint8_t>(point));
  }
  return points;
}

std::optional<std::vector<uint8_t>> all_zero_points(const RaiseContext& context, const AffineParts& parts, int64_t rows,
                                                    int64_t blocks) {
  const Tensor* stored = context.tensor(context.stored(parts.zero_points));
  if (stored == nullptr) {
    return std::nullopt;
  }
  if (stored->dtype() == DType::u8) {
    return packed_zero_points(*stored, parts.bits, rows, blocks);
  }
  return is_float(stored->dtype()) ? float_zero_points(*stored, parts.bits, rows, blocks) : std::nullopt;
}

/// One zero point for each scale; nullopt if blocks that share a scale differ.
std::optional<Tensor> grouped(const std::vector<uint8_t>& points, int64_t blocks, const Scales& scales) {
  Tensor out = Tensor::uninitialized(DType::u8, scales.values.shape());
  const int64_t groups = out.shape()[1];
  const auto values = out.mutable_values<uint8_t>();
  const auto rows = static_cast<int64_t>(points.size()) / blocks;
  for (int64_t row = 0; row < rows; ++row) {
    const auto own = std::span(points).subspan(static_cast<size_t>(row * blocks), static_cast<size_t>(blocks));
    const auto shared =
        values.subspan(static_cast<size_t>(row / scales.group_rows * groups), static_cast<size_t>(groups));
    if (row % scales.group_rows == 0) {
      std::ranges::copy(own.first(shared.size()), shared.begin());
    }
    const bool agree =
        groups == blocks ? std::ranges::equal(own, shared) : std::ranges::count(own, shared[0]) == blocks;
    if (!agree) {
      return std::nullopt;
    }
  }
  return out;
}

}  // namespace

std::optional<Tensor> packed_rows(const Tensor& codes, int64_t rows, int64_t row_bytes) {
  if (codes.dtype() != DType::u8 || rows == 0 || codes.count() % rows != 0 || codes.count() / rows < row_bytes) {
    return std::nullopt;
  }
  const int64_t stride = codes.count() / rows;
  if (stride == row_bytes) {
    return codes.reshaped({rows, row_bytes});
  }
  Tensor packed = Tensor::uninitialized(DType::u8, {rows, row_bytes});
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(packed.mutable_bytes().data() + row * row_bytes, codes.bytes().data() + row * stride,
                static_cast<size_t>(row_bytes));
  }
  codes.release_pages();
  return packed;
}

EncodingPtr affine_encoding(const RaiseContext& context, const AffineParts& parts) {
  const auto count = checked_count(parts.shape);
  const bool known_bits = parts.bits == 2 || parts.bits == 4 || parts.bits == 8;
  if (!count || *count == 0 || !known_bits || parts.block <= 0 || context.tensor(parts.codes) == nullptr) {
    return nullptr;
  }
  const int64_t columns = parts.shape.back();
  const int64_t rows = *count / columns;
  const int64_t blocks = divide_up(columns, parts.block);
  auto scales = find_scales(context, parts, rows, blocks);
  auto codes = packed_rows(*context.tensor(parts.codes), rows, packed_row_bytes(columns, parts.bits));
  if (!scales || !codes) {
    return nullptr;
  }
  AffineEncoding affine{.bits = parts.bits,
                        .group_rows = scales->group_rows,
                        .group_columns = scales->group_columns,
                        .scale_dtype = scales->values.dtype(),
                        .codes = std::move(*codes),
                        .scales = scales->values};
  if (parts.zero_points != kNoValue) {
    const auto points = all_zero_points(context, parts, rows, blocks);
    auto zero_points = points ? grouped(*points, blocks, *scales) : std::nullopt;
    if (!zero_points) {
      return nullptr;
    }
    affine.asymmetric = true;
    affine.zero_points = std::move(*zero_points);
  }
  return std::make_shared<const Encoding>(Encoding{.shape = parts.shape, .form = std::move(affine)});
}

}  // namespace terse::onnx
