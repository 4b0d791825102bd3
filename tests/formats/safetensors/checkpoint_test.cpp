#include "formats/safetensors/checkpoint.h"

#include <doctest/doctest.h>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/named_tensors.h"
#include "tests/formats/safetensors/checkpoints.h"
#include "tests/temporary_folder.h"

namespace terse::safetensors {
namespace {

namespace fs = std::filesystem;

struct Folders {
  TemporaryFolder root;
  fs::path from = root.path() / "from", to = root.path() / "to";

  Folders() {
    fs::create_directory(from);
    write_text(from / "tokenizer.json", "{}");
    write_text(from / "README.md", "# Model\n");
  }
};

int64_t bytes_of(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    bytes += entry.is_regular_file() ? static_cast<int64_t>(entry.file_size()) : 0;
  }
  return bytes;
}

template <typename T>
std::vector<T> values(const NamedTensors& tensors, const std::string& name) {
  const Tensor tensor = tensors.tensors.at(name).aligned();
  return {tensor.values<T>().begin(), tensor.values<T>().end()};
}

TEST_SUITE("formats/safetensors/checkpoint") {
  TEST_CASE("a folder holds the weights, the config and what lay beside them, to the planned byte") {
    const Folders folders;
    TinyCheckpoint tiny(folders.from);
    tiny.add("a.weight", dense_weight(DType::f16, {4, 8}));
    tiny.add("b.weight", affine_weight(4, 8, {.bits = 4, .group_columns = 4}));
    tiny.model.metadata = {{"terse.pipeline", "quantize"}};
    const Layout planned = layout(tiny.model, folders.to, {});
    write(tiny.model, folders.to, {});
    CHECK(planned.total_bytes() == bytes_of(folders.to));
    for (const Layout::File& file : planned.files) {
      CAPTURE(file.name);
      CHECK(static_cast<int64_t>(fs::file_size(folders.to / file.name)) == file.bytes);
    }
    CHECK(planned.entries.size() == 2);
    CHECK(planned.entries[0].bytes + planned.entries[1].bytes == 64 + 16 + 16 + 16);
    const NamedTensors read = read_weights(folders.to);
    CHECK(read.tensors.size() == 4);
    CHECK(read.metadata.at("format") == "pt");
    CHECK(read.metadata.at("terse.pipeline") == "quantize");
    CHECK(read_text(folders.to / "tokenizer.json") == "{}");
    CHECK(read_text(folders.to / "README.md").find("quantize") != std::string::npos);
  }

  TEST_CASE("a dense copy has the same tensors and the config's own text") {
    const Folders folders;
    TinyCheckpoint tiny(folders.from, R"({ "dtype" : "float16" })");
    tiny.add("a.weight", dense_weight(DType::f16, {4, 8}));
    tiny.add("norm.weight", dense_weight(DType::f32, {8}));
    write(tiny.model, folders.to, {});
    CHECK(read_text(folders.to / "config.json") == R"({ "dtype" : "float16" })");
    CHECK(values<float>(read_weights(folders.to), "norm.weight").front() == -32);
  }

  TEST_CASE("a cast is told by config.json") {
    const Folders folders;
    TinyCheckpoint tiny(folders.from);
    const ValueId id = tiny.add("a.weight", dense_weight(DType::f16, {4, 8}));
    tiny.model.graph.value(id).constant = dense_weight(DType::bf16, {4, 8});
    write(tiny.model, folders.to, {});
    CHECK(read_text(folders.to / "config.json") == "{\n  \"dtype\": \"bfloat16\"\n}\n");
  }

  TEST_CASE("a matrix is stored in the orientation that its file had, whatever a pass made of it") {
    const Folders folders;
    TinyCheckpoint tiny(folders.from, R"({"dtype":"float32"})");
    const Tensor in_out = Tensor::of<float>({2, 3}, {1, 2, 3, 4, 5, 6});
    tiny.add("same.weight", make_dense_transposed(in_out));
    const ValueId changed = tiny.add("changed.weight", make_dense_transposed(in_out));
    tiny.model.graph.value(changed).constant = make_dense(decode(*make_dense_transposed(in_out)));
    write(tiny.model, folders.to, {});
    const NamedTensors read = read_weights(folders.to);
    for (const char* name : {"same.weight", "changed.weight"}) {
      CHECK(read.tensors.at(name).shape() == Shape{2, 3});
      CHECK(values<float>(read, name) == std::vector<float>{1, 2, 3, 4, 5, 6});
    }
  }

  TEST_CASE("planned encodings have the layout of real ones") {
    const Folders folders;
    TinyCheckpoint real(folders.from), planned(folders.from);
    AffineEncoding form{.bits = 4, .group_columns = 4, .asymmetric = true};
    real.add("a.weight", affine_weight(4, 8, form));
    planned.add("a.weight", std::make_shared<const Encoding>(Encoding{.shape = {4, 8}, .form = form}));
    CHECK(layout(planned.model, folders.to, {}).total_bytes() == layout(real.model, folders.to, {}).total_bytes());
  }

  TEST_CASE("a tensor that a pass has taken out of the graph is an error that names it") {
    TinyCheckpoint tiny;
    const ValueId id = tiny.add("a.weight", dense_weight(DType::f16, {4, 8}));
    tiny.model.graph.value(id).name = "folded";
    CHECK_THROWS_WITH_AS(layout(tiny.model, "out", {}),
                         "tensor a.weight of the checkpoint is no constant of the graph any more: a pass has folded or "
                         "merged it (simplify does); leave the pass out, or write another target",
                         Error);
  }

  TEST_CASE("a graph without an architecture cannot become a checkpoint") {
    Model model;
    model.path = "x.onnx";
    model.format = "onnx";
    CHECK_THROWS_WITH_AS(layout(model, "out", {}),
                         "x.onnx: has no architecture that another format could name: from onnx only onnx can be "
                         "written",
                         Error);
  }

  TEST_CASE("an older checkpoint is replaced as a whole, another folder never") {
    const Folders folders;
    TinyCheckpoint tiny(folders.from);
    tiny.add("a.weight", dense_weight(DType::f16, {4, 8}));
    fs::create_directory(folders.to);
    write_text(folders.to / "holiday.jpg", "precious");
    CHECK_THROWS_AS(write(tiny.model, folders.to, {}), Error);
    CHECK(fs::exists(folders.to / "holiday.jpg"));
    fs::remove(folders.to / "holiday.jpg");
    write_text(folders.to / "config.json", "old");
    write_text(folders.to / "vocab.txt", "old");
    write(tiny.model, folders.to, {});
    CHECK_FALSE(fs::exists(folders.to / "vocab.txt"));
    CHECK(folders.root.count() == 2);
  }
}

}  // namespace
}  // namespace terse::safetensors
