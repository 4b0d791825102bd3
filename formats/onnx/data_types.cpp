#include "formats/onnx/data_types.h"

#include <algorithm>
#include <array>
#include <cassert>

namespace terse::onnx {
namespace {

constexpr std::array kRows = {
    DataTypeRow{1, DType::f32, Storage::floats},          DataTypeRow{2, DType::u8, Storage::int32s},
    DataTypeRow{3, DType::i8, Storage::int32s},           DataTypeRow{4, DType::u16, Storage::int32s},
    DataTypeRow{5, DType::i16, Storage::int32s},          DataTypeRow{6, DType::i32, Storage::int32s},
    DataTypeRow{7, DType::i64, Storage::int64s},          DataTypeRow{8, DType::string, Storage::strings},
    DataTypeRow{9, DType::boolean, Storage::int32s},      DataTypeRow{10, DType::f16, Storage::int32s},
    DataTypeRow{11, DType::f64, Storage::doubles},        DataTypeRow{12, DType::u32, Storage::uint64s},
    DataTypeRow{13, DType::u64, Storage::uint64s},        DataTypeRow{14, DType::complex64, Storage::floats},
    DataTypeRow{15, DType::complex128, Storage::doubles}, DataTypeRow{16, DType::bf16, Storage::int32s},
    DataTypeRow{17, DType::f8e4m3fn, Storage::int32s},    DataTypeRow{18, DType::f8e4m3fnuz, Storage::int32s},
    DataTypeRow{19, DType::f8e5m2, Storage::int32s},      DataTypeRow{20, DType::f8e5m2fnuz, Storage::int32s},
    DataTypeRow{21, DType::u4, Storage::int32s},          DataTypeRow{22, DType::i4, Storage::int32s},
    DataTypeRow{23, DType::f4e2m1, Storage::int32s},      DataTypeRow{24, DType::f8e8m0, Storage::int32s},
    DataTypeRow{25, DType::u2, Storage::int32s},          DataTypeRow{26, DType::i2, Storage::int32s},
};

}  // namespace

std::optional<DataTypeRow> find_data_type(int32_t number) {
  const auto* found = std::find_if(kRows.begin(), kRows.end(), [&](const auto& row) { return row.number == number; });
  return found == kRows.end() ? std::nullopt : std::optional(*found);
}

const DataTypeRow& get_data_type(DType dtype) {
  const auto* found = std::find_if(kRows.begin(), kRows.end(), [&](const auto& row) { return row.dtype == dtype; });
  assert(found != kRows.end());
  return *found;
}

}  // namespace terse::onnx
