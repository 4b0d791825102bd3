#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace terse {

/// 64 bits that tell whether bytes are still those of then. Eight bytes a step in four lanes, each multiplied by an odd
/// constant and folded, in the manner of xxHash: a torn write or another file shows, an adversary can forge it.
/// Cost: memory's speed.
uint64_t checksum(std::span<const std::byte> bytes, uint64_t seed = 0);

/// Sixteen digits.
std::string to_hex(uint64_t number);

}  // namespace terse
