#include <algorithm>
#include <array>
#include <cctype>

#include "formats/error.h"
#include "formats/rounding.h"
#include "formats/safetensors/code_grid.h"
#include "formats/safetensors/coded_module.h"
#include "formats/safetensors/quantized.h"

// AWQ's codes as AutoAWQ stores them, 4 bits, of a Linear module M. In the form "gemm", eight codes to a word, of
// neighbouring rows in the order 0 2 4 6 1 3 5 7, the first in the low bits:
//
//   M.qweight  i32 [in, out / 8]
//   M.qzeros   i32 [groups, out / 8]  absent: 8
//   M.scales   f16 [groups, out]
//
// In the form "gemv", eight codes to a word, of neighbouring columns as they stand; the last dimensions of zero points
// and scales are padded:
//
//   M.qweight  i32 [out, in / 8]
//   M.qzeros   i32 [out, n]           n at least ceil(groups / 8)
//   M.scales   f16 [out, 8 * n]
//
// value = (code - zero point) * scale. Source: AutoAWQ 0.2, modules/linear/gemm.py, gemv.py.

namespace terse::safetensors {
namespace {

constexpr std::string_view kWords = ".qweight", kZeros = ".qzeros", kScales = ".scales";
constexpr int kBits = 4, kPerWord = kWordBits / kBits;
constexpr std::array<int, kPerWord> kPlaceOfRow = {0, 4, 1, 5, 2, 6, 3, 7};  // in its word, of each of eight rows

enum class Form { gemm, gemv };

struct Config {
  Form form = Form::gemm;
  int64_t group_size = -1;
};

Config read_config(const JsonField& config) {
  std::string form = config.text_or("version", config.text_or("format", "gemm"));
  std::ranges::transform(form, form.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (form != "gemm" && form != "gemv") {
    throw Error(Kind::unsupported, "{}: AWQ in the form '{}', this version reads gemm and gemv", config.where(), form);
  }
  const auto bits = config.find("bits"), size = config.find("group_size");
  if (bits && bits->whole(1, kWordBits) != kBits) {
    throw Error(Kind::unsupported, "{}: {} bits, AWQ's files have {}", config.where(), bits->whole(1, kWordBits),
                kBits);
  }
  return {form == "gemm" ? Form::gemm : Form::gemv, size ? size->whole(-1, INT64_MAX) : -1};
}

/// Words [n, rows / 8] of eight rows each as codes a byte, [rows, n].
Tensor unpack_words(const Tensor& words) {
  const Tensor turned = transposed(words);
  const int64_t blocks = turned.shape()[0], columns = turned.shape()[1];
  Tensor codes = Tensor::uninitialized(DType::u8, {blocks * kPerWord, columns});
  const auto from = turned.values<int32_t>();
  const auto to = codes.mutable_values<uint8_t>();
  for (int64_t row = 0; row < blocks * kPerWord; ++row) {
    const int shift = kPlaceOfRow.at(static_cast<size_t>(row % kPerWord)) * kBits;
    const auto line = from.subspan(static_cast<size_t>(row / kPerWord * columns), static_cast<size_t>(columns));
    std::ranges::transform(line, to.begin() + row * columns, [shift](int32_t word) {
      return static_cast<uint8_t>(static_cast<uint32_t>(word) >> shift & ((1U << kBits) - 1));
    });
  }
  return codes;
}

EncodingPtr unpack_gemm(CodedModule& module) {
  const Tensor words = module.get(kWords), scales = module.get_scales(kScales);
  module.expect(words, kWords, {DType::i32});
  module.expect_matrix(words, kWords);
  module.expect_matrix(scales, kScales);
  const int64_t columns = words.shape()[0], rows = words.shape()[1] * kPerWord, groups = scales.shape()[0];
  module.expect(scales, kScales, Shape{groups, rows});
  if (columns % groups != 0) {
    throw Error(Kind::input, "tensor {} has {} columns in {} groups, which do not divide them", module.weight(),
                columns, groups);
  }
  CodeGrid grid{.rows = rows, .columns = columns, .bits = kBits, .group_columns = columns / groups};
  if (const auto zeros = module.take(kZeros)) {
    module.expect(*zeros, kZeros, {DType::i32});
    module.expect(*zeros, kZeros, Shape{groups, rows / kPerWord});
    grid.zero_points = unpack_words(*zeros);
  }
  grid.codes = pack_rows(unpack_words(words), kBits);
  grid.scales = transposed(scales);
  return encode(std::move(grid));
}

/// The first `columns` of every row.
Tensor first_columns(const Tensor& matrix, int64_t columns) {
  Tensor out = Tensor::uninitialized(matrix.dtype(), {matrix.shape()[0], columns});
  const int64_t width = row(matrix.dtype()).bits / 8;
  for (int64_t row = 0; row < matrix.shape()[0]; ++row) {
    const auto line = matrix.bytes().subspan(static_cast<size_t>(row * matrix.shape()[1] * width),
                                             static_cast<size_t>(columns * width));
    std::ranges::copy(line, out.mutable_bytes().begin() + row * columns * width);
  }
  return out;
}

/// Zero points a byte, [rows, groups].
Tensor unpack_row_zeros(const Tensor& words, int64_t groups) {
  Tensor zeros = Tensor::uninitialized(DType::u8, {words.shape()[0], groups});
  const auto stride = static_cast<size_t>(words.shape()[1] * 4), count = static_cast<size_t>(groups);
  const Tensor bytes = words.reinterpreted(DType::u8, {words.shape()[0], words.shape()[1] * 4});
  for (size_t row = 0; row < static_cast<size_t>(words.shape()[0]); ++row) {
    unpack_codes(bytes.values<uint8_t>().subspan(row * stride, stride), kBits,
                 zeros.mutable_values<uint8_t>().subspan(row * count, count));
  }
  return zeros;
}

EncodingPtr unpack_gemv(CodedModule& module, const Config& config) {
  const Tensor words = module.get(kWords), zeros = module.get(kZeros), scales = module.get_scales(kScales);
  module.expect(words, kWords, {DType::i32});
  module.expect(zeros, kZeros, {DType::i32});
  module.expect_matrix(words, kWords);
  const int64_t rows = words.shape()[0], columns = words.shape()[1] * kPerWord;
  const int64_t size = config.group_size > 0 ? config.group_size : columns;
  const int64_t groups = divide_up(columns, size);
  module.expect_matrix(zeros, kZeros);
  const Shape padded = {rows, std::max(zeros.shape()[1], divide_up(groups, kPerWord))};
  module.expect(zeros, kZeros, padded);
  module.expect(scales, kScales, Shape{rows, padded[1] * kPerWord});
  return encode({.rows = rows,
                 .columns = columns,
                 .bits = kBits,
                 .codes = words.reinterpreted(DType::u8, {rows, words.shape()[1] * 4}),
                 .scales = first_columns(scales, groups),
                 .zero_points = unpack_row_zeros(zeros, groups),
                 .group_columns = size});
}

}  // namespace

void unpack_awq(NamedTensors& tensors, const JsonField& config) {
  const Config read = read_config(config);
  for (const std::string& name : find_modules(tensors, kWords)) {
    CodedModule module(tensors, name);
    tensors.encoded[module.weight()] = read.form == Form::gemm ? unpack_gemm(module) : unpack_gemv(module, read);
  }
}

}  // namespace terse::safetensors
