#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "formats/error.h"
#include "formats/json_fields.h"
#include "formats/rounding.h"
#include "formats/safetensors/code_grid.h"
#include "formats/safetensors/coded_module.h"
#include "formats/safetensors/compressed_tensors.h"
#include "formats/safetensors/quantized.h"

namespace terse::safetensors {
namespace {

constexpr std::string_view kOrder = ".weight_g_idx", kGlobalScale = ".weight_global_scale";
constexpr std::array<std::string_view, 6> kOfActivations = {".input_scale",  ".input_zero_point", ".k_scale",
                                                            ".output_scale", ".q_scale",          ".v_scale"};

/// What the groups of a quantization_config allow.
struct Groups {
  std::set<int64_t> bits, sizes;  ///< sizes: columns that share a scale, where they are not the row's
};

Groups read_groups(const JsonField& config) {
  Groups groups;
  const auto all = config.find("config_groups");
  if (!all) {
    return groups;
  }
  for (const auto& [name, ignored] : all->value().items()) {
    const auto weights = all->get(name).find("weights");
    if (!weights) {
      continue;
    }
    const auto bits = weights->find("num_bits"), size = weights->find("group_size");
    groups.bits.insert(bits ? bits->whole(1, 64) : 8);
    if (size && size->whole(-1, INT64_MAX) > 0) {
      groups.sizes.insert(size->whole(-1, INT64_MAX));
    }
  }
  return groups;
}

/// Out and in of the weight. Bounded, so that products with code widths cannot overflow.
Shape get_shape(CodedModule& module) {
  const Tensor stored = module.get(kShapeOf);
  module.expect(stored, kShapeOf, Shape{2});
  module.expect(stored, kShapeOf, {DType::i32, DType::i64});
  Shape shape = to_int64s(stored.aligned());
  constexpr int64_t kLargest = int64_t{1} << 31;
  if (shape[0] < 1 || shape[1] < 1 || shape[0] > kLargest || shape[1] > kLargest) {
    throw Error(Kind::input, "tensor {} is to have shape {}, expected two positive numbers", module.weight(),
                to_string(shape));
  }
  return shape;
}

/// A tensor of one element, for all rows.
Tensor repeat(const Tensor& one, int64_t rows) {
  Tensor repeated = Tensor::uninitialized(one.dtype(), {rows, 1});
  for (size_t i = 0; i < repeated.bytes().size(); ++i) {
    repeated.mutable_bytes()[i] = one.bytes()[i % one.bytes().size()];
  }
  return repeated;
}

/// Scales [out, groups]; one for all is repeated for every row.
Tensor get_scales(CodedModule& module, int64_t rows) {
  Tensor scales = module.get_scales(kScale);
  if (scales.count() == 1) {
    return repeat(scales, rows);
  }
  if (scales.rank() != 2 || scales.shape()[0] != rows || scales.shape()[1] < 1) {
    module.expect(scales, kScale, Shape{rows, 1});
  }
  return scales;
}

int64_t get_group_columns(const CodedModule& module, const Groups& groups, int64_t columns, int64_t count) {
  if (count == 1) {
    return columns;
  }
  if (columns % count != 0 || !groups.sizes.contains(columns / count)) {
    throw Error(Kind::input, "tensor {} has {} columns and {} scales a row, which fits no group_size of config.json",
                module.weight(), columns, count);
  }
  return columns / count;
}

int get_bits(const CodedModule& module, const Groups& groups, int64_t columns, int64_t words) {
  for (const int64_t bits : groups.bits) {
    if (bits <= 8 && divide_up(columns * bits, kWordBits) == words) {
      return static_cast<int>(bits);
    }
  }
  throw Error(Kind::unsupported, "tensor {} has {} columns in {} words, which fits no num_bits of config.json up to 8",
              module.weight(), columns, words);
}

/// Signed bytes as unsigned codes of so many bits. Error input if one has more.
Tensor offset_bytes(const CodedModule& module, const Tensor& values, int bits) {
  Tensor codes = Tensor::uninitialized(DType::u8, values.shape());
  const int middle = 1 << (bits - 1);
  std::ranges::transform(values.values<int8_t>(), codes.mutable_values<uint8_t>().begin(), [&](int8_t value) {
    if (value < -middle || value >= middle) {
      throw Error(Kind::input, "tensor {} has a code {}, which {} bits do not hold", module.weight(), value, bits);
    }
    return static_cast<uint8_t>(value + middle);
  });
  return codes;
}

/// Zero points a byte, [out, groups]: packed down the rows in the file, or as they are in older ones.
Tensor take_zero_points(CodedModule& module, int bits, const Shape& grid) {
  const auto points = module.take(kZeroPoint);
  if (!points) {
    return {};
  }
  module.expect(*points, kZeroPoint, {DType::i32, DType::i8});
  if (points->dtype() == DType::i8) {
    const bool is_one = points->count() == 1 && grid[1] == 1;
    module.expect(*points, kZeroPoint, is_one ? points->shape() : grid);
    Tensor codes = offset_bytes(module, *points, bits);
    return is_one ? repeat(codes, grid[0]) : codes;
  }
  module.expect(*points, kZeroPoint, Shape{divide_up(grid[0] * bits, kWordBits), grid[1]});
  return unpack_zero_points(transposed(*points), grid[0], bits);
}

/// The group of every column, where they are not runs of columns; all -1 in files that were to have some and do not.
std::vector<int32_t> take_groups(CodedModule& module, const CodeGrid& grid) {
  const auto order = module.take(kOrder);
  if (!order) {
    return {};
  }
  module.expect(*order, kOrder, {DType::i32, DType::i64});
  module.expect(*order, kOrder, Shape{grid.columns});
  const std::vector<int64_t> groups = to_int64s(order->aligned());
  if (std::ranges::find(groups, -1) != groups.end()) {
    return {};
  }
  return irregular_groups(module.weight(), groups, grid.group_columns, grid.scales.shape()[1]);
}

EncodingPtr take_packed(CodedModule& module, const Groups& groups) {
  const Shape shape = get_shape(module);
  const Tensor packed = module.get(kPacked);
  module.expect(packed, kPacked, {DType::i32});
  if (packed.rank() != 2 || packed.shape()[0] != shape[0]) {
    module.expect(packed, kPacked, Shape{shape[0], divide_up(shape[1] * 4, kWordBits)});
  }
  CodeGrid grid{.rows = shape[0], .columns = shape[1]};
  grid.scales = get_scales(module, shape[0]);
  grid.group_columns = get_group_columns(module, groups, shape[1], grid.scales.shape()[1]);
  grid.bits = get_bits(module, groups, shape[1], packed.shape()[1]);
  grid.codes = packed.reinterpreted(DType::u8, {shape[0], packed.shape()[1] * 4});
  grid.zero_points = take_zero_points(module, grid.bits, grid.scales.shape());
  grid.group = take_groups(module, grid);
  return encode(std::move(grid));
}

/// Codes a byte, whatever their width ("int-quantized", "naive-quantized").
EncodingPtr take_bytes(CodedModule& module, const Groups& groups) {
  const Tensor values = module.get(kWeight);
  module.expect_matrix(values, kWeight);
  const int bits = groups.bits.size() == 1 && *groups.bits.begin() <= 4 ? 4 : 8;
  CodeGrid grid{.rows = values.shape()[0], .columns = values.shape()[1], .bits = bits};
  grid.scales = get_scales(module, grid.rows);
  grid.group_columns = get_group_columns(module, groups, grid.columns, grid.scales.shape()[1]);
  grid.codes = pack_rows(offset_bytes(module, values, bits), bits);
  grid.zero_points = take_zero_points(module, bits, grid.scales.shape());
  grid.group = take_groups(module, grid);
  return encode(std::move(grid));
}

/// Modules whose weights are codes a byte.
std::vector<std::string> find_bytes(const NamedTensors& tensors) {
  std::vector<std::string> names = find_modules(tensors, kWeight);
  std::erase_if(names, [&](const std::string& name) {
    return tensors.tensors.at(name + std::string(kWeight)).dtype() != DType::i8;
  });
  return names;
}

void check_sparsity(const JsonField& config) {
  const auto sparsity = config.find("sparsity_config");
  const std::string format = sparsity ? sparsity->text_or("format", "dense") : "dense";
  if (format != "dense") {
    throw Error(Kind::unsupported, "quantization_config: sparse weights in the form '{}', which this version lacks",
                format);
  }
}

void check_no_float4(const NamedTensors& tensors) {
  if (const auto names = find_modules(tensors, kGlobalScale); !names.empty()) {
    throw Error(Kind::unsupported,
                "tensor {}.weight is in floats of 4 bits, which this version does not read: start from the model that "
                "was quantized",
                names.front());
  }
}

/// What readers compute with activations and caches, and not with weights.
void drop_activation_scales(NamedTensors& tensors) {
  for (const std::string_view suffix : kOfActivations) {
    std::erase_if(tensors.tensors, [&](const auto& entry) { return entry.first.ends_with(suffix); });
  }
}

}  // namespace

void unpack_compressed_tensors(NamedTensors& tensors, const JsonField& config) {
  const Groups groups = with_context("config.json", [&] {
    check_sparsity(config);
    return read_groups(config);
  });
  check_no_float4(tensors);
  unpack_float8(tensors, config);
  for (const std::string& name : find_modules(tensors, kPacked)) {
    CodedModule module(tensors, name);
    tensors.encoded[module.weight()] = take_packed(module, groups);
  }
  for (const std::string& name : find_bytes(tensors)) {
    CodedModule module(tensors, name);
    tensors.encoded[module.weight()] = take_bytes(module, groups);
  }
  drop_activation_scales(tensors);
}

}  // namespace terse::safetensors
