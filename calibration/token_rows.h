#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "calibration/executor.h"

namespace terse::calibration {

/// Which of [batch, tokens] positions hold text: by the attention mask of the ids that stand for the rows of a model's
/// output (a decoder's where there is one), all of them if there is none of that shape.
class TextPositions {
 public:
  TextPositions(const Sample& sample, int64_t batch, int64_t tokens);

  bool is_text(int64_t sequence, int64_t token) const {
    return kept_.empty() || kept_[static_cast<size_t>(sequence * tokens_ + token)] != 0;
  }
  /// Those of a sequence, in order.
  std::vector<int64_t> of(int64_t sequence) const;

 private:
  int64_t tokens_;
  std::vector<int64_t> kept_;
};

/// The rows [batch, tokens, width] of a float tensor of rank 3.
struct Rows {
  explicit Rows(const Tensor& tensor) : floats(to_f32(tensor)) {}

  int64_t batch() const { return floats.shape()[0]; }
  int64_t tokens() const { return floats.shape()[1]; }
  int64_t width() const { return floats.shape()[2]; }
  std::span<const float> at(int64_t sequence, int64_t token) const {
    return floats.values<float>().subspan(static_cast<size_t>((sequence * tokens() + token) * width()),
                                          static_cast<size_t>(width()));
  }

  Tensor floats;
};

/// The token ids that the rows of a model's output stand for, and their input's name; nullptr if there are none.
const Sample::value_type* find_token_ids(const Sample& sample);

}  // namespace terse::calibration
