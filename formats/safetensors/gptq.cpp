#include <algorithm>
#include <cctype>

#include "formats/error.h"
#include "formats/rounding.h"
#include "formats/safetensors/code_grid.h"
#include "formats/safetensors/coded_module.h"
#include "formats/safetensors/quantized.h"

// GPTQ's codes as AutoGPTQ, GPTQModel and optimum store them, of a Linear (or Conv1D) module M:
//
//   M.qweight  i32 [ceil(in * bits / 32), out]      codes of a column along `in`, without gaps, the first in the low
//   bits M.qzeros   i32 [groups, ceil(out * bits / 32)]  zero points likewise, along `out` M.scales   f16 [groups, out]
//   M.g_idx    i32 [in]                             the group of every column; absent: column / group_size
//
// value = (code - zero point) * scale. Version 1 of the form stores zero points less one, subtracted from all fields of
// a word at once (so that a zero borrows from its neighbour), version 2 as they are.
// Source: AutoGPTQ 0.7, nn_modules/qlinear/qlinear_cuda.py; GPTQModel 7.7, utils/model.py.

namespace terse::safetensors {
namespace {

constexpr std::string_view kWords = ".qweight", kZeros = ".qzeros", kScales = ".scales", kOrder = ".g_idx";

enum class Version { one, two };

struct Config {
  int64_t bits = 4, group_size = -1;  ///< -1: all columns
  bool is_mixed = false;              ///< some modules have another number of bits
  Version version = Version::one;
};

Version read_version(const JsonField& config) {
  std::string form = config.text_or("checkpoint_format", config.text_or("format", "gptq"));
  std::ranges::transform(form, form.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (config.flag_or("is_marlin_format", false)) {
    form = "marlin";
  }
  if (form != "gptq" && form != "gptq_v2") {
    throw Error(Kind::unsupported, "{}: checkpoint_format '{}', this version reads gptq and gptq_v2", config.where(),
                form);
  }
  return form == "gptq" ? Version::one : Version::two;
}

Config read_config(const JsonField& config) {
  const auto size = config.find("group_size");
  return {.bits = config.get("bits").whole(1, kWordBits),
          .group_size = size ? size->whole(-1, INT64_MAX) : -1,
          .is_mixed = config.find("dynamic").has_value(),
          .version = read_version(config)};
}

int64_t words_of(int64_t codes, int64_t bits) { return divide_up(codes * bits, kWordBits); }

struct ModuleTensors {
  Tensor words, zeros, scales;
  std::optional<Tensor> order;

  int64_t rows() const { return words.shape()[1]; }
  int64_t groups() const { return scales.shape()[0]; }
};

ModuleTensors take(CodedModule& module) {
  ModuleTensors t{module.get(kWords), module.get(kZeros), module.get_scales(kScales), module.take(kOrder)};
  module.expect(t.words, kWords, {DType::i32});
  module.expect(t.zeros, kZeros, {DType::i32});
  module.expect_matrix(t.words, kWords);
  module.expect_matrix(t.scales, kScales);
  module.expect(t.scales, kScales, Shape{t.groups(), t.rows()});
  if (t.order) {
    module.expect(*t.order, kOrder, {DType::i32, DType::i64});
    module.expect(*t.order, kOrder, Shape{t.order->count()});
  }
  return t;
}

bool fits(const ModuleTensors& t, int64_t bits) {
  const int64_t columns = t.order ? t.order->count() : t.words.shape()[0] * kWordBits / bits;
  return t.zeros.shape() == Shape{t.groups(), words_of(t.rows(), bits)} &&
         t.words.shape()[0] == words_of(columns, bits);
}

/// What the configuration says, else in mixed models what fits.
int get_bits(const CodedModule& module, const ModuleTensors& t, const Config& config) {
  for (const int64_t bits : {config.bits, int64_t{2}, int64_t{3}, int64_t{4}, int64_t{8}}) {
    const bool is_width = bits == 2 || bits == 3 || bits == 4 || bits == 8;
    if (is_width && (bits == config.bits || config.is_mixed) && fits(t, bits)) {
      return static_cast<int>(bits);
    }
  }
  throw Error(
      Kind::input,
      "tensor {} has words {}, zero points {} and {} groups of columns, which is not {} bits as config.json says",
      module.weight(), to_string(t.words.shape()), to_string(t.zeros.shape()), t.groups(), config.bits);
}

int64_t get_group_columns(const CodedModule& module, int64_t columns, int64_t groups, const Config& config) {
  if (groups == 1) {
    return columns;
  }
  if (config.group_size > 0 && divide_up(columns, config.group_size) == groups) {
    return config.group_size;
  }
  if (columns % groups != 0) {
    throw Error(Kind::input, "tensor {} has {} columns and {} scales a row, which fits no group_size (config.json: {})",
                module.weight(), columns, groups, config.group_size);
  }
  return columns / groups;
}

std::vector<int32_t> get_groups(const CodedModule& module, const ModuleTensors& t, int64_t group_columns) {
  return t.order ? irregular_groups(module.weight(), to_int64s(t.order->aligned()), group_columns, t.groups())
                 : std::vector<int32_t>();
}

/// A one in every field of a word whose fields no bit is left over by.
uint32_t one_in_every_field(int bits) {
  uint32_t ones = 0;
  for (int bit = 0; bit < kWordBits; bit += bits) {
    ones |= 1U << bit;
  }
  return ones;
}

/// Zero points [rows, groups].
Tensor get_zero_points(const ModuleTensors& t, int bits, Version version) {
  if (version == Version::two) {
    return unpack_zero_points(t.zeros, t.rows(), bits);
  }
  const bool fills_words = kWordBits % bits == 0;
  const uint32_t ones = fills_words ? one_in_every_field(bits) : 0;
  Tensor words = Tensor::uninitialized(DType::i32, t.zeros.shape());
  std::ranges::transform(t.zeros.aligned().values<int32_t>(), words.mutable_values<int32_t>().begin(),
                         [&](int32_t word) { return static_cast<int32_t>(static_cast<uint32_t>(word) + ones); });
  Tensor zeros = unpack_zero_points(words, t.rows(), bits);
  if (!fills_words) {
    for (uint8_t& zero : zeros.mutable_values<uint8_t>()) {
      zero = static_cast<uint8_t>((zero + 1) & ((1 << bits) - 1));
    }
  }
  return zeros;
}

EncodingPtr unpack_module(CodedModule& module, const Config& config) {
  const ModuleTensors t = take(module);
  const int bits = get_bits(module, t, config);
  CodeGrid grid{.rows = t.rows(), .bits = bits};
  grid.columns = t.order ? t.order->count() : t.words.shape()[0] * kWordBits / bits;
  grid.group_columns = get_group_columns(module, grid.columns, t.groups(), config);
  grid.group = get_groups(module, t, grid.group_columns);
  grid.codes = transposed(t.words).reinterpreted(DType::u8, {t.rows(), t.words.shape()[0] * 4});
  grid.scales = transposed(t.scales);
  grid.zero_points = get_zero_points(t, bits, config.version);
  return encode(std::move(grid));
}

}  // namespace

void unpack_gptq(NamedTensors& tensors, const JsonField& config) {
  const Config read = read_config(config);
  for (const std::string& name : find_modules(tensors, kWords)) {
    CodedModule module(tensors, name);
    tensors.encoded[module.weight()] = unpack_module(module, read);
  }
}

}  // namespace terse::safetensors
