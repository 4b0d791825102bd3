#include "calibration/kept_values.h"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <utility>

#include "calibration/ops/vector_math.h"
#include "formats/bytes.h"

namespace terse::calibration {
namespace {

constexpr int64_t kBlockFrom = 4096;  // numbers; smaller values stay as they are
constexpr size_t kAlignment = 64;

bool is_small(const Tensor& tensor) { return tensor.count() < kBlockFrom || tensor.dtype() == DType::string; }

bool is_narrowed(DType dtype, const Shape& shape) { return dtype == DType::f32 && shape.size() >= 2; }

size_t stored_bytes(const Tensor& tensor) {
  return tensor.bytes().size() / (is_narrowed(tensor.dtype(), tensor.shape()) ? 2 : 1);
}

size_t round_up(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

KeptValues::~KeptValues() {
  if (block_ != nullptr) {
    munmap(block_, block_bytes_);
  }
}

KeptValues::KeptValues(KeptValues&& other) noexcept
    : entries_(std::move(other.entries_)),
      block_(std::exchange(other.block_, nullptr)),
      block_bytes_(std::exchange(other.block_bytes_, 0)),
      used_bytes_(std::exchange(other.used_bytes_, 0)) {}

size_t KeptValues::count_bytes(std::span<const ValueId> ids, const Frame& frame) {
  size_t bytes = 0;
  for (const ValueId id : ids) {
    const Tensor& tensor = frame[static_cast<size_t>(id)];
    bytes += is_small(tensor) ? 0 : round_up(stored_bytes(tensor));
  }
  return bytes;
}

void KeptValues::reserve(size_t bytes) {
  if (bytes <= block_bytes_) {
    return;
  }
  if (block_ != nullptr) {
    munmap(std::exchange(block_, nullptr), std::exchange(block_bytes_, 0));
  }
  void* block = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) {
    throw std::bad_alloc();
  }
  block_ = static_cast<std::byte*>(block);
  block_bytes_ = bytes;
  used_bytes_ = 0;
}

void KeptValues::give_back_behind(size_t bytes) {
  if (bytes < used_bytes_) {
    release_pages({block_ + bytes, block_bytes_ - bytes});
  }
  used_bytes_ = bytes;
}

void KeptValues::write(const Entry& entry, const Tensor& tensor) {
  std::byte* to = block_ + entry.offset;
  if (is_narrowed(entry.dtype, entry.shape)) {
    vector_to_bfloat16(tensor.values<float>().data(), 1, reinterpret_cast<BFloat16*>(to), tensor.count());
  } else {
    std::memcpy(to, tensor.bytes().data(), entry.bytes);
  }
}

Tensor KeptValues::read(const Entry& entry) const {
  if (!entry.small.empty()) {
    return entry.small;
  }
  Tensor tensor = Tensor::uninitialized(entry.dtype, entry.shape);
  const std::byte* from = block_ + entry.offset;
  if (is_narrowed(entry.dtype, entry.shape)) {
    to_float(std::span(reinterpret_cast<const BFloat16*>(from), static_cast<size_t>(tensor.count())),
             tensor.mutable_values<float>());
  } else {
    std::memcpy(tensor.mutable_bytes().data(), from, entry.bytes);
  }
  return tensor;
}

void KeptValues::store(std::span<const ValueId> ids, const Frame& frame) {
  entries_.clear();
  size_t end = 0;
  for (const ValueId id : ids) {
    const Tensor& tensor = frame[static_cast<size_t>(id)];
    if (is_small(tensor)) {
      entries_.push_back({.id = id, .small = tensor, .dtype = tensor.dtype(), .shape = {}});
      continue;
    }
    const size_t bytes = stored_bytes(tensor);
    entries_.push_back(
        {.id = id, .small = {}, .dtype = tensor.dtype(), .shape = tensor.shape(), .offset = end, .bytes = bytes});
    end += round_up(bytes);
  }
  reserve(end);
  give_back_behind(end);
  for (const Entry& entry : entries_) {
    if (entry.small.empty()) {
      write(entry, frame[static_cast<size_t>(entry.id)]);
    }
  }
}

std::vector<ValueId> KeptValues::load(Frame& frame) const {
  std::vector<ValueId> ids;
  for (const Entry& entry : entries_) {
    ids.push_back(entry.id);
    frame[static_cast<size_t>(entry.id)] = read(entry);
  }
  return ids;
}

}  // namespace terse::calibration
