#include "formats/safetensors/dtypes.h"

#include <algorithm>
#include <array>
#include <string>

#include "formats/error.h"

namespace terse::safetensors {
namespace {

struct DTypeName {
  std::string_view name;
  DType dtype;
};

/// In the order of huggingface's writer, the last first in a file. Its F6_E2M3 and F6_E3M2 have no DType.
constexpr std::array kNames = {
    DTypeName{"BOOL", DType::boolean},
    DTypeName{"F4", DType::f4e2m1},
    DTypeName{"U8", DType::u8},
    DTypeName{"I8", DType::i8},
    DTypeName{"F8_E5M2", DType::f8e5m2},
    DTypeName{"F8_E4M3", DType::f8e4m3fn},
    DTypeName{"F8_E8M0", DType::f8e8m0},
    DTypeName{"F8_E4M3FNUZ", DType::f8e4m3fnuz},
    DTypeName{"F8_E5M2FNUZ", DType::f8e5m2fnuz},
    DTypeName{"I16", DType::i16},
    DTypeName{"U16", DType::u16},
    DTypeName{"F16", DType::f16},
    DTypeName{"BF16", DType::bf16},
    DTypeName{"I32", DType::i32},
    DTypeName{"U32", DType::u32},
    DTypeName{"F32", DType::f32},
    DTypeName{"C64", DType::complex64},
    DTypeName{"F64", DType::f64},
    DTypeName{"I64", DType::i64},
    DTypeName{"U64", DType::u64},
};

std::string known_names() {
  std::string names;
  for (const DTypeName& row : kNames) {
    names += fmt::format("{}{}", names.empty() ? "" : ", ", row.name);
  }
  return names;
}

const DTypeName& row_of(DType dtype) {
  const auto* found = std::ranges::find(kNames, dtype, &DTypeName::dtype);
  if (found == kNames.end()) {
    throw Error(Kind::unsupported, "element type {}, which safetensors files cannot hold", name(dtype));
  }
  return *found;
}

}  // namespace

DType dtype_of(std::string_view name) {
  const auto* found = std::ranges::find(kNames, name, &DTypeName::name);
  if (found == kNames.end()) {
    throw Error(Kind::unsupported, "dtype '{}', expected one of {}", name, known_names());
  }
  return found->dtype;
}

std::string_view name_of(DType dtype) { return row_of(dtype).name; }

int rank_of(DType dtype) { return static_cast<int>(&row_of(dtype) - kNames.data()); }

int64_t data_bytes(DType dtype, const Shape& shape) {
  const auto count = checked_count(shape);
  if (!count) {
    throw Error(Kind::input, "shape {} is negative or too large", to_string(shape));
  }
  const int bits = row(dtype).bits;
  if (bits < 8 && *count % (8 / bits) != 0) {
    throw Error(Kind::input, "{} elements of {} bits, expected full bytes", *count, bits);
  }
  return packed_bytes(dtype, *count);
}

}  // namespace terse::safetensors
