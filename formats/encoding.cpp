#include "formats/encoding.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "formats/error.h"
#include "formats/overloaded.h"
#include "formats/transpose.h"

namespace terse {
namespace {

int64_t group_count(const Encoding& e, const AffineEncoding& a) {
  return divide_up(e.rows(), a.group_rows) * divide_up(e.columns(), a.group_columns);
}

/// A float element at any alignment.
template <typename T>
float load(const std::byte* data, int64_t index) {
  T value;
  std::memcpy(&value, data + index * static_cast<int64_t>(sizeof(T)), sizeof(T));
  if constexpr (std::is_same_v<T, float>) {
    return value;
  } else if constexpr (std::is_same_v<T, double>) {
    return static_cast<float>(value);
  } else {
    return to_float(value);
  }
}

template <typename Body>
void dispatch_float(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      return body.template operator()<float>();
    case DType::f16:
      return body.template operator()<Half>();
    case DType::bf16:
      return body.template operator()<BFloat16>();
    case DType::f64:
      return body.template operator()<double>();
    default:
      throw Error(Kind::unsupported, "element type {}, expected a float type", name(dtype));
  }
}

/// Numbers one after another, at any alignment.
template <typename T>
void decode_run(const std::byte* data, std::span<float> out) {
  if constexpr (sizeof(T) == 2) {
    if (reinterpret_cast<uintptr_t>(data) % alignof(T) == 0) {
      to_float(std::span(reinterpret_cast<const T*>(data), out.size()), out);
      return;
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = load<T>(data, static_cast<int64_t>(i));
  }
}

/// Rows [first, first + count) of a matrix that is stored column by column.
template <typename T>
void decode_transposed(const std::byte* matrix, int64_t rows, int64_t columns, int64_t first, int64_t count,
                       float* out) {
  constexpr auto kSize = static_cast<int64_t>(sizeof(T));
  if constexpr (std::is_same_v<T, float>) {
    transpose<uint32_t>({matrix + first * kSize, rows}, columns, count, {reinterpret_cast<std::byte*>(out), columns});
  } else {
    constexpr int64_t kTile = 16;
    using Bits = std::conditional_t<kSize == 2, uint16_t, uint64_t>;
    std::vector<std::byte> lines(static_cast<size_t>(kTile * columns * kSize));
    for (int64_t done = 0; done < count; done += kTile) {
      const int64_t here = std::min(kTile, count - done);
      transpose<Bits>({matrix + (first + done) * kSize, rows}, columns, here, {lines.data(), columns});
      decode_run<T>(lines.data(), {out + done * columns, static_cast<size_t>(here * columns)});
    }
  }
}

void decode_dense(const Encoding& e, const DenseEncoding& d, int64_t first, int64_t count, std::span<float> out) {
  const int64_t columns = e.columns();
  const std::byte* data = d.values.bytes().data();
  dispatch_float(d.dtype, [&]<typename T>() {
    if (!d.transposed) {
      decode_run<T>(data + first * columns * static_cast<int64_t>(sizeof(T)), out);
      return;
    }
    const int64_t matrix_rows = e.shape[e.shape.size() - 2];
    for (int64_t done = 0; done < count;) {
      const int64_t row = first + done;
      const int64_t matrix = row / matrix_rows;
      const int64_t here = std::min(count - done, matrix_rows - row % matrix_rows);
      const std::byte* begin = data + matrix * matrix_rows * columns * static_cast<int64_t>(sizeof(T));
      decode_transposed<T>(begin, matrix_rows, columns, row % matrix_rows, here, out.data() + done * columns);
      done += here;
    }
  });
}

float scale_at(const Tensor& scales, int64_t index) {
  return scales.dtype() == DType::f16    ? load<Half>(scales.bytes().data(), index)
         : scales.dtype() == DType::bf16 ? load<BFloat16>(scales.bytes().data(), index)
                                         : load<float>(scales.bytes().data(), index);
}

void decode_affine(const Encoding& e, const AffineEncoding& a, int64_t first, int64_t count, std::span<float> out) {
  const int64_t columns = e.columns();
  const int64_t stride = packed_row_bytes(columns, a.bits);
  const int64_t groups = divide_up(columns, a.group_columns);
  std::vector<uint8_t> codes(static_cast<size_t>(columns));
  for (int64_t row = 0; row < count; ++row) {
    const auto packed =
        a.codes.values<uint8_t>().subspan(static_cast<size_t>((first + row) * stride), static_cast<size_t>(stride));
    unpack_codes(packed, a.bits, codes);
    float* line = out.data() + row * columns;
    for (int64_t group = 0; group < groups; ++group) {
      const int64_t index = (first + row) / a.group_rows * groups + group;
      const float scale = scale_at(a.scales, index);
      const int zero = a.asymmetric ? a.zero_points.values<uint8_t>()[static_cast<size_t>(index)] : 1 << (a.bits - 1);
      const int64_t end = std::min(columns, (group + 1) * a.group_columns);
      for (int64_t c = group * a.group_columns; c < end; ++c) {
        line[c] = static_cast<float>(codes[static_cast<size_t>(c)] - zero) * scale;
      }
    }
  }
}

void decode_codebook(const Encoding& e, const CodebookEncoding& b, int64_t first, int64_t count, std::span<float> out) {
  const int64_t columns = e.columns();
  const int64_t stride = packed_row_bytes(columns, b.index_bits());
  std::vector<uint8_t> codes(static_cast<size_t>(columns));
  for (int64_t row = 0; row < count; ++row) {
    const auto packed =
        b.codes.values<uint8_t>().subspan(static_cast<size_t>((first + row) * stride), static_cast<size_t>(stride));
    unpack_codes(packed, b.index_bits(), codes);
    const int64_t table = (first + row) / b.group_rows * b.centroids;
    float* line = out.data() + row * columns;
    for (int64_t c = 0; c < columns; ++c) {
      line[c] = scale_at(b.codebooks, table + codes[static_cast<size_t>(c)]);
    }
  }
}

/// Rows and blocks follow one another without gaps.
void decode_rows_of_blocks(const Encoding& e, const BlockEncoding& b, int64_t first, int64_t count,
                           std::span<float> out) {
  const int64_t stride = block_row_bytes(b.type, e.columns());
  const auto rows = b.blocks.bytes().subspan(static_cast<size_t>(first * stride), static_cast<size_t>(count * stride));
  decode_blocks(b.type, rows, out);
}

std::string affine_name(const Encoding& e, const AffineEncoding& a) {
  const std::string grid = fmt::format("{}{}", a.asymmetric ? "uint" : "int", a.bits);
  if (a.group_rows > 1) {
    return grid + " tensor";
  }
  if (a.group_columns >= e.columns()) {
    return grid + " channel";
  }
  return fmt::format("{} block {}", grid, a.group_columns);
}

std::string codebook_name(const Encoding& e, const CodebookEncoding& b) {
  if (b.group_rows >= e.rows()) {
    return fmt::format("codebook {} tensor", b.centroids);
  }
  if (b.group_rows == 1) {
    return fmt::format("codebook {} row", b.centroids);
  }
  return fmt::format("codebook {} rows {}", b.centroids, b.group_rows);
}

}  // namespace

int64_t Encoding::columns() const { return shape.empty() ? 1 : shape.back(); }

int64_t Encoding::rows() const {
  int64_t count = 1;
  for (size_t i = 0; i + 1 < shape.size(); ++i) {
    count *= shape[i];
  }
  return count;
}

bool Encoding::is_planned() const {
  return std::visit(Overloaded{[](const DenseEncoding& d) { return d.values.empty(); },
                               [](const AffineEncoding& a) { return a.codes.empty(); },
                               [](const CodebookEncoding& b) { return b.codes.empty(); },
                               [](const BlockEncoding& b) { return b.blocks.empty(); }},
                    form);
}

EncodingPtr make_dense(Tensor values) {
  const DType dtype = values.dtype();
  const Shape shape = values.shape();
  return std::make_shared<const Encoding>(
      Encoding{.shape = shape, .form = DenseEncoding{.dtype = dtype, .values = std::move(values)}});
}

EncodingPtr make_dense_transposed(Tensor values) {
  const DType dtype = values.dtype();
  const Shape shape = swap_last_two(values.shape());
  return std::make_shared<const Encoding>(
      Encoding{.shape = shape, .form = DenseEncoding{.dtype = dtype, .transposed = true, .values = std::move(values)}});
}

void decode_rows(const Encoding& encoding, int64_t first_row, int64_t row_count, std::span<float> out) {
  assert(!encoding.is_planned());
  assert(static_cast<int64_t>(out.size()) == row_count * encoding.columns());
  std::visit(Overloaded{[&](const DenseEncoding& d) { decode_dense(encoding, d, first_row, row_count, out); },
                        [&](const AffineEncoding& a) { decode_affine(encoding, a, first_row, row_count, out); },
                        [&](const CodebookEncoding& b) { decode_codebook(encoding, b, first_row, row_count, out); },
                        [&](const BlockEncoding& b) { decode_rows_of_blocks(encoding, b, first_row, row_count, out); }},
             encoding.form);
}

Tensor decode(const Encoding& encoding) {
  const DenseEncoding* d = encoding.dense();
  if (d != nullptr && !d->transposed && d->dtype == DType::f32) {
    return d->values.aligned();
  }
  Tensor out = Tensor::uninitialized(DType::f32, encoding.shape);
  decode_rows(encoding, 0, encoding.rows(), out.mutable_values<float>());
  return out;
}

void release_pages(const Encoding& encoding) {
  std::visit(Overloaded{[](const DenseEncoding& d) { d.values.release_pages(); },
                        [](const AffineEncoding& a) {
                          a.codes.release_pages();
                          a.scales.release_pages();
                        },
                        [](const CodebookEncoding& b) { b.codes.release_pages(); },
                        [](const BlockEncoding& b) { b.blocks.release_pages(); }},
             encoding.form);
}

void release_rows(const Encoding& encoding, int64_t first_row, int64_t row_count) {
  const auto release = [&](const Tensor& rows, int64_t stride) {
    rows.release_pages(first_row * stride, row_count * stride);
  };
  std::visit(
      Overloaded{
          [&](const DenseEncoding& d) {
            if (d.transposed) {
              release_pages(encoding);
            } else {
              release(d.values, packed_bytes(d.dtype, encoding.columns()));
            }
          },
          [&](const AffineEncoding& a) { release(a.codes, packed_row_bytes(encoding.columns(), a.bits)); },
          [&](const CodebookEncoding& b) { release(b.codes, packed_row_bytes(encoding.columns(), b.index_bits())); },
          [&](const BlockEncoding& b) { release(b.blocks, block_row_bytes(b.type, encoding.columns())); }},
      encoding.form);
}

DType compute_dtype(const Encoding& encoding) {
  const DenseEncoding* d = encoding.dense();
  return d != nullptr ? d->dtype : DType::f32;
}

int64_t stored_bytes(const Encoding& encoding) {
  return std::visit(
      Overloaded{[&](const DenseEncoding& d) {
                   return d.dtype == DType::string ? int64_t{0}
                                                   : packed_bytes(d.dtype, encoding.rows() * encoding.columns());
                 },
                 [&](const AffineEncoding& a) {
                   const int64_t groups = group_count(encoding, a);
                   const int64_t zero_points = a.asymmetric ? divide_up(groups * a.bits, 8) : 0;
                   return encoding.rows() * packed_row_bytes(encoding.columns(), a.bits) +
                          packed_bytes(a.scale_dtype, groups) + zero_points;
                 },
                 [&](const CodebookEncoding& b) {
                   return encoding.rows() * packed_row_bytes(encoding.columns(), b.index_bits()) +
                          packed_bytes(b.centroid_dtype, divide_up(encoding.rows(), b.group_rows) * b.centroids);
                 },
                 [&](const BlockEncoding& b) { return encoding.rows() * block_row_bytes(b.type, encoding.columns()); }},
      encoding.form);
}

std::string describe(const Encoding& encoding) {
  return std::visit(Overloaded{[](const DenseEncoding& d) { return std::string(name(d.dtype)); },
                               [&](const AffineEncoding& a) { return affine_name(encoding, a); },
                               [&](const CodebookEncoding& b) { return codebook_name(encoding, b); },
                               [](const BlockEncoding& b) { return std::string(name(b.type)); }},
                    encoding.form);
}

namespace {

/// Bytes that are full of codes. The width is a constant for compilers to vectorise.
template <int kBits>
void pack_bytes(std::span<const uint8_t> codes, std::span<uint8_t> packed) {
  constexpr size_t kPerByte = 8 / kBits;
  for (size_t byte = 0; byte < codes.size() / kPerByte; ++byte) {
    unsigned value = 0;
    for (size_t i = 0; i < kPerByte; ++i) {
      value |= static_cast<unsigned>(codes[byte * kPerByte + i]) << (i * kBits);
    }
    packed[byte] = static_cast<uint8_t>(value);
  }
}

template <int kBits>
void unpack_bytes(std::span<const uint8_t> packed, std::span<uint8_t> codes) {
  constexpr size_t kPerByte = 8 / kBits;
  for (size_t byte = 0; byte < codes.size() / kPerByte; ++byte) {
    for (size_t i = 0; i < kPerByte; ++i) {
      codes[byte * kPerByte + i] = static_cast<uint8_t>((packed[byte] >> (i * kBits)) & ((1 << kBits) - 1));
    }
  }
}

}  // namespace

void unpack_codes(std::span<const uint8_t> packed, int bits, std::span<uint8_t> out) {
  bits == 2 ? unpack_bytes<2>(packed, out) : bits == 4 ? unpack_bytes<4>(packed, out) : unpack_bytes<8>(packed, out);
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  for (size_t i = out.size() / per_byte * per_byte; i < out.size(); ++i) {
    out[i] = unpack_code(packed.data(), static_cast<int64_t>(i), bits);
  }
}

void pack_codes(std::span<const uint8_t> codes, int bits, std::span<uint8_t> packed) {
  bits == 2 ? pack_bytes<2>(codes, packed) : bits == 4 ? pack_bytes<4>(codes, packed) : pack_bytes<8>(codes, packed);
  const auto per_byte = static_cast<size_t>(8 / bits);
  const size_t full = codes.size() / per_byte;
  if (full * per_byte == codes.size()) {
    return;
  }
  unsigned value = 0;
  for (size_t i = full * per_byte; i < codes.size(); ++i) {
    value |= static_cast<unsigned>(codes[i]) << (static_cast<int>(i % per_byte) * bits);
  }
  packed[full] = static_cast<uint8_t>(value);
}

}  // namespace terse
