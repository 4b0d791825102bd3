// Writes every idiom of formats/onnx/lowering.h as a pair of models, for test_idioms.py: NAME.onnx holds an encoded
// weight, NAME.dense.onnx its decoded numbers. Usage: idiom_models FOLDER

#include <cstdio>

#include "formats/error.h"
#include "formats/onnx/writer.h"
#include "tests/formats/onnx/idioms.h"

namespace terse {
namespace {

struct UseRow {
  Shown use;
  const char* name;
  bool experts;
};
constexpr UseRow kUses[] = {
    {Shown::matmul, "matmul", false},
    {Shown::twice, "twice", false},
    {Shown::gemm, "gemm", false},
    {Shown::gemm_scaled, "gemm_scaled", false},
    {Shown::table, "table", false},
    {Shown::tied, "tied", false},
    {Shown::left, "left", false},
    {Shown::experts, "experts", true},
    {Shown::turned_experts, "turned_experts", true},
};

std::vector<Encoding> encodings(const Shape& lead) {
  std::vector<Encoding> all;
  const int64_t rows = *checked_count(lead);
  for (const int64_t columns : {64, 100, 33, 576}) {
    Shape shape = lead;
    shape.push_back(columns);
    for (const int bits : {2, 4, 8}) {
      for (const bool asymmetric : {false, true}) {
        all.push_back(random_affine(shape, {.bits = bits, .group_columns = 32, .asymmetric = asymmetric}));
        all.push_back(random_affine(shape, {.bits = bits, .group_columns = columns, .asymmetric = asymmetric}));
        all.push_back(random_affine(
            shape, {.bits = bits, .group_rows = rows, .group_columns = columns, .asymmetric = asymmetric}));
      }
      all.push_back(random_affine(shape, {.bits = bits, .group_columns = 20, .scale_dtype = DType::f32}));
    }
    all.push_back(random_codebook(shape, {.centroids = 16}));
    all.push_back(random_codebook(shape, {.centroids = 6, .group_rows = rows}));
    all.push_back(random_codebook(shape, {.centroids = 256, .group_rows = 4, .centroid_dtype = DType::f16}));
  }
  return all;
}

void write_pair(const std::filesystem::path& folder, const Encoding& e, const UseRow& use, OnnxStyle style,
                DType floats) {
  std::string name = fmt::format("{}-{}-{}-{}-{}", use.name, style == OnnxStyle::contrib ? "contrib" : "standard",
                                 terse::name(floats), describe(e), e.columns());
  std::replace(name.begin(), name.end(), ' ', '_');
  constexpr int64_t kOpset = 17;
  onnx::write(model_with(e, use.use, kOpset, floats), folder / (name + ".onnx"), {.onnx_style = style});
  const Encoding dense = *make_dense(from_f32(decode(e), floats));
  onnx::write(model_with(dense, use.use, kOpset, floats), folder / (name + ".dense.onnx"), {});
}

void write_all(const std::filesystem::path& folder) {
  for (const UseRow& use : kUses) {
    for (const Encoding& e : encodings(use.experts ? Shape{3, 48} : Shape{48})) {
      for (const OnnxStyle style : {OnnxStyle::contrib, OnnxStyle::standard}) {
        write_pair(folder, e, use, style, DType::f32);
        write_pair(folder, e, use, style, DType::f16);
      }
    }
  }
}

}  // namespace
}  // namespace terse

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: idiom_models FOLDER\n", stderr);
    return 2;
  }
  try {
    terse::write_all(argv[1]);
  } catch (const terse::Error& error) {
    std::fprintf(stderr, "idiom_models: %s\n", error.what());
    return 1;
  }
}
