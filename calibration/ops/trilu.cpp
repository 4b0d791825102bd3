#include <algorithm>
#include <cstring>

#include "calibration/ops/arguments.h"
#include "calibration/ops/op.h"
#include "calibration/ops/strided.h"
#include "calibration/parallel.h"
#include "formats/error.h"

namespace terse::calibration::ops {

/// Keeps the part of each matrix on and above (or below) its k-th diagonal; the rest becomes zero.
std::vector<Tensor> trilu(const OpCall& call) {
  const Tensor& data = call.input(0);
  if (data.rank() < 2) {
    throw Error(Kind::input, "a tensor of rank {}, expected at least 2", data.rank());
  }
  const auto given = call.find_input(1) != nullptr ? to_int64s(*call.find_input(1)) : std::vector<int64_t>{0};
  if (given.size() != 1) {
    throw Error(Kind::input, "{} diagonals, expected 1", given.size());
  }
  const bool upper = call.node.get_int("upper", 1) != 0;
  const int64_t columns = data.shape().back();
  const int64_t rows = data.shape()[data.shape().size() - 2];
  const int64_t bytes = element_bytes(data);
  const int64_t k = std::clamp(given[0], -rows, columns);
  Tensor out = Tensor::make(data.dtype(), data.shape());
  const int64_t lines = columns == 0 ? 0 : data.count() / columns;
  std::byte* to = out.mutable_bytes().data();
  parallel_ranges(lines, copy_grain(columns * bytes), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      const int64_t diagonal = line % rows + k;
      const int64_t first = upper ? std::clamp<int64_t>(diagonal, 0, columns) : 0;
      const int64_t last = upper ? columns : std::clamp<int64_t>(diagonal + 1, 0, columns);
      const int64_t offset = (line * columns + first) * bytes;
      std::memcpy(to + offset, data.bytes().data() + offset, static_cast<size_t>((last - first) * bytes));
    }
  });
  return {out};
}

}  // namespace terse::calibration::ops
