#pragma once

#include <span>
#include <vector>

#include "calibration/plan.h"

namespace terse::calibration {

/// A sample's live values between two segments of its run, in one block of memory: matrices of f32 as bf16, other
/// tensors as they are.
///
/// Why a block of its own: live values stay while millions of short-lived tensors come and go. In one heap with those
/// they leave holes that nothing fits into; the values of 100 samples, 216 MB, made a heap of 550 MB.
/// Memory: whole pages of the system's, as many as the values need that are stored now.
class KeptValues {
 public:
  KeptValues() = default;
  ~KeptValues();
  KeptValues(KeptValues&& other) noexcept;
  KeptValues& operator=(KeptValues&&) = delete;

  /// What values take when they are stored, but for small ones.
  static size_t count_bytes(std::span<const ValueId> ids, const Frame& frame);

  /// Takes the place of what was stored before.
  void store(std::span<const ValueId> ids, const Frame& frame);

  /// Puts copies of the values into the frame, matrices of f32 in f32 again, and gives their ids.
  std::vector<ValueId> load(Frame& frame) const;

 private:
  struct Entry {
    ValueId id = kNoValue;
    Tensor small;  ///< the value itself, if it is not in the block
    DType dtype = DType::undefined;
    Shape shape;
    size_t offset = 0, bytes = 0;  ///< in the block
  };
  Tensor read(const Entry& entry) const;
  void write(const Entry& entry, const Tensor& tensor);
  void reserve(size_t bytes);
  void give_back_behind(size_t bytes);

  std::vector<Entry> entries_;
  std::byte* block_ = nullptr;
  size_t block_bytes_ = 0;
  size_t used_bytes_ = 0;  ///< from the block's begin: what pages were written to, at most
};

}  // namespace terse::calibration
