#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/half.h"

namespace terse {

class MappedFile;

/// Element types of any format that terse reads. Names as in ONNX.
enum class DType : uint8_t {
  undefined,
  f32,
  f16,
  bf16,
  f64,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  boolean,
  string,
  i4,
  u4,
  i2,
  u2,
  f8e4m3fn,
  f8e4m3fnuz,
  f8e5m2,
  f8e5m2fnuz,
  f8e8m0,
  f4e2m1,
  complex64,
  complex128,
};

struct DTypeRow {
  DType dtype;
  std::string_view name;  ///< "f32"
  int bits;  ///< of one element; 0 for strings. Elements of less than 8 bits are packed, the first in the low bits.
  bool is_float;    ///< f32, f16, bf16, f64: what terse computes with
  bool is_integer;  ///< of 8 bits or more
};

const DTypeRow& row(DType dtype);
inline std::string_view name(DType dtype) { return row(dtype).name; }
inline bool is_float(DType dtype) { return row(dtype).is_float; }
inline bool is_integer(DType dtype) { return row(dtype).is_integer; }
std::optional<DType> find_dtype(std::string_view name);

using Shape = std::vector<int64_t>;

/// "[2,3]"
std::string to_string(const Shape& shape);

/// The shape with its last two dimensions swapped: that of a matrix, or of each in a stack, turned. At least two.
Shape swap_last_two(Shape shape);

/// The product of the dimensions; nullopt if one is negative or the product does not fit into 62 bits.
std::optional<int64_t> checked_count(std::span<const int64_t> shape);

/// Bytes of `count` packed elements. Precondition: count fits (see checked_count).
int64_t packed_bytes(DType dtype, int64_t count);

/// A dense array in row-major order, as files and operators hold it. Copies share the bytes; nobody writes to bytes
/// that are shared: `make` gives fresh ones and only their maker fills them. A view into a mapped file may be
/// unaligned; `values` wants aligned bytes, see `aligned`.
class Tensor {
 public:
  Tensor() = default;

  /// Fresh zeroed memory, aligned to 64 bytes. The shape must be valid (see checked_count).
  static Tensor make(DType dtype, Shape shape);

  /// Fresh memory that holds anything: for outputs that are written in full.
  static Tensor uninitialized(DType dtype, Shape shape);

  /// Bytes that `owner` keeps alive. Error input if their number does not fit the shape.
  static Tensor view(DType dtype, Shape shape, std::span<const std::byte> bytes, std::shared_ptr<const void> owner);

  /// The same for bytes of a mapped file: their pages can be given back to the system.
  static Tensor mapped(DType dtype, Shape shape, std::span<const std::byte> bytes,
                       std::shared_ptr<const MappedFile> file);

  static Tensor strings(Shape shape, std::vector<std::string> values);

  /// A copy of `values`.
  template <typename T>
  static Tensor of(Shape shape, std::span<const T> values);
  template <typename T>
  static Tensor of(Shape shape, std::initializer_list<T> values) {
    return of(std::move(shape), std::span<const T>(values.begin(), values.size()));
  }
  template <typename T>
  static Tensor scalar(T value) {
    return of(Shape{}, std::span<const T>(&value, 1));
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t count() const { return count_; }

  /// True if there are no bytes behind the shape (a default-constructed tensor).
  bool empty() const { return dtype_ == DType::undefined; }

  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<std::byte> mutable_bytes() {
    assert(mutable_data_ != nullptr || bytes_.empty());
    return {mutable_data_, bytes_.size()};
  }
  const std::vector<std::string>& string_values() const { return *strings_; }

  /// The elements. T must be the C++ type of dtype (Half, BFloat16, bool, int64_t, ...), and the bytes aligned for it.
  template <typename T>
  std::span<const T> values() const;
  template <typename T>
  std::span<T> mutable_values();

  /// True if the bytes are aligned for the element type.
  bool is_aligned() const;
  /// This tensor, or a copy of it if it is not aligned.
  Tensor aligned() const;

  /// Gives the pages of [offset_bytes, offset_bytes + length_bytes) back if they are mapped from a file (they are read
  /// again if touched again), else does nothing. The second form: all of them.
  void release_pages(int64_t offset_bytes, int64_t length_bytes) const;
  void release_pages() const { release_pages(0, static_cast<int64_t>(bytes_.size())); }

  /// The same bytes under another shape of the same count.
  Tensor reshaped(Shape shape) const;

  /// The entries `first` to `first + entries - 1` of the first dimension, which share the bytes. At least one
  /// dimension; whole bytes (no elements of 4 bits in odd numbers).
  Tensor slice(int64_t first, int64_t entries) const;

  /// The same bytes as elements of another type, which must fill them exactly.
  Tensor reinterpreted(DType dtype, Shape shape) const;

 private:
  DType dtype_ = DType::undefined;
  Shape shape_;
  int64_t count_ = 0;
  std::span<const std::byte> bytes_;
  std::byte* mutable_data_ = nullptr;
  std::shared_ptr<const void> owner_;
  bool is_mapped_ = false;
  std::shared_ptr<const std::vector<std::string>> strings_;
};

/// The DType of a C++ element type.
template <typename T>
inline constexpr DType kDTypeOf = DType::undefined;
template <>
inline constexpr DType kDTypeOf<float> = DType::f32;
template <>
inline constexpr DType kDTypeOf<Half> = DType::f16;
template <>
inline constexpr DType kDTypeOf<BFloat16> = DType::bf16;
template <>
inline constexpr DType kDTypeOf<double> = DType::f64;
template <>
inline constexpr DType kDTypeOf<int8_t> = DType::i8;
template <>
inline constexpr DType kDTypeOf<int16_t> = DType::i16;
template <>
inline constexpr DType kDTypeOf<int32_t> = DType::i32;
template <>
inline constexpr DType kDTypeOf<int64_t> = DType::i64;
template <>
inline constexpr DType kDTypeOf<uint8_t> = DType::u8;
template <>
inline constexpr DType kDTypeOf<uint16_t> = DType::u16;
template <>
inline constexpr DType kDTypeOf<uint32_t> = DType::u32;
template <>
inline constexpr DType kDTypeOf<uint64_t> = DType::u64;
template <>
inline constexpr DType kDTypeOf<bool> = DType::boolean;

/// Calls `body.template operator()<T>()` with the C++ type of `dtype`; gives false for types without one (packed,
/// float8, string).
template <typename Body>
bool dispatch(DType dtype, Body&& body) {
  switch (dtype) {
    case DType::f32:
      body.template operator()<float>();
      return true;
    case DType::f16:
      body.template operator()<Half>();
      return true;
    case DType::bf16:
      body.template operator()<BFloat16>();
      return true;
    case DType::f64:
      body.template operator()<double>();
      return true;
    case DType::i8:
      body.template operator()<int8_t>();
      return true;
    case DType::i16:
      body.template operator()<int16_t>();
      return true;
    case DType::i32:
      body.template operator()<int32_t>();
      return true;
    case DType::i64:
      body.template operator()<int64_t>();
      return true;
    case DType::u8:
      body.template operator()<uint8_t>();
      return true;
    case DType::u16:
      body.template operator()<uint16_t>();
      return true;
    case DType::u32:
      body.template operator()<uint32_t>();
      return true;
    case DType::u64:
      body.template operator()<uint64_t>();
      return true;
    case DType::boolean:
      body.template operator()<bool>();
      return true;
    default:
      return false;
  }
}

/// Any float tensor as f32 (itself if it is). Error unsupported for other types.
Tensor to_f32(const Tensor& tensor);

/// An f32 tensor rounded to a float type (itself if that is f32).
Tensor from_f32(const Tensor& tensor, DType dtype);

/// An integer tensor's elements (of any width from 8 bits, signed or not), for shapes, axes and the like.
std::vector<int64_t> to_int64s(const Tensor& tensor);

template <typename T>
Tensor Tensor::of(Shape shape, std::span<const T> values) {  // NOLINT(performance-unnecessary-value-param): it is moved
  Tensor tensor = uninitialized(kDTypeOf<T>, std::move(shape));
  assert(static_cast<size_t>(tensor.count()) == values.size());
  std::copy(values.begin(), values.end(), tensor.mutable_values<T>().begin());
  return tensor;
}

template <typename T>
std::span<const T> Tensor::values() const {
  assert(kDTypeOf<T> == dtype_);
  assert(reinterpret_cast<uintptr_t>(bytes_.data()) % alignof(T) == 0);
  return {reinterpret_cast<const T*>(bytes_.data()), static_cast<size_t>(count_)};
}

template <typename T>
std::span<T> Tensor::mutable_values() {
  assert(kDTypeOf<T> == dtype_);
  return {reinterpret_cast<T*>(mutable_bytes().data()), static_cast<size_t>(count_)};
}

}  // namespace terse
