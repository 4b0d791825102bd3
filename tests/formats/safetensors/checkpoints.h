#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "formats/model.h"

namespace terse {

/// A weight with codes of 0, 3, 6, ... and scales of 0.5, 0.25, 0.125, ..., all of which every type holds.
inline EncodingPtr affine_weight(int64_t rows, int64_t columns, AffineEncoding a) {
  const int64_t groups = (columns + a.group_columns - 1) / a.group_columns;
  a.codes = Tensor::make(DType::u8, {rows, (columns * a.bits + 7) / 8});
  std::vector<uint8_t> line(static_cast<size_t>(columns));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t c = 0; c < columns; ++c) {
      line[static_cast<size_t>(c)] = static_cast<uint8_t>((row * 5 + c * 3) % (1 << a.bits));
    }
    const auto stride = static_cast<size_t>(a.codes.shape()[1]);
    pack_codes(line, a.bits, a.codes.mutable_values<uint8_t>().subspan(static_cast<size_t>(row) * stride, stride));
  }
  Tensor scales = Tensor::make(DType::f32, {rows, groups});
  for (size_t i = 0; i < scales.values<float>().size(); ++i) {
    scales.mutable_values<float>()[i] = (i % 3 == 1 ? -1.0F : 1.0F) / static_cast<float>(2 << i % 5);
  }
  a.scales = from_f32(scales, a.scale_dtype);
  if (a.asymmetric) {
    a.zero_points = Tensor::make(DType::u8, {rows, groups});
    for (size_t i = 0; i < a.zero_points.values<uint8_t>().size(); ++i) {
      a.zero_points.mutable_values<uint8_t>()[i] = static_cast<uint8_t>(i * 7 % (size_t{1} << a.bits));
    }
  }
  return std::make_shared<const Encoding>(Encoding{.shape = {rows, columns}, .form = std::move(a)});
}

inline EncodingPtr dense_weight(DType dtype, Shape shape) {
  Tensor values = Tensor::make(DType::f32, std::move(shape));
  for (size_t i = 0; i < values.values<float>().size(); ++i) {
    values.mutable_values<float>()[i] = static_cast<float>(i % 64) - 32;
  }
  return make_dense(from_f32(values, dtype));
}

/// The weights of a checkpoint, without the rest of its graph.
struct TinyCheckpoint {
  Model model;

  explicit TinyCheckpoint(std::filesystem::path folder = {}, std::string config = R"({"dtype":"float16"})") {
    model.path = folder;
    model.format = "safetensors";
    model.checkpoint = std::make_shared<const Checkpoint>(
        Checkpoint{.folder = std::move(folder), .config = std::move(config), .family = "tiny"});
  }

  ValueId add(const std::string& name, EncodingPtr weight, std::vector<Role> roles = {}) {
    Checkpoint checkpoint = *model.checkpoint;
    checkpoint.tensors.push_back(name);
    std::ranges::sort(checkpoint.tensors);
    const DenseEncoding* dense = weight->dense();
    checkpoint.stored[name] =
        dense == nullptr ? StoredForm{.standard_name = name, .dtype = DType::f16}
                         : StoredForm{.standard_name = name, .dtype = dense->dtype, .in_out = dense->transposed};
    model.checkpoint = std::make_shared<const Checkpoint>(std::move(checkpoint));
    const ValueId id = model.graph.add_constant(name, std::move(weight));
    model.graph.value(id).roles = std::move(roles);
    return id;
  }
};

}  // namespace terse
