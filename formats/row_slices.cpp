#include "formats/row_slices.h"

#include "formats/error.h"
#include "formats/overloaded.h"

namespace terse {
namespace {

struct Rows {
  int64_t first = 0, count = 0, of = 0;

  /// Of a tensor that has something for each of all rows, or for each group of them: what belongs to these.
  Tensor operator()(const Tensor& tensor, int64_t group = 1) const {
    return tensor.empty() ? tensor : tensor.slice(first / group, count / group);
  }

  void check_groups(int64_t group) const {
    if (first % group != 0 || count % group != 0) {
      throw Error(Kind::unsupported, "rows {} to {} share what {} rows have in common", first, first + count - 1,
                  group);
    }
  }
};

DenseEncoding slice_dense(const DenseEncoding& dense, const Encoding& weight, const Rows& rows) {
  DenseEncoding part = dense;
  if (!dense.transposed) {
    part.values = dense.values.empty() ? dense.values : rows(dense.values.reshaped({weight.rows(), weight.columns()}));
    return part;
  }
  const int64_t matrix_rows = weight.shape[weight.shape.size() - 2];
  if (rows.first % matrix_rows != 0 || rows.count != matrix_rows) {
    throw Error(Kind::unsupported, "rows of a transposed matrix do not lie together");
  }
  if (!dense.values.empty()) {
    const Tensor stack = dense.values.reshaped({weight.rows() / matrix_rows, weight.columns(), matrix_rows});
    part.values = stack.slice(rows.first / matrix_rows, 1).reshaped({weight.columns(), matrix_rows});
  }
  return part;
}

}  // namespace

EncodingPtr slice_rows(const EncodingPtr& weight, int64_t first, int64_t count) {
  const Rows rows{.first = first, .count = count, .of = weight->rows()};
  if (first < 0 || count < 0 || count > rows.of - first) {
    throw Error(Kind::input, "shape {} has no rows {} to {}", to_string(weight->shape), first, first + count - 1);
  }
  Encoding part = *weight;
  part.shape = {count, weight->columns()};
  std::visit(Overloaded{[&](DenseEncoding& dense) { dense = slice_dense(dense, *weight, rows); },
                        [&](AffineEncoding& affine) {
                          rows.check_groups(affine.group_rows);
                          affine.codes = rows(affine.codes);
                          affine.scales = rows(affine.scales, affine.group_rows);
                          affine.zero_points = rows(affine.zero_points, affine.group_rows);
                        },
                        [&](CodebookEncoding& book) {
                          rows.check_groups(book.group_rows);
                          book.codes = rows(book.codes);
                          book.codebooks = rows(book.codebooks, book.group_rows);
                        },
                        [&](BlockEncoding& blocks) { blocks.blocks = rows(blocks.blocks); }},
             part.form);
  return std::make_shared<const Encoding>(std::move(part));
}

}  // namespace terse
