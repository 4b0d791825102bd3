#include "calibration/ops/strided.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "calibration/parallel.h"

namespace terse::calibration {
namespace {

constexpr int64_t kGrainBytes = int64_t{256} << 10;  // a tenth of a millisecond: far more than starting a task costs
constexpr int64_t kTransposeRows = 64;               // rows of the result that one piece of a transposition makes

struct Dim {
  int64_t count, from, to;
};

/// Where a copy's items lie: walks over `dims` in row-major order from any item on.
class Cursor {
 public:
  Cursor(const std::vector<Dim>& dims, int64_t index) : dims_(dims), position_(dims.size()) {
    for (size_t i = dims.size(); i-- > 0;) {
      position_[i] = index % dims[i].count;
      index /= dims[i].count;
      from_ += position_[i] * dims[i].from;
      to_ += position_[i] * dims[i].to;
    }
  }
  int64_t from() const { return from_; }
  int64_t to() const { return to_; }
  void advance() {
    for (size_t i = dims_.size(); i-- > 0;) {
      from_ += dims_[i].from;
      to_ += dims_[i].to;
      if (++position_[i] < dims_[i].count) {
        return;
      }
      from_ -= dims_[i].from * dims_[i].count;
      to_ -= dims_[i].to * dims_[i].count;
      position_[i] = 0;
    }
  }

 private:
  const std::vector<Dim>& dims_;
  std::vector<int64_t> position_;
  int64_t from_ = 0, to_ = 0;
};

/// A copy with neighbouring dimensions merged where both sides allow it. The last dimension is a line of units.
struct Plan {
  std::vector<Dim> outer;
  Dim line = {1, 0, 0};
  int64_t unit_bytes = 0;

  int64_t outer_count() const {
    int64_t count = 1;
    for (const Dim& dim : outer) {
      count *= dim.count;
    }
    return count;
  }
};

Plan make_plan(const StridedCopy& work) {
  Plan plan{.unit_bytes = work.element_bytes};
  for (size_t i = 0; i < work.shape.size(); ++i) {
    const Dim dim{work.shape[i], work.from_strides[i], work.to_strides[i]};
    if (dim.count == 1) {
      continue;
    }
    if (!plan.outer.empty() && plan.outer.back().from == dim.count * dim.from &&
        plan.outer.back().to == dim.count * dim.to) {
      plan.outer.back() = {plan.outer.back().count * dim.count, dim.from, dim.to};
    } else {
      plan.outer.push_back(dim);
    }
  }
  if (!plan.outer.empty() && plan.outer.back().from == plan.unit_bytes && plan.outer.back().to == plan.unit_bytes) {
    plan.unit_bytes *= plan.outer.back().count;
    plan.outer.pop_back();
  }
  if (!plan.outer.empty()) {
    plan.line = plan.outer.back();
    plan.outer.pop_back();
  }
  return plan;
}

template <size_t kBytes>
void copy_line(const std::byte* from, std::byte* to, const Dim& line) {
  for (int64_t i = 0; i < line.count; ++i) {
    std::memcpy(to + i * line.to, from + i * line.from, kBytes);
  }
}

/// The same with strides that the compiler sees.
template <size_t kBytes>
void fill_line(const std::byte* from, std::byte* to, const Dim& line) {
  for (int64_t i = 0; i < line.count; ++i) {
    std::memcpy(to + i * static_cast<int64_t>(kBytes), from, kBytes);
  }
}

template <size_t kBytes>
void copy_line_of(const std::byte* from, std::byte* to, const Dim& line) {
  if (line.from == 0 && line.to == static_cast<int64_t>(kBytes)) {
    fill_line<kBytes>(from, to, line);
  } else {
    copy_line<kBytes>(from, to, line);
  }
}

void copy_units(const std::byte* from, std::byte* to, const Dim& line, int64_t unit_bytes) {
  switch (unit_bytes) {
    case 1:
      return copy_line_of<1>(from, to, line);
    case 2:
      return copy_line_of<2>(from, to, line);
    case 4:
      return copy_line_of<4>(from, to, line);
    case 8:
      return copy_line_of<8>(from, to, line);
    case 16:
      return copy_line_of<16>(from, to, line);
    default:
      for (int64_t i = 0; i < line.count; ++i) {
        copy_bytes(to + i * line.to, from + i * line.from, unit_bytes);
      }
  }
}

void copy_lines(const StridedCopy& work, const Plan& plan) {
  const int64_t grain = copy_grain(plan.line.count * plan.unit_bytes);
  parallel_ranges(plan.outer_count(), grain, [&](int64_t begin, int64_t end) {
    Cursor cursor(plan.outer, begin);
    for (int64_t i = begin; i < end; ++i, cursor.advance()) {
      copy_units(work.from + cursor.from(), work.to + cursor.to(), plan.line, plan.unit_bytes);
    }
  });
}

/// The dimension along which `from` is contiguous while `line` is contiguous in `to`; -1 if it is no transposition.
ptrdiff_t find_transposed(const Plan& plan) {
  if (plan.line.to != plan.unit_bytes || (plan.unit_bytes > 8)) {
    return -1;
  }
  const auto found =
      std::find_if(plan.outer.begin(), plan.outer.end(), [&](const Dim& dim) { return dim.from == plan.unit_bytes; });
  return found == plan.outer.end() ? -1 : found - plan.outer.begin();
}

/// Writes a cache line of the result at a time, so that 16 lines of the source stay in the first-level cache.
template <size_t kBytes>
void transpose(const std::byte* from, std::byte* to, const Dim& line, const Dim& rows) {
  constexpr int64_t kLine = 64 / kBytes;
  for (int64_t start = 0; start < line.count; start += kLine) {
    const int64_t end = std::min(start + kLine, line.count);
    for (int64_t row = 0; row < rows.count; ++row) {
      const std::byte* source = from + row * rows.from;
      std::byte* target = to + row * rows.to;
      for (int64_t i = start; i < end; ++i) {
        std::memcpy(target + i * static_cast<int64_t>(kBytes), source + i * line.from, kBytes);
      }
    }
  }
}

void transpose_units(const std::byte* from, std::byte* to, const Dim& line, const Dim& rows, int64_t unit_bytes) {
  switch (unit_bytes) {
    case 1:
      return transpose<1>(from, to, line, rows);
    case 2:
      return transpose<2>(from, to, line, rows);
    case 4:
      return transpose<4>(from, to, line, rows);
    default:
      return transpose<8>(from, to, line, rows);
  }
}

void transpose_tiles(const StridedCopy& work, Plan plan, ptrdiff_t transposed) {
  const Dim rows = plan.outer[static_cast<size_t>(transposed)];
  plan.outer.erase(plan.outer.begin() + transposed);
  const int64_t pieces = (rows.count + kTransposeRows - 1) / kTransposeRows;
  const int64_t grain = copy_grain(plan.line.count * plan.unit_bytes * std::min(rows.count, kTransposeRows));
  parallel_ranges(plan.outer_count() * pieces, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Cursor cursor(plan.outer, i / pieces);
      const int64_t first = i % pieces * kTransposeRows;
      const Dim piece{std::min(kTransposeRows, rows.count - first), rows.from, rows.to};
      transpose_units(work.from + cursor.from() + first * rows.from, work.to + cursor.to() + first * rows.to, plan.line,
                      piece, plan.unit_bytes);
    }
  });
}

}  // namespace

int64_t copy_grain(int64_t item_bytes) { return std::max<int64_t>(1, kGrainBytes / std::max<int64_t>(1, item_bytes)); }

Tensor copied(StridedCopy work, DType dtype) {
  Tensor out = Tensor::uninitialized(dtype, work.shape);
  work.to = out.mutable_bytes().data();
  work.to_strides = row_major_strides(work.shape, work.element_bytes);
  copy(work);
  return out;
}

void copy_bytes(std::byte* to, const std::byte* from, int64_t count) {
  if (count <= kGrainBytes) {
    std::memcpy(to, from, static_cast<size_t>(count));
    return;
  }
  parallel_ranges(count, kGrainBytes, [&](int64_t begin, int64_t end) {
    std::memcpy(to + begin, from + begin, static_cast<size_t>(end - begin));
  });
}

void copy(const StridedCopy& work) {
  if (std::find(work.shape.begin(), work.shape.end(), 0) != work.shape.end()) {
    return;
  }
  const Plan plan = make_plan(work);
  const ptrdiff_t transposed = find_transposed(plan);
  if (transposed >= 0) {
    transpose_tiles(work, plan, transposed);
  } else {
    copy_lines(work, plan);
  }
}

Shape row_major_strides(const Shape& shape, int64_t element_bytes) {
  Shape strides(shape.size());
  int64_t stride = element_bytes;
  for (size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

}  // namespace terse::calibration
