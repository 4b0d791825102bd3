#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "formats/vocabulary.h"

namespace terse::calibration {

/// The tokens <0x00> to <0xFF>, into which unknown text falls back.
class ByteTokens {
 public:
  /// None if the vocabulary does not fall back.
  explicit ByteTokens(const Vocabulary& vocabulary);

  bool are_there() const { return there_; }
  /// Appends the tokens of `bytes`: all, or none if one is not there (false).
  bool append(std::string_view bytes, std::vector<int32_t>& out) const;

 private:
  static constexpr int32_t kAbsent = -1;
  bool there_ = false;
  std::array<int32_t, 256> ids_{};
};

}  // namespace terse::calibration
