#include "passes/presets.h"

#include <array>
#include <string>
#include <vector>

#include "formats/error.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

// What exporters write about their machine is more than half of a small model's file. Blocks of 32 for 4 bits cost 0.5
// bit a weight for f16 scales and follow outliers closely; 8 bits need it less, and 64 divides the widths in use (384,
// 576, 768, ...) so that no block is padded. Zero points cost another 0.125 bits: on a language model of 135M
// parameters they take the KL divergence from 0.361 to 0.304 nats for 3 % of the bytes.
//
// Checkpoints: readers take codes for linears only. Zero points would take int4's divergence on that model from 0.348
// to 0.295 nats, but transformers 5.23 with compressed-tensors 0.20 loads them only if told to dequantize.
// GGUF: on the same model, whose rows of 576 are no whole blocks of K-types (so Q5_0 for Q4_K, Q8_0 for Q6_K), with the
// statistics of four chunks of text: linears in Q4_K alone take 99.9 MB and cost 0.057 nats; v in Q6_K takes 1.3 MB and
// leaves 0.046; down in Q5_K too, 104.5 MB and 0.030; down in Q6_K, 108.0 MB and 0.025; attention_output in Q6_K, 3.7
// MB for 0.003. llama.cpp's Q4_K_M of the same statistics, which gives v and down of half the layers Q6_K, costs 0.046.
constexpr std::array kRecipes = {
    RecipeRow{"int8", "every matrix in 8 bits, blocks of 64", "onnx",
              "drop-provenance\n"
              "split-experts\n"
              "quantize,bits=8,block=64\n"
              "quantize,bits=8,block=64,only=tables\n"},
    RecipeRow{"int4", "linears in 4 bits, blocks of 32; tables and head in 8 bits", "onnx",
              "drop-provenance\n"
              "split-experts\n"
              "quantize,bits=4,block=32,grid=asymmetric\n"
              "quantize,bits=8,block=64,only=tables\n"},
    RecipeRow{"prune-50", "half of each linear's weights zero, the smallest", "onnx",
              "drop-provenance\nsplit-experts\nprune,ratio=0.5\n"},
    RecipeRow{"prune-2of4", "two of every four neighbouring weights of a linear zero", "onnx",
              "drop-provenance\nsplit-experts\nprune,pattern=2:4\n"},
    RecipeRow{"cluster-16", "16 shared values for each row of a linear", "onnx",
              "drop-provenance\nsplit-experts\ncluster,centroids=16,group=row\n"},
    RecipeRow{"int8", "linears in 8 bits, a scale a row (W8A16)", "safetensors", "quantize,bits=8,block=channel\n"},
    RecipeRow{"int4", "linears in 4 bits, blocks of 32 (W4A16)", "safetensors", "quantize,bits=4,block=32\n"},
    RecipeRow{"prune-50", "half of each linear's weights zero, the smallest", "safetensors", "prune,ratio=0.5\n"},
    RecipeRow{"prune-2of4", "two of every four neighbouring weights of a linear zero", "safetensors",
              "prune,pattern=2:4\n"},
    RecipeRow{"int8", "linears, token table and head in Q8_0", "gguf",
              "quantize,type=Q8_0\n"
              "quantize,type=Q8_0,only=vocabulary\n"},
    RecipeRow{"int4", "linears in Q4_K, down (and qkv) in Q5_K, v, token table and head in Q6_K", "gguf",
              "quantize,type=Q4_K\n"
              "quantize,type=Q5_K,only=delicate\n"
              "quantize,type=Q6_K,only=values+vocabulary\n"},
    RecipeRow{"prune-50", "half of each linear's weights zero, the smallest", "gguf", "prune,ratio=0.5\n"},
    RecipeRow{"prune-2of4", "two of every four neighbouring weights of a linear zero", "gguf", "prune,pattern=2:4\n"},
};

}  // namespace

std::span<const RecipeRow> recipes() { return kRecipes; }

const RecipeRow& get_recipe(std::string_view name, std::string_view target) {
  std::vector<std::string_view> names;
  std::string targets;
  for (const RecipeRow& row : kRecipes) {
    names.push_back(row.name);
    if (row.name != name) {
      continue;
    }
    if (row.target == target) {
      return row;
    }
    targets += fmt::format("{}{}", targets.empty() ? "" : ", ", row.target);
  }
  if (targets.empty()) {
    throw Error(Kind::usage, "there is no recipe '{}'{}", name, suggestion(name, names));
  }
  throw Error(Kind::usage, "recipe {} has no text for target {}, it has one for {}", name, target, targets);
}

}  // namespace terse::passes
