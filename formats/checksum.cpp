#include "formats/checksum.h"

#include <fmt/format.h>

#include <array>
#include <cstring>

namespace terse {
namespace {

constexpr uint64_t kOdd = 0x9E3779B97F4A7C15U;
constexpr size_t kLanes = 4, kWord = sizeof(uint64_t);

uint64_t mix(uint64_t hash, uint64_t value) {
  hash = (hash ^ value) * kOdd;
  return hash ^ (hash >> 29U);
}

uint64_t load(const std::byte* bytes, size_t count = kWord) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, count);
  return word;
}

}  // namespace

uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed) {
  std::array<uint64_t, kLanes> lanes{};
  for (size_t lane = 0; lane < kLanes; ++lane) {
    lanes[lane] = mix(seed + lane, bytes.size());
  }
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  for (; left >= kLanes * kWord; left -= kLanes * kWord, at += kLanes * kWord) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      lanes[lane] = mix(lanes[lane], load(at + lane * kWord));
    }
  }
  uint64_t hash = seed;
  for (const uint64_t lane : lanes) {
    hash = mix(hash, lane);
  }
  for (; left >= kWord; left -= kWord, at += kWord) {
    hash = mix(hash, load(at));
  }
  return mix(left == 0 ? hash : mix(hash, load(at, left)), kOdd);
}

std::string to_hex(uint64_t number) { return fmt::format("{:016x}", number); }

}  // namespace terse
