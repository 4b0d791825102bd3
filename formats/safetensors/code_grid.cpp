#include "formats/safetensors/code_grid.h"

#include <algorithm>
#include <cassert>

#include "formats/error.h"
#include "formats/half.h"
#include "formats/rounding.h"
#include "formats/transpose.h"

namespace terse::safetensors {
namespace {

int middle(int bits) { return 1 << (bits - 1); }

/// Reads one row after the other.
class Rows {
 public:
  explicit Rows(const CodeGrid& grid) : grid_(grid), groups_(grid.scales.shape()[1]) {}

  uint8_t code(int64_t row, int64_t column) const {
    const int64_t stride = grid_.codes.shape()[1];
    return read_code(grid_.codes.values<uint8_t>().data() + row * stride, column, grid_.bits);
  }
  int64_t group(int64_t column) const {
    return grid_.group.empty() ? column / grid_.group_columns : grid_.group[static_cast<size_t>(column)];
  }
  int zero_point(int64_t row, int64_t group) const {
    return grid_.zero_points.empty() ? middle(grid_.bits)
                                     : grid_.zero_points.values<uint8_t>()[static_cast<size_t>(row * groups_ + group)];
  }

 private:
  const CodeGrid& grid_;
  int64_t groups_;
};

/// Codes around the middle of a width that holds all differences from any zero point.
void widen(CodeGrid& grid, int bits) {
  const Rows rows(grid);
  Tensor wide = Tensor::uninitialized(DType::u8, {grid.rows, packed_row_bytes(grid.columns, bits)});
  const auto stride = static_cast<size_t>(wide.shape()[1]);
  std::vector<uint8_t> line(static_cast<size_t>(grid.columns));
  for (int64_t row = 0; row < grid.rows; ++row) {
    for (int64_t c = 0; c < grid.columns; ++c) {
      const int difference = rows.code(row, c) - rows.zero_point(row, rows.group(c));
      line[static_cast<size_t>(c)] = static_cast<uint8_t>(difference + middle(bits));
    }
    pack_codes(line, bits, wide.mutable_values<uint8_t>().subspan(static_cast<size_t>(row) * stride, stride));
  }
  grid.codes = std::move(wide);
  grid.zero_points = {};
  grid.bits = bits;
}

/// What AffineEncoding has.
int width_of_encoding(int bits) { return bits <= 2 ? 2 : bits <= 4 ? 4 : 8; }

/// Rows without their padding: a view where there is none.
Tensor trim(const Tensor& codes, int64_t bytes) {
  if (codes.shape()[1] == bytes) {
    return codes;
  }
  Tensor trimmed = Tensor::uninitialized(DType::u8, {codes.shape()[0], bytes});
  for (int64_t row = 0; row < codes.shape()[0]; ++row) {
    const auto from = codes.bytes().subspan(static_cast<size_t>(row * codes.shape()[1]), static_cast<size_t>(bytes));
    std::ranges::copy(from, trimmed.mutable_bytes().begin() + row * bytes);
  }
  return trimmed;
}

void store_row(std::span<const float> line, Tensor& out, int64_t row) {
  const auto first = static_cast<size_t>(row) * line.size();
  switch (out.dtype()) {
    case DType::f16:
      return to_half(line, out.mutable_values<Half>().subspan(first, line.size()));
    case DType::bf16:
      return to_bfloat16(line, out.mutable_values<BFloat16>().subspan(first, line.size()));
    default:
      std::ranges::copy(line, out.mutable_values<float>().begin() + static_cast<int64_t>(first));
  }
}

EncodingPtr decode(const CodeGrid& grid) {
  const Rows rows(grid);
  const Tensor scales = to_f32(grid.scales);
  const int64_t groups = scales.shape()[1];
  Tensor out = Tensor::uninitialized(grid.scales.dtype(), {grid.rows, grid.columns});
  std::vector<float> line(static_cast<size_t>(grid.columns));
  for (int64_t row = 0; row < grid.rows; ++row) {
    for (int64_t c = 0; c < grid.columns; ++c) {
      const int64_t group = rows.group(c);
      const auto difference = static_cast<float>(rows.code(row, c) - rows.zero_point(row, group));
      line[static_cast<size_t>(c)] = difference * scales.values<float>()[static_cast<size_t>(row * groups + group)];
    }
    store_row(line, out, row);
  }
  return make_dense(std::move(out));
}

bool is_centred(const CodeGrid& grid) {
  return grid.zero_points.empty() ||
         std::ranges::all_of(grid.zero_points.values<uint8_t>(), [&](int z) { return z == middle(grid.bits); });
}

}  // namespace

EncodingPtr encode(CodeGrid grid) {
  if (!grid.group.empty()) {
    return decode(grid);
  }
  if (const int bits = width_of_encoding(grid.bits); bits != grid.bits) {
    widen(grid, bits);
  }
  AffineEncoding affine{.bits = grid.bits,
                        .group_columns = grid.group_columns,
                        .scale_dtype = grid.scales.dtype(),
                        .asymmetric = !is_centred(grid)};
  affine.codes = trim(grid.codes, packed_row_bytes(grid.columns, grid.bits));
  affine.scales = std::move(grid.scales);
  affine.zero_points = affine.asymmetric ? std::move(grid.zero_points) : Tensor();
  return std::make_shared<const Encoding>(Encoding{.shape = {grid.rows, grid.columns}, .form = std::move(affine)});
}

Tensor unpack_zero_points(const Tensor& words, int64_t rows, int bits) {
  const int64_t groups = words.shape()[0];
  Tensor zeros = Tensor::uninitialized(DType::u8, {rows, groups});
  const auto* bytes = reinterpret_cast<const uint8_t*>(words.bytes().data());
  const auto to = zeros.mutable_values<uint8_t>();
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t row = 0; row < rows; ++row) {
      to[static_cast<size_t>(row * groups + group)] = read_code(bytes + group * words.shape()[1] * 4, row, bits);
    }
  }
  return zeros;
}

Tensor pack_rows(const Tensor& codes, int bits) {
  const auto columns = static_cast<size_t>(codes.shape()[1]);
  Tensor packed = Tensor::uninitialized(DType::u8, {codes.shape()[0], packed_row_bytes(codes.shape()[1], bits)});
  const auto stride = static_cast<size_t>(packed.shape()[1]);
  for (size_t row = 0; row < static_cast<size_t>(codes.shape()[0]); ++row) {
    pack_codes(codes.values<uint8_t>().subspan(row * columns, columns), bits,
               packed.mutable_values<uint8_t>().subspan(row * stride, stride));
  }
  return packed;
}

std::vector<int32_t> irregular_groups(const std::string& weight, std::span<const int64_t> groups, int64_t group_columns,
                                      int64_t count) {
  std::vector<int32_t> irregular;
  bool is_regular = true;
  for (const int64_t group : groups) {
    if (group < 0 || group >= count) {
      throw Error(Kind::input, "tensor {}: g_idx says that column {} is of group {}, expected one of {}", weight,
                  irregular.size(), group, count);
    }
    is_regular &= group == std::ssize(irregular) / group_columns;
    irregular.push_back(static_cast<int32_t>(group));
  }
  return is_regular ? std::vector<int32_t>() : irregular;
}

Tensor transposed(const Tensor& matrix) {
  const int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
  Tensor out = Tensor::uninitialized(matrix.dtype(), {columns, rows});
  const Strided<const std::byte> from{matrix.bytes().data(), columns};
  const Strided<std::byte> to{out.mutable_bytes().data(), rows};
  switch (row(matrix.dtype()).bits) {
    case 8:
      transpose<uint8_t>(from, rows, columns, to);
      break;
    case 16:
      transpose<uint16_t>(from, rows, columns, to);
      break;
    default:
      assert(row(matrix.dtype()).bits == 32);
      transpose<uint32_t>(from, rows, columns, to);
  }
  matrix.release_pages();
  return out;
}

}  // namespace terse::safetensors
