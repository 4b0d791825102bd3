#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "formats/error.h"
#include "formats/json_fields.h"
#include "formats/rounding.h"
#include "formats/safetensors/compressed_tensors.h"

namespace terse::safetensors {
namespace {

constexpr int kWordBits = 32;
constexpr std::string_view kOrder = ".weight_g_idx";

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

/// Takes the tensors of one module out of the checkpoint's.
class Module {
 public:
  Module(NamedTensors& tensors, std::string name) : tensors_(tensors.tensors), name_(std::move(name)) {}

  std::string weight() const { return name_ + std::string(kWeight); }

  std::optional<Tensor> take(std::string_view suffix) {
    const auto node = tensors_.extract(name_ + std::string(suffix));
    return node.empty() ? std::nullopt : std::optional(node.mapped());
  }

  Tensor get(std::string_view suffix) {
    auto tensor = take(suffix);
    if (!tensor) {
      throw Error(Kind::input, "tensor {}{} is missing: {}{} stands for a weight with codes", name_, suffix, name_,
                  kPacked);
    }
    return *tensor;
  }

  /// Error input unless a tensor has this shape.
  void expect(const Tensor& tensor, std::string_view suffix, const Shape& shape) const {
    if (tensor.shape() != shape) {
      throw Error(Kind::input, "tensor {}{} has shape {}, expected {}", name_, suffix, to_string(tensor.shape()),
                  to_string(shape));
    }
  }

  void expect(const Tensor& tensor, std::string_view suffix, std::initializer_list<DType> types) const {
    if (std::ranges::find(types, tensor.dtype()) == types.end()) {
      throw Error(Kind::unsupported, "tensor {}{} has type {}, which compressed-tensors' integer forms lack", name_,
                  suffix, terse::name(tensor.dtype()));
    }
  }

 private:
  std::map<std::string, Tensor, std::less<>>& tensors_;
  std::string name_;
};

/// Out and in of the weight. Bounded, so that products with code widths cannot overflow.
Shape take_shape(Module& module) {
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

/// Scales [out, groups]; one for all is repeated for every row.
Tensor take_scales(Module& module, int64_t rows) {
  Tensor scales = module.get(kScale).aligned();
  module.expect(scales, kScale, {DType::f32, DType::f16, DType::bf16});
  if (scales.count() == 1 && rows > 1) {
    Tensor repeated = Tensor::uninitialized(scales.dtype(), {rows, 1});
    const auto one = scales.bytes();
    for (size_t i = 0; i < repeated.bytes().size(); ++i) {
      repeated.mutable_bytes()[i] = one[i % one.size()];
    }
    return repeated;
  }
  if (scales.rank() != 2 || scales.shape()[0] != rows || scales.shape()[1] < 1) {
    module.expect(scales, kScale, Shape{rows, 1});
  }
  return scales;
}

int64_t group_columns(const Module& module, const Groups& groups, int64_t columns, int64_t count) {
  if (count == 1) {
    return columns;
  }
  if (columns % count != 0 || !groups.sizes.contains(columns / count)) {
    throw Error(Kind::input, "tensor {} has {} columns and {} scales a row, which fits no group_size of config.json",
                module.weight(), columns, count);
  }
  return columns / count;
}

int find_bits(const Module& module, const Groups& groups, int64_t columns, int64_t words) {
  for (const int64_t bits : groups.bits) {
    if ((bits == 2 || bits == 4 || bits == 8) && divide_up(columns * bits, kWordBits) == words) {
      return static_cast<int>(bits);
    }
  }
  throw Error(Kind::unsupported,
              "tensor {} has {} columns in {} words, which fits no num_bits of config.json among 2, 4 and 8",
              module.weight(), columns, words);
}

/// Packed rows without their padding to whole words: a view where there is none.
Tensor codes_of(const Tensor& packed, int64_t columns, int bits) {
  const int64_t rows = packed.shape()[0], padded = packed.shape()[1] * 4, used = divide_up(columns * bits, 8);
  Tensor bytes = packed.reinterpreted(DType::u8, {rows, padded});
  if (used == padded) {
    return bytes;
  }
  Tensor codes = Tensor::uninitialized(DType::u8, {rows, used});
  for (int64_t row = 0; row < rows; ++row) {
    const auto from = bytes.bytes().subspan(static_cast<size_t>(row * padded), static_cast<size_t>(used));
    std::ranges::copy(from, codes.mutable_bytes().begin() + row * used);
  }
  return codes;
}

/// Zero points that are packed down the rows, as u8 [rows, groups].
Tensor unpack_zero_points(const Tensor& packed, int64_t rows, int64_t groups, int bits) {
  Tensor points = Tensor::uninitialized(DType::u8, {rows, groups});
  const Tensor words = packed.aligned();
  const auto from = words.values<int32_t>();
  const auto to = points.mutable_values<uint8_t>();
  for (int64_t row = 0; row < rows; ++row) {
    const int64_t bit = row * bits;
    for (int64_t group = 0; group < groups; ++group) {
      const auto word = static_cast<uint32_t>(from[static_cast<size_t>(bit / kWordBits * groups + group)]);
      to[static_cast<size_t>(row * groups + group)] =
          static_cast<uint8_t>((word >> (bit % kWordBits)) & ((1U << bits) - 1));
    }
  }
  return points;
}

/// Signed bytes as unsigned codes: plus 128.
Tensor offset_bytes(const Tensor& values) {
  Tensor codes = Tensor::uninitialized(DType::u8, values.shape());
  std::ranges::transform(values.bytes(), codes.mutable_bytes().begin(),
                         [](std::byte b) { return b ^ std::byte{0x80}; });
  return codes;
}

void take_zero_points(Module& module, AffineEncoding& affine, const Shape& grid) {
  const auto points = module.take(kZeroPoint);
  if (!points) {
    return;
  }
  module.expect(*points, kZeroPoint, {DType::i32, DType::i8});
  affine.asymmetric = true;
  if (points->dtype() == DType::i8) {
    module.expect(*points, kZeroPoint, grid);
    affine.zero_points = offset_bytes(*points);
  } else {
    module.expect(*points, kZeroPoint, Shape{divide_up(grid[0] * affine.bits, kWordBits), grid[1]});
    affine.zero_points = unpack_zero_points(*points, grid[0], grid[1], affine.bits);
  }
}

AffineEncoding affine_of(Module& module, const Groups& groups, const Shape& shape) {
  AffineEncoding affine;
  affine.scales = take_scales(module, shape[0]);
  affine.scale_dtype = affine.scales.dtype();
  affine.group_columns = group_columns(module, groups, shape[1], affine.scales.shape()[1]);
  return affine;
}

EncodingPtr take_packed(Module& module, const Groups& groups) {
  if (module.take(kOrder)) {
    throw Error(Kind::unsupported, "tensor {} has its columns in an order of its own, which this version does not read",
                module.weight());
  }
  const Shape shape = take_shape(module);
  const Tensor packed = module.get(kPacked);
  module.expect(packed, kPacked, {DType::i32});
  if (packed.rank() != 2 || packed.shape()[0] != shape[0]) {
    module.expect(packed, kPacked, Shape{shape[0], divide_up(shape[1] * 4, kWordBits)});
  }
  AffineEncoding affine = affine_of(module, groups, shape);
  affine.bits = find_bits(module, groups, shape[1], packed.shape()[1]);
  affine.codes = codes_of(packed, shape[1], affine.bits);
  take_zero_points(module, affine, affine.scales.shape());
  return std::make_shared<const Encoding>(Encoding{.shape = shape, .form = std::move(affine)});
}

EncodingPtr take_bytes(Module& module, const Groups& groups) {
  const Tensor values = module.get(kWeight);
  if (values.rank() != 2 || values.count() == 0) {
    throw Error(Kind::unsupported, "tensor {} has 8-bit codes of shape {}, expected a matrix", module.weight(),
                to_string(values.shape()));
  }
  AffineEncoding affine = affine_of(module, groups, values.shape());
  affine.bits = 8;
  affine.codes = offset_bytes(values);
  take_zero_points(module, affine, affine.scales.shape());
  return std::make_shared<const Encoding>(Encoding{.shape = values.shape(), .form = std::move(affine)});
}

std::string without(const std::string& name, std::string_view suffix) {
  return name.ends_with(suffix) ? name.substr(0, name.size() - suffix.size()) : "";
}

/// Modules whose weights are codes, packed or as bytes.
std::vector<std::string> find_modules(const NamedTensors& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors.tensors) {
    const std::string packed = without(name, kPacked),
                      bytes = tensor.dtype() == DType::i8 ? without(name, kWeight) : "";
    if (!packed.empty() || !bytes.empty()) {
      names.push_back(packed.empty() ? bytes : packed);
    }
  }
  return names;
}

void check_method(const JsonField& config) {
  const std::string method = config.text_or("quant_method", "");
  if (method != "compressed-tensors") {
    throw Error(Kind::unsupported, "quantization_config: quant_method '{}', this version reads compressed-tensors",
                method);
  }
  const auto sparsity = config.find("sparsity_config");
  const std::string format = sparsity ? sparsity->text_or("format", "dense") : "dense";
  if (format != "dense") {
    throw Error(Kind::unsupported, "quantization_config: sparse weights in the form '{}', which this version lacks",
                format);
  }
}

}  // namespace

void unpack(NamedTensors& tensors, const std::string& config) {
  const nlohmann::json document = with_context("config.json", [&] { return parse_json(config); });
  const auto quantization =
      with_context("config.json", [&] { return JsonField(document, "").find("quantization_config"); });
  if (!quantization) {
    return;
  }
  const Groups groups = with_context("config.json", [&] {
    check_method(*quantization);
    return read_groups(*quantization);
  });
  for (const std::string& name : find_modules(tensors)) {
    Module module(tensors, name);
    const bool is_packed = tensors.tensors.contains(name + std::string(kPacked));
    tensors.encoded[module.weight()] = is_packed ? take_packed(module, groups) : take_bytes(module, groups);
  }
}

}  // namespace terse::safetensors
