#pragma once

#include <cstdint>
#include <optional>

#include "formats/tensor.h"

namespace terse::onnx {

/// The field of a TensorProto that holds an element type's numbers when they are not in raw_data.
enum class Storage {
  int32s,  ///< one number an entry; of types below 8 bits one byte of packed numbers an entry; halves as bit patterns
  int64s,
  uint64s,
  floats,  ///< complex numbers are two entries
  doubles,
  strings,
};

struct DataTypeRow {
  int32_t number;  ///< TensorProto.DataType; those above 16 are newer than the library's own list
  DType dtype;
  Storage storage;
};

std::optional<DataTypeRow> find_data_type(int32_t number);

/// Precondition: a type other than undefined.
const DataTypeRow& get_data_type(DType dtype);

}  // namespace terse::onnx
