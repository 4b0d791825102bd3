#include "calibration/isa.h"

#include <hwy/targets.h>

#include <algorithm>
#include <array>
#include <oneapi/dnnl/dnnl.hpp>

#include "formats/error.h"

namespace terse::calibration {
namespace {

struct IsaRow {
  std::string_view name;
  dnnl::cpu_isa isa;
  int64_t disabled_targets;  ///< of Highway: what lies above
};

constexpr int64_t kAvx512Targets = HWY_AVX3 | HWY_AVX3_DL;

/// Ascending. Highway has no target for AMX.
constexpr std::array<IsaRow, 3> kSets = {{
    {"avx2", dnnl::cpu_isa::avx2, kAvx512Targets},
    {"avx512", dnnl::cpu_isa::avx512_core_bf16, 0},
    {"amx", dnnl::cpu_isa::avx512_core_amx, 0},
}};

/// oneDNN's sets are bit fields, a larger set has all the bits of a smaller one.
bool includes(dnnl::cpu_isa larger, dnnl::cpu_isa smaller) {
  const auto bits = static_cast<unsigned>(smaller);
  return (static_cast<unsigned>(larger) & bits) == bits;
}

}  // namespace

void limit_instruction_set(std::string_view name) {
  if (name == "auto") {
    return;
  }
  const auto* row = std::find_if(kSets.begin(), kSets.end(), [&](const IsaRow& set) { return set.name == name; });
  if (row == kSets.end()) {
    throw Error(Kind::usage, "unknown instruction set '{}', expected auto, avx2, avx512 or amx", name);
  }
  if (!includes(dnnl::get_effective_cpu_isa(), row->isa)) {
    throw Error(Kind::unsupported, "this processor lacks {}, the best that it has is {}", name, instruction_set());
  }
  dnnl::set_max_cpu_isa(row->isa);
  hwy::DisableTargets(row->disabled_targets);
}

std::string instruction_set() {
  std::string best = "sse4";
  for (const IsaRow& row : kSets) {
    if (includes(dnnl::get_effective_cpu_isa(), row.isa)) {
      best = row.name;
    }
  }
  return best;
}

}  // namespace terse::calibration
