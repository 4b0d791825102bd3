#include "formats/onnx/lowering_context.h"
#include "formats/onnx/lowering_stream.h"

// Dense weights are stored as they are, transposed where the uses want it. Floats of another type than the graph
// computes in (16-bit weights of an f32 graph) are widened by a Cast, which onnxruntime computes at load.

namespace terse::onnx {
namespace {

Shape stored_shape(const Encoding& encoding, bool transposed) {
  return transposed ? swap_last_two(encoding.shape) : encoding.shape;
}

Transposition transposition(const Encoding& encoding, bool lies_transposed) {
  const Shape lies = stored_shape(encoding, lies_transposed);
  const int64_t rows = lies[lies.size() - 2];
  const int64_t count = encoding.rows() * encoding.columns();
  return {.matrices = count == 0 ? 0 : count / (rows * lies.back()), .rows = rows, .columns = lies.back()};
}

}  // namespace

void store_dense(Context& context, const Weight& weight) {
  const DenseEncoding& dense = weight.dense();
  const Shape dims = stored_shape(*weight.encoding, weight.transposed);
  if (dense.transposed == weight.transposed) {
    context.store(weight, dense.dtype, dims,
                  [encoding = weight.encoding](Sink& sink) { stream_bytes(encoding->dense()->values, sink); });
    if (dense.dtype == DType::string) {
      context.lowered.initializers.back().strings = dense.values;
    }
    return;
  }
  context.store(weight, dense.dtype, dims, [encoding = weight.encoding](Sink& sink) {
    const DenseEncoding& d = *encoding->dense();
    stream_transposed(d.values, transposition(*encoding, d.transposed), sink);
  });
}

ValueId dense_value(Context& context, Weight& weight) {
  if (weight.as_float == kNoValue) {
    weight.as_float = cast_constant(context, weight.id, weight.dense().dtype, weight.dtype);
  }
  return weight.as_float;
}

}  // namespace terse::onnx
