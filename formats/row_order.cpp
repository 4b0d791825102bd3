#include "formats/row_order.h"

#include <cstring>

#include "formats/error.h"
#include "formats/overloaded.h"

namespace terse {
namespace {

class Reorder {
 public:
  Reorder(int64_t rows, int64_t heads, RowOrder to) : rows_(rows), head_rows_(rows / heads), to_(to) {
    if (rows % heads != 0 || head_rows_ % 2 != 0) {
      throw Error(Kind::input, "{} rows, expected {} heads with an even number of rows each", rows, heads);
    }
  }

  /// A tensor that has something for each of the rows, in their order.
  Tensor operator()(const Tensor& tensor) const {
    if (tensor.empty()) {
      return tensor;
    }
    Tensor out = Tensor::uninitialized(tensor.dtype(), tensor.shape());
    const size_t stride = tensor.bytes().size() / static_cast<size_t>(rows_);
    for (int64_t row = 0; row < rows_; ++row) {
      std::memcpy(out.mutable_bytes().data() + static_cast<size_t>(row) * stride,
                  tensor.bytes().data() + static_cast<size_t>(source(row)) * stride, stride);
    }
    tensor.release_pages();
    return out;
  }

 private:
  /// Where the row `row` of the new order comes from.
  int64_t source(int64_t row) const {
    const int64_t head = row / head_rows_ * head_rows_, place = row % head_rows_, half = head_rows_ / 2;
    return head + (to_ == RowOrder::neighbours ? place % 2 * half + place / 2 : place % half * 2 + place / half);
  }

  int64_t rows_, head_rows_;
  RowOrder to_;
};

}  // namespace

EncodingPtr reorder_rows(const EncodingPtr& weight, int64_t heads, RowOrder to) {
  const Reorder reorder(weight->shape.size() == 1 ? weight->columns() : weight->rows(), heads, to);
  Encoding out = *weight;
  std::visit(Overloaded{[&](DenseEncoding& dense) {
                          if (dense.transposed) {
                            throw Error(Kind::internal, "rows of a transposed matrix do not lie together");
                          }
                          dense.values = reorder(dense.values);
                        },
                        [&](AffineEncoding& affine) {
                          affine.codes = reorder(affine.codes);
                          if (affine.group_rows == 1) {
                            affine.scales = reorder(affine.scales);
                            affine.zero_points = reorder(affine.zero_points);
                          }
                        },
                        [&](CodebookEncoding& book) {
                          if (book.group_rows != 1 && book.group_rows != weight->rows()) {
                            throw Error(Kind::unsupported, "{} rows share a codebook, so their order cannot be changed",
                                        book.group_rows);
                          }
                          book.codes = reorder(book.codes);
                          if (book.group_rows == 1) {
                            book.codebooks = reorder(book.codebooks);
                          }
                        },
                        [&](BlockEncoding& blocks) { blocks.blocks = reorder(blocks.blocks); }},
             out.form);
  return std::make_shared<const Encoding>(std::move(out));
}

}  // namespace terse
