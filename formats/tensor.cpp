#include "formats/tensor.h"

#include <array>
#include <cstdlib>
#include <cstring>
#include <new>

#include "formats/bytes.h"
#include "formats/error.h"

namespace terse {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, and the widest vector register

constexpr std::array kRows = {
    DTypeRow{DType::undefined, "undefined", 0, false, false},
    DTypeRow{DType::f32, "f32", 32, true, false},
    DTypeRow{DType::f16, "f16", 16, true, false},
    DTypeRow{DType::bf16, "bf16", 16, true, false},
    DTypeRow{DType::f64, "f64", 64, true, false},
    DTypeRow{DType::i8, "i8", 8, false, true},
    DTypeRow{DType::i16, "i16", 16, false, true},
    DTypeRow{DType::i32, "i32", 32, false, true},
    DTypeRow{DType::i64, "i64", 64, false, true},
    DTypeRow{DType::u8, "u8", 8, false, true},
    DTypeRow{DType::u16, "u16", 16, false, true},
    DTypeRow{DType::u32, "u32", 32, false, true},
    DTypeRow{DType::u64, "u64", 64, false, true},
    DTypeRow{DType::boolean, "bool", 8, false, false},
    DTypeRow{DType::string, "string", 0, false, false},
    DTypeRow{DType::i4, "i4", 4, false, false},
    DTypeRow{DType::u4, "u4", 4, false, false},
    DTypeRow{DType::i2, "i2", 2, false, false},
    DTypeRow{DType::u2, "u2", 2, false, false},
    DTypeRow{DType::f8e4m3fn, "f8e4m3fn", 8, false, false},
    DTypeRow{DType::f8e4m3fnuz, "f8e4m3fnuz", 8, false, false},
    DTypeRow{DType::f8e5m2, "f8e5m2", 8, false, false},
    DTypeRow{DType::f8e5m2fnuz, "f8e5m2fnuz", 8, false, false},
    DTypeRow{DType::f8e8m0, "f8e8m0", 8, false, false},
    DTypeRow{DType::f4e2m1, "f4e2m1", 4, false, false},
    DTypeRow{DType::complex64, "complex64", 64, false, false},
    DTypeRow{DType::complex128, "complex128", 128, false, false},
};

std::shared_ptr<std::byte> allocate(size_t size) {
  auto* memory = static_cast<std::byte*>(::operator new(std::max(size, size_t{1}), std::align_val_t{kAlignment}));
  return {memory, [](std::byte* p) { ::operator delete(p, std::align_val_t{kAlignment}); }};
}

int64_t counted(const Shape& shape) {
  const auto count = checked_count(shape);
  if (!count) {
    throw Error(Kind::input, "shape {} is negative or too large", to_string(shape));
  }
  return *count;
}

size_t element_alignment(DType dtype) { return static_cast<size_t>(std::clamp(row(dtype).bits / 8, 1, 8)); }

}  // namespace

const DTypeRow& row(DType dtype) { return kRows.at(static_cast<size_t>(dtype)); }

std::optional<DType> find_dtype(std::string_view name) {
  for (const DTypeRow& r : kRows) {
    if (r.name == name && r.dtype != DType::undefined) {
      return r.dtype;
    }
  }
  return std::nullopt;
}

std::string to_string(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ",")); }

Shape swap_last_two(Shape shape) {
  assert(shape.size() >= 2);
  std::iter_swap(shape.end() - 1, shape.end() - 2);
  return shape;
}

std::optional<int64_t> checked_count(std::span<const int64_t> shape) {
  constexpr int64_t kLargest = int64_t{1} << 58;  // elements of 16 bytes still have a size
  int64_t count = 1;
  for (const int64_t dimension : shape) {
    if (dimension < 0 || (dimension > 0 && count > kLargest / dimension)) {
      return std::nullopt;
    }
    count *= dimension;
  }
  return count;
}

int64_t packed_bytes(DType dtype, int64_t count) {
  const int bits = row(dtype).bits;
  return bits >= 8 ? count * (bits / 8) : (count * bits + 7) / 8;
}

Tensor Tensor::uninitialized(DType dtype, Shape shape) {
  Tensor tensor;
  tensor.count_ = counted(shape);
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  const auto size = static_cast<size_t>(packed_bytes(dtype, tensor.count_));
  const auto memory = allocate(size);
  tensor.mutable_data_ = memory.get();
  tensor.bytes_ = {memory.get(), size};
  tensor.owner_ = memory;
  return tensor;
}

Tensor Tensor::make(DType dtype, Shape shape) {
  Tensor tensor = uninitialized(dtype, std::move(shape));
  std::fill(tensor.mutable_bytes().begin(), tensor.mutable_bytes().end(), std::byte{0});
  return tensor;
}

Tensor Tensor::view(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  Tensor tensor;
  tensor.count_ = counted(shape);
  if (static_cast<int64_t>(bytes.size()) != packed_bytes(dtype, tensor.count_)) {
    throw Error(Kind::input, "{} bytes of data, expected {} for {} {}", bytes.size(),
                packed_bytes(dtype, tensor.count_), name(dtype), to_string(shape));
  }
  tensor.dtype_ = dtype;
  tensor.shape_ = std::move(shape);
  tensor.bytes_ = bytes;
  tensor.owner_ = std::move(owner);
  return tensor;
}

Tensor Tensor::mapped(DType dtype, Shape shape, std::span<const std::byte> bytes,
                      std::shared_ptr<const MappedFile> file) {
  Tensor tensor = view(dtype, std::move(shape), bytes, std::move(file));
  tensor.is_mapped_ = true;
  return tensor;
}

void Tensor::release_pages(int64_t offset_bytes, int64_t length_bytes) const {
  if (is_mapped_) {
    terse::release_pages(bytes_.subspan(static_cast<size_t>(offset_bytes), static_cast<size_t>(length_bytes)));
  }
}

Tensor Tensor::strings(Shape shape, std::vector<std::string> values) {
  Tensor tensor;
  tensor.count_ = counted(shape);
  if (static_cast<int64_t>(values.size()) != tensor.count_) {
    throw Error(Kind::input, "{} strings, expected {} for shape {}", values.size(), tensor.count_, to_string(shape));
  }
  tensor.dtype_ = DType::string;
  tensor.shape_ = std::move(shape);
  tensor.strings_ = std::make_shared<const std::vector<std::string>>(std::move(values));
  return tensor;
}

bool Tensor::is_aligned() const { return reinterpret_cast<uintptr_t>(bytes_.data()) % element_alignment(dtype_) == 0; }

Tensor Tensor::aligned() const {
  if (is_aligned()) {
    return *this;
  }
  Tensor copy = uninitialized(dtype_, shape_);
  std::memcpy(copy.mutable_bytes().data(), bytes_.data(), bytes_.size());
  return copy;
}

Tensor Tensor::reshaped(Shape shape) const {
  if (counted(shape) != count_) {
    throw Error(Kind::input, "shape {} cannot become {}", to_string(shape_), to_string(shape));
  }
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

Tensor Tensor::slice(int64_t first, int64_t entries) const {
  if (shape_.empty() || first < 0 || entries < 0 || entries > shape_[0] - first) {
    throw Error(Kind::input, "shape {} has no entries {} to {}", to_string(shape_), first, first + entries - 1);
  }
  Tensor tensor = *this;
  tensor.shape_[0] = entries;
  tensor.count_ = counted(tensor.shape_);
  const auto offset = static_cast<size_t>(packed_bytes(dtype_, shape_[0] == 0 ? 0 : count_ / shape_[0] * first));
  tensor.bytes_ = bytes_.subspan(offset, static_cast<size_t>(packed_bytes(dtype_, tensor.count_)));
  tensor.mutable_data_ = nullptr;
  return tensor;
}

Tensor Tensor::reinterpreted(DType dtype, Shape shape) const {
  const int64_t count = counted(shape);
  if (packed_bytes(dtype, count) != static_cast<int64_t>(bytes_.size())) {
    throw Error(Kind::input, "{} bytes cannot become {} {}", bytes_.size(), name(dtype), to_string(shape));
  }
  Tensor tensor = *this;
  tensor.dtype_ = dtype;
  tensor.count_ = count;
  tensor.shape_ = std::move(shape);
  return tensor;
}

Tensor to_f32(const Tensor& tensor) {
  if (tensor.dtype() == DType::f32) {
    return tensor.aligned();
  }
  Tensor out = Tensor::uninitialized(DType::f32, tensor.shape());
  const Tensor in = tensor.aligned();
  switch (in.dtype()) {
    case DType::f16:
      to_float(in.values<Half>(), out.mutable_values<float>());
      break;
    case DType::bf16:
      to_float(in.values<BFloat16>(), out.mutable_values<float>());
      break;
    case DType::f64:
      std::transform(in.values<double>().begin(), in.values<double>().end(), out.mutable_values<float>().begin(),
                     [](double x) { return static_cast<float>(x); });
      break;
    default:
      throw Error(Kind::unsupported, "element type {}, expected a float type", name(tensor.dtype()));
  }
  return out;
}

Tensor from_f32(const Tensor& tensor, DType dtype) {
  if (dtype == DType::f32) {
    return tensor;
  }
  const auto in = tensor.values<float>();
  Tensor out = Tensor::uninitialized(dtype, tensor.shape());
  switch (dtype) {
    case DType::f16:
      to_half(in, out.mutable_values<Half>());
      break;
    case DType::bf16:
      to_bfloat16(in, out.mutable_values<BFloat16>());
      break;
    case DType::f64:
      std::copy(in.begin(), in.end(), out.mutable_values<double>().begin());
      break;
    default:
      throw Error(Kind::unsupported, "element type {}, expected a float type", name(dtype));
  }
  return out;
}

std::vector<int64_t> to_int64s(const Tensor& tensor) {
  if (!is_integer(tensor.dtype())) {
    throw Error(Kind::input, "element type {}, expected an integer type", name(tensor.dtype()));
  }
  std::vector<int64_t> out;
  const Tensor in = tensor.aligned();
  dispatch(in.dtype(), [&]<typename T>() {
    if constexpr (std::is_integral_v<T>) {
      for (const T value : in.values<T>()) {
        out.push_back(static_cast<int64_t>(value));
      }
    }
  });
  return out;
}

}  // namespace terse
