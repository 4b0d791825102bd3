#include "calibration/gemm.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <oneapi/dnnl/dnnl.hpp>
#include <tuple>
#include <type_traits>
#include <vector>

#include "calibration/ops/vector_math.h"
#include "calibration/parallel.h"
#include "formats/error.h"

extern "C" void omp_set_num_threads(
    int threads);  // of the OpenMP library that oneDNN brings; clang has no header for it

namespace terse::calibration {
namespace {

constexpr int64_t kDecodedNumbers = int64_t{1} << 15;  // a task of decoding: some 30 microseconds
constexpr int64_t kStreamedNumbers = int64_t{1}
                                     << 18;  // a tile of a streamed weight: 1 MiB, so that small ones are cut too
constexpr size_t kCachedPrimitives = 512;    // a thread; a transformer at one length needs about ten

/// The shape of one product as a key: m, n, k and the strides of rows and columns of a and b, of rows of c; whether it
/// is added; what a and b hold.
using ProductKey = std::tuple<int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, bool, Precision>;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

struct Primitive {
  dnnl::matmul::primitive_desc description;
  dnnl::matmul run;
};

Primitive make_primitive(const ProductKey& shape) {
  const auto& [m, n, k, a_row, a_column, b_row, b_column, c_row, accumulate, precision] = shape;
  using dnnl::memory;
  const auto factor = precision == Precision::bf16 ? memory::data_type::bf16 : memory::data_type::f32;
  const memory::desc a({m, k}, factor, memory::dims{a_row, a_column});
  const memory::desc b({k, n}, factor, memory::dims{b_row, b_column});
  const memory::desc c({m, n}, memory::data_type::f32, memory::dims{c_row, 1});
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (accumulate) {
    dnnl::post_ops sum;
    sum.append_sum();
    attributes.set_post_ops(sum);
  }
  const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(a, b, c), attributes, cpu());
  return {description, dnnl::matmul(description)};
}

/// What one thread needs to run products. Parallelism is ours alone: OpenMP gets one thread in each of our threads.
class Worker {
 public:
  static Worker& of_this_thread() {
    thread_local Worker worker;
    return worker;
  }

  void run(const ProductKey& shape, const void* a, const void* b, float* c) {
    const Primitive& primitive = find(shape);
    const auto scratch_desc = primitive.description.scratchpad_desc();
    scratch_.resize(std::max(scratch_.size(), scratch_desc.get_size()));
    using dnnl::memory;
    // oneDNN takes pointers to mutable data for sources too; it does not write to them.
    const memory a_memory(primitive.description.src_desc(), cpu(), const_cast<void*>(a));
    const memory b_memory(primitive.description.weights_desc(), cpu(), const_cast<void*>(b));
    const memory c_memory(primitive.description.dst_desc(), cpu(), c);
    const memory scratch(scratch_desc, cpu(), scratch_.data());
    primitive.run.execute(stream_, {{DNNL_ARG_SRC, a_memory},
                                    {DNNL_ARG_WEIGHTS, b_memory},
                                    {DNNL_ARG_DST, c_memory},
                                    {DNNL_ARG_SCRATCHPAD, scratch}});
    stream_.wait();
  }

  /// `count` numbers in bf16, until the next call.
  const BFloat16* narrow(const float* numbers, int64_t count) {
    narrowed_.resize(std::max(narrowed_.size(), static_cast<size_t>(count)));
    vector_to_bfloat16(numbers, 1, narrowed_.data(), count);
    return narrowed_.data();
  }

 private:
  Worker() : stream_(cpu()) { omp_set_num_threads(1); }

  const Primitive& find(const ProductKey& shape) {
    const auto found = primitives_.find(shape);
    if (found != primitives_.end()) {
      return found->second;
    }
    if (primitives_.size() >= kCachedPrimitives) {
      primitives_.clear();
    }
    return primitives_.emplace(shape, make_primitive(shape)).first->second;
  }

  dnnl::stream stream_;
  std::map<ProductKey, Primitive> primitives_;
  std::vector<std::byte> scratch_;
  std::vector<BFloat16> narrowed_;
};

/// Rows [first, first + rows) of a product.
template <typename T>
void multiply_panel(const BasicProduct<T>& p, int64_t first, int64_t rows) {
  const int64_t a_row = p.transpose_a ? 1 : p.lda;
  const int64_t a_column = p.transpose_a ? p.lda : 1;
  const int64_t b_row = p.transpose_b ? 1 : p.ldb;
  const int64_t b_column = p.transpose_b ? p.ldb : 1;
  constexpr Precision kPrecision = std::is_same_v<T, float> ? Precision::f32 : Precision::bf16;
  try {
    Worker::of_this_thread().run({rows, p.n, p.k, a_row, a_column, b_row, b_column, p.ldc, p.accumulate, kPrecision},
                                 p.a + first * a_row, p.b, p.c + first * p.ldc);
  } catch (const dnnl::error& error) {
    throw Error(Kind::internal, "product of [{},{}] and [{},{}]: {}", rows, p.k, p.k, p.n, error.what());
  }
}

/// A dense f32 matrix that lies [in, out], in a file where numbers need not be aligned.
const DenseEncoding* find_swapped(const Encoding& encoding) {
  const DenseEncoding* dense = encoding.dense();
  return dense != nullptr && dense->transposed && dense->dtype == DType::f32 ? dense : nullptr;
}

/// Columns [first, first + count) of a stored [rows, columns] matrix.
void copy_columns(const DenseEncoding& stored, int64_t first, int64_t count, std::span<float> out) {
  const int64_t rows = stored.values.shape()[0], columns = stored.values.shape()[1];
  const auto bytes = static_cast<size_t>(count) * sizeof(float);
  for (int64_t row = 0; row < rows; ++row) {
    const std::byte* begin = stored.values.bytes().data() + (row * columns + first) * int64_t{sizeof(float)};
    std::memcpy(out.data() + row * count, begin, bytes);
  }
}

/// a * encoding^T by tiles of the encoding's rows, in parallel. The cuts depend on the shape alone.
void multiply_streamed(const float* a, int64_t rows, const Encoding& encoding, float* c) {
  const int64_t depth = encoding.columns(), columns = encoding.rows();
  const DenseEncoding* swapped = find_swapped(encoding);
  parallel_ranges(columns, std::max<int64_t>(1, kStreamedNumbers / std::max<int64_t>(depth, 1)),
                  [&](int64_t first, int64_t last) {
                    const int64_t count = last - first;
                    Tensor tile = Tensor::uninitialized(DType::f32, {count, depth});
                    const auto numbers = tile.mutable_values<float>();
                    if (swapped != nullptr) {
                      copy_columns(*swapped, first, count, numbers);
                    } else {
                      decode_rows(encoding, first, count, numbers);
                      release_rows(encoding, first, count);
                    }
                    multiply({.m = rows,
                              .n = count,
                              .k = depth,
                              .a = a,
                              .lda = depth,
                              .b = numbers.data(),
                              .ldb = swapped != nullptr ? count : depth,
                              .transpose_b = swapped == nullptr,
                              .c = c + first,
                              .ldc = columns});
                  });
  if (swapped != nullptr) {
    release_pages(encoding);
  }
}

template <typename T>
void multiply_panels(const BasicProduct<T>& product) {
  if (product.k == 0 && product.accumulate) {
    return;
  }
  if (product.k == 0) {
    for (int64_t row = 0; row < product.m; ++row) {
      std::fill_n(product.c + row * product.ldc, product.n, 0.0F);
    }
    return;
  }
  if (product.n == 0) {
    return;
  }
  parallel_ranges(product.m, kPanelRows,
                  [&](int64_t begin, int64_t end) { multiply_panel(product, begin, end - begin); });
}

/// The numbers of an encoding in bf16: where they lie if they are, else a copy, made in parallel.
Tensor narrowed(const Encoding& encoding) {
  const DenseEncoding* dense = encoding.dense();
  if (dense != nullptr && dense->dtype == DType::bf16) {
    return dense->values.aligned();
  }
  Tensor out = Tensor::uninitialized(DType::bf16, encoding.shape);
  const int64_t columns = encoding.columns();
  BFloat16* to = out.mutable_values<BFloat16>().data();
  const int64_t grain = std::max<int64_t>(1, kDecodedNumbers / std::max<int64_t>(columns, 1));
  parallel_ranges(encoding.rows(), grain, [&](int64_t begin, int64_t end) {
    std::vector<float> rows(static_cast<size_t>((end - begin) * columns));
    decode_rows(encoding, begin, end - begin, rows);
    vector_to_bfloat16(rows.data(), 1, to + begin * columns, std::ssize(rows));
  });
  return out;
}

}  // namespace

Precision fast_precision() {
  const auto has = static_cast<unsigned>(dnnl::get_effective_cpu_isa());
  const auto needed = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (has & needed) == needed ? Precision::bf16 : Precision::f32;
}

void multiply(const Product& product) { multiply_panels(product); }
void multiply(const NarrowProduct& product) { multiply_panels(product); }

Tensor decode_parallel(const Encoding& encoding) {
  const DenseEncoding* dense = encoding.dense();
  if (dense != nullptr && !dense->transposed && dense->dtype == DType::f32) {
    return dense->values.aligned();
  }
  Tensor out = Tensor::uninitialized(DType::f32, encoding.shape);
  const auto values = out.mutable_values<float>();
  const int64_t columns = encoding.columns();
  const int64_t grain = std::max<int64_t>(1, kDecodedNumbers / std::max<int64_t>(columns, 1));
  parallel_ranges(encoding.rows(), grain, [&](int64_t begin, int64_t end) {
    const auto first = static_cast<size_t>(begin * columns), count = static_cast<size_t>((end - begin) * columns);
    decode_rows(encoding, begin, end - begin, values.subspan(first, count));
  });
  return out;
}

PackedMatrix::PackedMatrix(Tensor values, int64_t depth, int64_t columns, Operand stored)
    : values_(std::move(values)), depth_(depth), columns_(columns), stored_(stored) {}

std::shared_ptr<const PackedMatrix> PackedMatrix::pack(const Encoding& encoding, Operand operand, Precision precision) {
  if (encoding.shape.size() != 2) {
    throw Error(Kind::input, "weight of shape {}, expected a matrix", to_string(encoding.shape));
  }
  const DenseEncoding* dense = encoding.dense();
  const bool is_narrow = precision == Precision::bf16;
  const bool is_same = dense != nullptr && dense->dtype == (is_narrow ? DType::bf16 : DType::f32);
  const bool swapped = is_same && dense->transposed;
  const bool transposed = operand == Operand::transposed;
  Tensor values = is_narrow ? narrowed(encoding) : is_same ? dense->values.aligned() : decode_parallel(encoding);
  if (!is_same || !dense->values.is_aligned()) {
    release_pages(encoding);
  }
  return std::shared_ptr<const PackedMatrix>(
      new PackedMatrix(std::move(values), encoding.shape[transposed ? 1 : 0], encoding.shape[transposed ? 0 : 1],
                       transposed != swapped ? Operand::transposed : Operand::plain));
}

template <typename T>
BasicProduct<T> PackedMatrix::product(const T* a, int64_t rows, float* c) const {
  const bool transposed = stored_ == Operand::transposed;
  return {.m = rows,
          .n = columns_,
          .k = depth_,
          .a = a,
          .lda = depth_,
          .b = values_.values<T>().data(),
          .ldb = transposed ? depth_ : columns_,
          .transpose_b = transposed,
          .c = c,
          .ldc = columns_};
}

std::shared_ptr<const PackedMatrix> PackedMatrix::stream(EncodingPtr encoding, Operand operand) {
  if (operand == Operand::plain || encoding->shape.size() != 2) {
    return pack(*encoding, operand);  // no weight of canonical form
  }
  auto matrix = std::shared_ptr<PackedMatrix>(new PackedMatrix({}, encoding->shape[1], encoding->shape[0], operand));
  matrix->streamed_ = std::move(encoding);
  return matrix;
}

void multiply(const float* a, int64_t rows, const PackedMatrix& b, float* c) {
  if (b.streamed_ != nullptr) {
    multiply_streamed(a, rows, *b.streamed_, c);
    return;
  }
  if (b.values_.dtype() == DType::f32) {
    multiply(b.product(a, rows, c));
    return;
  }
  parallel_ranges(rows, kPanelRows, [&](int64_t begin, int64_t end) {
    const BFloat16* panel = Worker::of_this_thread().narrow(a + begin * b.depth(), (end - begin) * b.depth());
    multiply(b.product(panel, end - begin, c + begin * b.columns()));
  });
}

}  // namespace terse::calibration
