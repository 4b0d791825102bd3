#include "calibration/ops/elementwise.h"
#include "formats/encoding.h"

namespace terse::calibration::ops {
namespace {

constexpr int64_t kRowsPerTask = 64;

/// The weight of a MatMulNBits: codes u8 [out, blocks, block * bits / 8], scales [out, blocks] of any float type, zero
/// points packed by row (u8) or of the scales' type, absent: 2^(bits-1).
struct BlockedWeight {
  int64_t out = 0, in = 0, block = 0;
  int bits = 4;
  Tensor codes, scales, zero_points;

  /// The last one may be shorter.
  int64_t blocks() const { return in / block + (in % block != 0 ? 1 : 0); }
  int64_t block_bytes() const { return block * bits / 8; }

  float zero_point(int64_t row, int64_t b) const {
    if (zero_points.empty()) {
      return static_cast<float>(1 << (bits - 1));
    }
    if (zero_points.dtype() == DType::u8) {
      const int64_t row_bytes = packed_row_bytes(blocks(), bits);
      return static_cast<float>(unpack_code(zero_points.values<uint8_t>().data() + row * row_bytes, b, bits));
    }
    return zero_points.values<float>()[static_cast<size_t>(row * blocks() + b)];
  }

  void decode_row(int64_t row, float* to) const {
    for (int64_t b = 0; b < blocks(); ++b) {
      const uint8_t* packed = codes.values<uint8_t>().data() + (row * blocks() + b) * block_bytes();
      const float scale = scales.values<float>()[static_cast<size_t>(row * blocks() + b)];
      const float zero = zero_point(row, b);
      const int64_t end = std::min(in, (b + 1) * block);
      for (int64_t i = b * block; i < end; ++i) {
        to[i] = (static_cast<float>(unpack_code(packed, i - b * block, bits)) - zero) * scale;
      }
    }
  }
};

void check_count(std::string_view what, const Tensor& tensor, int64_t expected) {
  if (tensor.count() != expected) {
    throw Error(Kind::input, "{} of shape {}, expected {} elements", what, to_string(tensor.shape()), expected);
  }
}

BlockedWeight weight_of(const OpCall& call) {
  const Node& node = call.node;
  BlockedWeight w{.out = node.get_int("N", 0), .in = node.get_int("K", 0), .block = node.get_int("block_size", 0)};
  const int64_t bits = node.get_int("bits", 4);
  if ((bits != 2 && bits != 4 && bits != 8) || w.block < 16 || w.block > (int64_t{1} << 20) || w.out < 0 || w.in < 0) {
    throw Error(Kind::unsupported, "a weight [{},{}] of {} bits in blocks of {}", w.out, w.in, bits, w.block);
  }
  if (call.find_input(4) != nullptr) {
    throw Error(Kind::unsupported, "MatMulNBits with g_idx");
  }
  w.bits = static_cast<int>(bits);
  if (!checked_count(Shape{w.out, w.blocks(), w.block_bytes()})) {
    throw Error(Kind::input, "a weight [{},{}] is too large", w.out, w.in);
  }
  w.codes = call.input(1);
  w.scales = to_f32(call.input(2));
  check_count("codes", w.codes, w.out * w.blocks() * w.block_bytes());
  check_count("scales", w.scales, w.out * w.blocks());
  if (w.codes.dtype() != DType::u8) {
    throw_unsupported_dtype(call, w.codes.dtype());
  }
  if (const Tensor* zero_points = call.find_input(3)) {
    const bool is_packed = zero_points->dtype() == DType::u8;
    w.zero_points = is_packed ? *zero_points : to_f32(*zero_points);
    check_count("zero points", w.zero_points,
                w.out * (is_packed ? packed_row_bytes(w.blocks(), static_cast<int>(bits)) : w.blocks()));
  }
  return w;
}

}  // namespace

/// For weights that are no constants or have a form that reading did not raise: decoded at every call.
std::vector<Tensor> matmul_nbits(const OpCall& call) {
  const Tensor& x = call.input(0);
  const BlockedWeight w = weight_of(call);
  if (!is_float(x.dtype()) || x.rank() == 0 || x.shape().back() != w.in) {
    throw Error(Kind::input, "input is {} {}, expected rows of {} floats", name(x.dtype()), to_string(x.shape()), w.in);
  }
  Tensor weight = Tensor::uninitialized(DType::f32, {w.out, w.in});
  float* rows = weight.mutable_values<float>().data();
  parallel_ranges(w.out, kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      w.decode_row(row, rows + row * w.in);
    }
  });
  Shape shape = x.shape();
  shape.back() = w.out;
  const Tensor in = to_f32(x);
  Tensor out = Tensor::uninitialized(DType::f32, shape);
  multiply({.m = w.in == 0 ? 0 : x.count() / w.in,
            .n = w.out,
            .k = w.in,
            .a = in.values<float>().data(),
            .lda = w.in,
            .b = rows,
            .ldb = w.in,
            .transpose_b = true,
            .c = out.mutable_values<float>().data(),
            .ldc = w.out});
  if (const Tensor* bias = call.find_input(5)) {
    check_count("bias", *bias, w.out);
    out = apply_binary<float, float>(out, to_f32(*bias).reshaped({w.out}), [](float a, float b) { return a + b; });
  }
  return {from_f32(out, x.dtype())};
}

}  // namespace terse::calibration::ops
