#include "calibration/ops/op.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kRowsPerTask = 16;

/// Indices count from the end if they are negative.
std::vector<int64_t> resolve(const Tensor& indices, int64_t size) {
  std::vector<int64_t> resolved = to_int64s(indices);
  for (int64_t& index : resolved) {
    if (index < -size || index >= size) {
      throw Error(Kind::input, "index {} is outside of the table's {} rows", index, size);
    }
    index += index < 0 ? size : 0;
  }
  return resolved;
}

}  // namespace

std::vector<Tensor> gather_table(const OpCall& call) {
  const Encoding& table = *call.table;
  const Tensor& indices = call.input(1);
  const std::vector<int64_t> entries = resolve(indices, table.shape[0]);
  Shape shape = indices.shape();
  shape.insert(shape.end(), table.shape.begin() + 1, table.shape.end());

  Tensor out = Tensor::uninitialized(DType::f32, shape);
  const auto values = out.mutable_values<float>();
  const int64_t rows = table.shape[0] == 0 ? 0 : table.rows() / table.shape[0];  // of one entry
  const auto entry_count = static_cast<size_t>(rows * table.columns());
  parallel_ranges(static_cast<int64_t>(entries.size()), kRowsPerTask, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      decode_rows(table, entries[i] * rows, rows, values.subspan(i * entry_count, entry_count));
    }
  });
  return {from_f32(out, call.table_dtype)};
}

}  // namespace terse::calibration
