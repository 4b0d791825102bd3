#include <algorithm>
#include <cmath>

#include "formats/onnx/raise_context.h"

// DequantizeLinear of a constant. Which dimension is `in` follows from the axis of its scales, and has to agree with
// how its readers use it.

namespace terse::onnx {
namespace {

/// What readers do with a dequantized matrix: multiply by it [.., in, out], or anything in its own shape.
enum class Orientation { as_it_stands, transposed };

/// Codes of all numbers, unsigned: signed ones are moved up by 2^(bits-1).
std::optional<std::vector<uint8_t>> unsigned_codes(const Tensor& stored) {
  const DType dtype = stored.dtype();
  const bool is_signed = dtype == DType::i8 || dtype == DType::i4 || dtype == DType::i2;
  const bool is_unsigned = dtype == DType::u8 || dtype == DType::u4 || dtype == DType::u2;
  if (!is_signed && !is_unsigned) {
    return std::nullopt;
  }
  const int bits = row(dtype).bits;
  std::vector<uint8_t> codes(static_cast<size_t>(stored.count()));
  const auto* bytes = reinterpret_cast<const uint8_t*>(stored.bytes().data());
  unpack_codes({bytes, stored.bytes().size()}, bits, codes);
  if (is_signed) {
    const auto top = static_cast<uint8_t>(1 << (bits - 1));
    std::transform(codes.begin(), codes.end(), codes.begin(), [&](uint8_t c) { return static_cast<uint8_t>(c ^ top); });
  }
  return codes;
}

bool is_signed(DType dtype) { return dtype == DType::i8 || dtype == DType::i4 || dtype == DType::i2; }

/// [matrices, a, b] -> [matrices, b, a]
template <typename T>
std::vector<T> transposed(std::span<const T> in, int64_t a, int64_t b) {
  std::vector<T> out(in.size());
  for (int64_t i = 0; i < static_cast<int64_t>(in.size()); ++i) {
    const int64_t matrix = i / (a * b), r = i / b % a, c = i % b;
    out[static_cast<size_t>(matrix * a * b + c * a + r)] = in[static_cast<size_t>(i)];
  }
  return out;
}

/// A DequantizeLinear whose operands are all constants.
struct Source {
  const Tensor* codes = nullptr;
  const Tensor* scales = nullptr;
  const Tensor* zero_points = nullptr;  ///< null: none
  int64_t axis = 0, block = 0;

  bool per_tensor() const { return scales->count() == 1; }
};

std::optional<Source> find_source(const RaiseContext& context, const Node& node) {
  Source s{.codes = context.tensor(node.input(0)), .scales = context.tensor(context.stored(node.input(1)))};
  if (s.codes == nullptr || s.scales == nullptr || s.codes->count() == 0 || s.codes->rank() < 1) {
    return std::nullopt;
  }
  if (node.input(2) != kNoValue) {
    s.zero_points = context.tensor(node.input(2));
    if (s.zero_points == nullptr || s.zero_points->dtype() != s.codes->dtype() ||
        s.zero_points->count() != s.scales->count()) {
      return std::nullopt;
    }
  }
  const int64_t rank = s.codes->rank();
  s.axis = node.get_int("axis", 1);
  s.axis += s.axis < 0 ? rank : 0;
  s.block = node.get_int("block_size", 0);
  if (s.block < 0 || s.block > (int64_t{1} << 40)) {
    return std::nullopt;
  }
  const bool usable = s.scales->dtype() == DType::f32 || s.scales->dtype() == DType::f16;
  return usable && (s.per_tensor() || (s.axis >= 0 && s.axis < rank)) ? std::optional(s) : std::nullopt;
}

/// Columns that share a scale if `in` is the last dimension of the weight; 0: its scales run along another dimension.
int64_t group_columns(const Source& s, Orientation orientation) {
  const Shape& dims = s.codes->shape();
  const auto rank = static_cast<int64_t>(dims.size());
  const bool turned = orientation == Orientation::transposed;
  if (turned && rank < 2) {
    return 0;
  }
  const int64_t in = turned ? rank - 2 : rank - 1;
  const int64_t columns = dims[static_cast<size_t>(in)];
  if (s.per_tensor()) {
    return columns;
  }
  Shape scale_dims = dims;
  if (s.block > 0) {
    scale_dims[static_cast<size_t>(s.axis)] = (dims[static_cast<size_t>(s.axis)] + s.block - 1) / s.block;
    return s.axis == in && s.scales->shape() == scale_dims ? std::min(s.block, columns) : 0;
  }
  const int64_t out = turned ? rank - 1 : rank - 2;
  const bool one_each = s.scales->count() == dims[static_cast<size_t>(s.axis)];
  return rank == 2 && s.axis == out && one_each ? columns : 0;
}

Shape logical_shape(const Source& s, Orientation orientation) {
  return orientation == Orientation::transposed ? swap_last_two(s.codes->shape()) : s.codes->shape();
}

/// Codes packed along the rows of the weight.
Tensor pack_rows(std::span<const uint8_t> codes, int64_t columns, int bits) {
  const int64_t rows = static_cast<int64_t>(codes.size()) / columns;
  const int64_t row_bytes = packed_row_bytes(columns, bits);
  Tensor packed = Tensor::make(DType::u8, {rows, row_bytes});
  for (int64_t r = 0; r < rows; ++r) {
    pack_codes(codes.subspan(static_cast<size_t>(r * columns), static_cast<size_t>(columns)), bits,
               packed.mutable_values<uint8_t>().subspan(static_cast<size_t>(r * row_bytes)));
  }
  return packed;
}

template <typename T>
Tensor in_rows(std::span<const T> values, const Shape& stored, bool turned, const Shape& dims) {
  if (!turned) {
    return Tensor::of<T>(dims, values);
  }
  const std::vector<T> rows = transposed(values, stored[stored.size() - 2], stored.back());
  return Tensor::of<T>(dims, rows);
}

EncodingPtr encode(const Source& s, Orientation orientation, int64_t group) {
  const Shape shape = logical_shape(s, orientation);
  const int64_t columns = shape.back();
  const int64_t rows = s.codes->count() / columns;
  const bool turned = orientation == Orientation::transposed;
  AffineEncoding affine{.bits = row(s.codes->dtype()).bits,
                        .group_rows = s.per_tensor() ? rows : 1,
                        .group_columns = group,
                        .scale_dtype = s.scales->dtype()};
  const auto codes = unsigned_codes(*s.codes);
  if (!codes) {
    return nullptr;
  }
  const auto turned_codes =
      turned ? transposed<uint8_t>(*codes, shape.back(), shape[shape.size() - 2]) : std::vector<uint8_t>();
  affine.codes = pack_rows(turned ? turned_codes : *codes, columns, affine.bits);
  s.codes->release_pages();

  const Shape groups = {rows / affine.group_rows, s.per_tensor() ? 1 : (columns + group - 1) / group};
  const bool turned_scales = turned && s.block > 0 && !s.per_tensor();
  const Tensor scales = s.scales->aligned();
  affine.scales = scales.dtype() == DType::f16
                      ? in_rows(scales.values<Half>(), s.scales->shape(), turned_scales, groups)
                      : in_rows(scales.values<float>(), s.scales->shape(), turned_scales, groups);
  const auto points = s.zero_points == nullptr
                          ? std::optional(std::vector<uint8_t>(static_cast<size_t>(s.scales->count()), uint8_t{0}))
                          : unsigned_codes(*s.zero_points);
  const auto middle = static_cast<uint8_t>(1 << (affine.bits - 1));
  const bool in_the_middle = std::all_of(points->begin(), points->end(), [&](uint8_t p) { return p == middle; });
  if (is_signed(s.codes->dtype()) && (s.zero_points == nullptr || in_the_middle)) {
    return std::make_shared<const Encoding>(Encoding{.shape = shape, .form = std::move(affine)});
  }
  affine.asymmetric = true;
  affine.zero_points = in_rows(std::span<const uint8_t>(*points), s.scales->shape(), turned_scales, groups);
  return std::make_shared<const Encoding>(Encoding{.shape = shape, .form = std::move(affine)});
}

bool is_product(const Node& node, size_t input) { return input == 1 && (node.is("MatMul") || node.is("Gemm")); }
bool transposes_b(const Node& node) { return node.get_int("transB", 0) != 0; }

/// Swaps the last two dimensions and nothing else.
bool is_matrix_transpose(const Node& node) {
  const auto permutation = node.get_ints("perm");
  const auto rank = static_cast<int64_t>(permutation.size());
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t expected = i < rank - 2 ? i : 2 * rank - 3 - i;
    if (permutation[static_cast<size_t>(i)] != expected) {
      return false;
    }
  }
  return node.is("Transpose") && rank >= 2;
}

/// How a reader sees the weight; nullopt if canonical form cannot say it.
std::optional<Orientation> seen_by(const RaiseContext& context, const Node& node, size_t input) {
  if (is_product(node, input)) {
    return transposes_b(node) ? Orientation::as_it_stands : Orientation::transposed;
  }
  if (!is_matrix_transpose(node)) {
    return Orientation::as_it_stands;
  }
  const auto& behind = context.readers(node.output(0));
  const bool only_products = !behind.empty() && std::all_of(behind.begin(), behind.end(), [](const auto& reader) {
    return is_product(*reader.first, reader.second) && !transposes_b(*reader.first);
  });
  return only_products ? std::optional(Orientation::as_it_stands) : std::nullopt;
}

std::optional<Orientation> orientation_of(const RaiseContext& context, ValueId value) {
  std::optional<Orientation> all;
  for (const auto& [node, input] : context.readers(value)) {
    const auto one = seen_by(context, *node, input);
    if (!one || (all && *all != *one)) {
      return std::nullopt;
    }
    all = one;
  }
  return all;
}

}  // namespace

void read_instead(const RaiseContext& context, ValueId value, ValueId weight) {
  for (const auto& [node, input] : context.readers(value)) {
    if (is_product(*node, input)) {
      node->inputs[input] = weight;
      node->set("transB", int64_t{1});
    } else if (is_matrix_transpose(*node)) {
      for (const auto& [product, operand] : context.readers(node->output(0))) {
        product->inputs[operand] = weight;
        product->set("transB", int64_t{1});
      }
    } else {
      node->inputs[input] = weight;
    }
  }
}

bool reads_as_it_stands(const RaiseContext& context, ValueId value) {
  return orientation_of(context, value) == Orientation::as_it_stands;
}

void raise_dequantize_linear(RaiseContext& context, Node& node) {
  const auto source = node.is("DequantizeLinear") ? find_source(context, node) : std::nullopt;
  const auto orientation = source ? orientation_of(context, node.output(0)) : std::nullopt;
  const int64_t group = orientation ? group_columns(*source, *orientation) : 0;
  const DType dtype = context.dtype(node.input(1));
  const EncodingPtr encoding = group > 0 && is_float(dtype) ? encode(*source, *orientation, group) : nullptr;
  if (encoding != nullptr) {
    read_instead(context, node.output(0), context.add(node.input(0), encoding, dtype));
  }
}

/// GatherBlockQuantized of 4-bit integers: a blocked DequantizeLinear of the rows that are picked.
void raise_integer_gather(RaiseContext& context, Node& node) {
  const Tensor* data = node.is("GatherBlockQuantized", "com.microsoft") ? context.tensor(node.input(0)) : nullptr;
  if (data == nullptr || (data->dtype() != DType::i4 && data->dtype() != DType::u4) ||
      node.get_int("gather_axis", 0) != 0) {
    return;
  }
  Node integers = node;
  integers.inputs = {node.input(0), node.input(2), node.input(3)};
  integers.set("axis", node.get_int("quantize_axis", 1));
  integers.set("block_size", node.get_int("block_size", 128));
  const auto source = find_source(context, integers);
  const int64_t group = source ? group_columns(*source, Orientation::as_it_stands) : 0;
  const DType dtype = context.dtype(node.input(2));
  if (group <= 0 || !is_float(dtype)) {
    return;
  }
  const ValueId weight = context.add(node.input(0), encode(*source, Orientation::as_it_stands, group), dtype);
  become(node, "Gather", {weight, node.input(1)}, {"gather_axis", "quantize_axis", "bits", "block_size"});
}

}  // namespace terse::onnx
