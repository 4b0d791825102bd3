#include "passes/constraints/block_candidates.h"

#include <array>

namespace terse::passes {
namespace {

// Chosen on rows of a language model and on normal numbers, alone and with weights that differ by orders of magnitude:
// more of them win less than a thousandth of the error. The first four (or eight, see below) are those that
// together are best where all errors count the same.

constexpr std::array<GridCandidate, 16> kLevels8 = {{
    {-4, 0},
    {-3, 0},
    {-3.3F, 0},
    {-4.4F, 0},
    {-4.9F, 0},
    {-3.6F, 0},
    {2.4F, 0},
    {4.2F, 0},
    {-5.5F, 0},
    {-6.5F, 0},
    {3, 0},
    {3.3F, 0},
    {3.7F, 0},
    {-2.4F, 0},
    {-8, 0},
    {5, 0},
}};
constexpr std::array<GridCandidate, 16> kLevels16 = {{
    {-8, 0},
    {-7, 0},
    {-8.7F, 0},
    {-7.35F, 0},
    {-7.7F, 0},
    {-8.35F, 0},
    {-9.2F, 0},
    {-9.8F, 0},
    {-10.5F, 0},
    {-11.5F, 0},
    {-13, 0},
    {-15, 0},
    {7.2F, 0},
    {7.6F, 0},
    {8.2F, 0},
    {9, 0},
}};
constexpr std::array<GridCandidate, 16> kLevels32 = {{
    {-16, 0},
    {-15, 0},
    {-16.7F, 0},
    {-15.6F, 0},
    {-15.3F, 0},
    {-16.3F, 0},
    {-17.2F, 0},
    {-17.8F, 0},
    {-18.5F, 0},
    {-19.5F, 0},
    {-21, 0},
    {-24, 0},
    {15.2F, 0},
    {15.6F, 0},
    {16.2F, 0},
    {17, 0},
}};
constexpr std::array<GridCandidate, 16> kLevels64 = {{
    {-32, 0},
    {-31, 0},
    {-31.3F, 0},
    {-32.3F, 0},
    {-31.6F, 0},
    {-32.7F, 0},
    {-33.2F, 0},
    {-33.8F, 0},
    {-34.6F, 0},
    {-35.8F, 0},
    {-38, 0},
    {-43, 0},
    {31.2F, 0},
    {31.6F, 0},
    {32.2F, 0},
    {33, 0},
}};
constexpr std::array<GridCandidate, 16> kLevels256 = {{
    {-128, 0},
    {-127, 0},
    {-126, 0},
    {-128.6F, 0},
    {-127.3F, 0},
    {-127.7F, 0},
    {-128.3F, 0},
    {-129, 0},
    {-130, 0},
    {-132, 0},
    {127, 0},
    {127.3F, 0},
    {127.7F, 0},
    {126.5F, 0},
    {129, 0},
    {-136, 0},
}};
constexpr std::array<GridCandidate, 20> kBell = {{
    {-127, 0}, {113, 0},  {-110, 0}, {-139, 0}, {124, 0}, {-121, 0}, {-104, 0}, {89, 0},  {-116, 0}, {-133, 0},
    {-146, 0}, {-155, 0}, {-168, 0}, {101, 0},  {107, 0}, {118, 0},  {131, 0},  {140, 0}, {152, 0},  {95, 0},
}};
constexpr std::array<GridCandidate, 20> kRange4 = {{
    {3, 0},       {3.7F, -0.35F}, {3.3F, -0.3F}, {3.7F, 0},     {3.7F, -0.7F}, {3.3F, 0},    {4.2F, -0.6F},
    {2.6F, 0.2F}, {3.3F, -0.15F}, {4.2F, 0},     {4.2F, -1.2F}, {5, 0},        {5, -1},      {5, -2},
    {6.2F, 0},    {6.2F, -1.6F},  {6.2F, -3.2F}, {2.2F, 0.4F},  {8, -2.5F},    {2.6F, 0.4F},
}};
constexpr std::array<GridCandidate, 20> kRange16 = {{
    {15, 0},        {15.5F, 0},  {15.5F, -0.5F}, {14.3F, 0.35F}, {15.5F, -0.25F}, {16.1F, 0},     {16.1F, -0.55F},
    {16.1F, -1.1F}, {17, 0},     {17, -1},       {17, -2},       {18.2F, 0},      {18.2F, -1.6F}, {18.2F, -3.2F},
    {20, 0},        {20, -2.5F}, {20, -5},       {23, -1},       {23, -4},        {23, -7},
}};
constexpr std::array<GridCandidate, 20> kRange32 = {{
    {31, 0},  {31.4F, 0},  {31.4F, -0.4F}, {30.3F, 0.35F}, {31.4F, -0.2F}, {32, 0},     {32, -0.5F},
    {32, -1}, {32.8F, 0},  {32.8F, -0.9F}, {32.8F, -1.8F}, {34, 0},        {34, -1.5F}, {34, -3},
    {36, 0},  {36, -2.5F}, {36, -5},       {40, -1},       {40, -4.5F},    {40, -8},
}};
constexpr std::array<float, 16> kMultiples = {1,     1.006F, 0.993F, 0.985F, 0.975F, 0.965F, 0.95F, 0.935F,
                                              0.92F, 0.9F,   0.875F, 0.84F,  0.8F,   0.7F,   0.5F,  0.25F};
std::span<const GridCandidate> all_candidates(const BlockCodec& codec) {
  if (codec.table != nullptr) {
    return kBell;
  }
  if (codec.has_min()) {
    return codec.codes == 4    ? std::span<const GridCandidate>(kRange4)
           : codec.codes == 16 ? std::span<const GridCandidate>(kRange16)
                               : std::span<const GridCandidate>(kRange32);
  }
  switch (codec.codes) {
    case 8:
      return kLevels8;
    case 16:
      return kLevels16;
    case 32:
      return kLevels32;
    case 64:
      return kLevels64;
    default:
      return kLevels256;
  }
}

}  // namespace

SubBlockPlan sub_block_plan(const BlockCodec& codec, ErrorWeights weights) {
  const std::span<const GridCandidate> candidates = all_candidates(codec);
  if (weights == ErrorWeights::differing) {
    return {.candidates = candidates, .rounds = 3};
  }
  // What all candidates and three rounds win beyond these, of the error on a language model: Q4_0 0.1 %, Q8_0 0.2 %,
  // Q4_1 0.1 %, IQ4_NL 0.3 %. They take two and a half times as long.
  const bool is_special = codec.table != nullptr || codec.codes == 8;  // levels are far apart
  const bool is_fine = codec.codes == 256 || codec.has_min();
  return {.candidates = candidates.first(is_special ? 8 : 4), .rounds = is_fine ? size_t{3} : size_t{1}};
}

std::span<const float> multiple_candidates() { return kMultiples; }

}  // namespace terse::passes
