#include "passes/search/search_targets.h"

#include <algorithm>
#include <array>

#include "formats/error.h"

namespace terse::passes {
namespace {

// Channels stand before blocks, which are channels where rows are short.
// GGUF: blocks of 32 stand before K-types, whose stand-ins they are where rows are no whole super-blocks.
// Checkpoints: readers take no zero points as they are (see presets.cpp).
constexpr std::array kTargets = {
    SearchTargetRow{.target = "gguf",
                    .rewrites = "",
                    .weights = "linears+vocabulary",
                    .alike = Alike::experts,
                    .encodings = "keep f16 Q4_0 IQ4_NL Q4_1 Q5_0 Q5_1 Q8_0 IQ4_XS Q2_K Q3_K Q4_K Q5_K Q6_K"},
    SearchTargetRow{.target = "onnx",
                    .rewrites = "drop-provenance\n",
                    .weights = "linears+tables",
                    .alike = Alike::experts,
                    .encodings =
                        "keep f16 "
                        "bits=8,block=channel bits=8,block=128 bits=8,block=32 "
                        "bits=4,block=channel bits=4,block=128 bits=4,block=64 bits=4,block=32 bits=4,block=16 "
                        "bits=4,block=channel,grid=asymmetric bits=4,block=128,grid=asymmetric "
                        "bits=4,block=64,grid=asymmetric bits=4,block=32,grid=asymmetric "
                        "bits=4,block=16,grid=asymmetric "
                        "bits=2,block=64,grid=asymmetric bits=2,block=32,grid=asymmetric "
                        "bits=2,block=16,grid=asymmetric"},
    SearchTargetRow{.target = "safetensors",
                    .rewrites = "",
                    .weights = "linears",
                    .alike = Alike::fused_products,
                    .encodings =
                        "keep bits=8,block=channel bits=8,block=128 bits=8,block=32 "
                        "bits=4,block=channel bits=4,block=128 bits=4,block=64 bits=4,block=32 bits=4,block=16"},
};

}  // namespace

std::span<const SearchTargetRow> search_targets() { return kTargets; }

const SearchTargetRow& get_search_target(std::string_view target) {
  const auto* found = std::ranges::find(kTargets, target, &SearchTargetRow::target);
  if (found == kTargets.end()) {
    throw Error(Kind::unsupported, "there is no search for encodings of {} files", target);
  }
  return *found;
}

}  // namespace terse::passes
