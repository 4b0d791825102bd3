#include "formats/onnx/lowering_context.h"
#include "formats/onnx/lowering_stream.h"

// Dense weights are stored as they are, transposed where the uses want it. Floats of another type than the graph
// computes in (16-bit weights of an f32 graph) are widened by a Cast, which onnxruntime computes at load.

namespace terse::onnx {

void store_dense(Context& context, const Weight& weight) {
  const DenseEncoding& dense = weight.dense();
  const Shape& shape = weight.encoding->shape;
  const MatrixOrder order = weight.transposed ? MatrixOrder::in_out : MatrixOrder::out_in;
  context.store(weight, dense.dtype, weight.transposed ? swap_last_two(shape) : shape,
                [encoding = weight.encoding, order](Sink& sink) { stream_dense(*encoding, order, sink); });
  if (dense.dtype == DType::string) {
    context.lowered.initializers.back().strings = dense.values;
  }
}

ValueId dense_value(Context& context, Weight& weight) {
  if (weight.as_float == kNoValue) {
    weight.as_float = cast_constant(context, weight.id, weight.dense().dtype, weight.dtype);
  }
  return weight.as_float;
}

}  // namespace terse::onnx
