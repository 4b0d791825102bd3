#include "formats/named_tensors.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/formats/safetensors/files.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

std::string file_of(const std::string& tensor) {
  return safetensors_bytes(fmt::format(R"({{"{}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}})", tensor), "x");
}

TEST_SUITE("formats/named_tensors") {
  TEST_CASE("a folder's single file comes before its index") {
    const TemporaryFolder folder;
    write_text(folder.path() / "shard", file_of("from_index"));
    write_text(folder.path() / "model.safetensors.index.json", R"({"weight_map":{"from_index":"shard"}})");
    CHECK(read_weights(folder.path()).tensors.contains("from_index"));
    write_text(folder.path() / "model.safetensors", file_of("from_file"));
    CHECK(read_weights(folder.path()).tensors.contains("from_file"));
  }

  TEST_CASE("a folder's safetensors come before its state dicts of torch.save, single files before indices") {
    const TemporaryFolder folder;
    for (const char* name :
         {"pytorch_model.bin.index.json", "pytorch_model.bin", "model.safetensors.index.json", "model.safetensors"}) {
      write_text(folder.path() / name, "broken");
      CHECK_THROWS_WITH_AS(read_weights(folder.path()), doctest::Contains((std::string(name) + ": ").c_str()), Error);
    }
  }

  TEST_CASE("a pointer that Git LFS left is refused with the cure") {
    const TemporaryFolder folder;
    for (const char* name : {"pytorch_model.bin", "model.safetensors"}) {
      write_text(folder.path() / name, "version https://git-lfs.github.com/spec/v1\n");
      CHECK_THROWS_WITH_AS(read_weights(folder.path()), doctest::Contains("git lfs pull"), Error);
    }
  }

  TEST_CASE("a file is read by the ending of its name") {
    const TemporaryFolder folder;
    write_text(folder.path() / "other.safetensors", file_of("w"));
    CHECK(read_weights(folder.path() / "other.safetensors").tensors.contains("w"));
    CHECK_THROWS_WITH_AS(read_weights(folder.path() / "other.txt"),
                         doctest::Contains("other.txt: not known to hold weights"), Error);
  }

  TEST_CASE("a folder without weights is refused with what was looked for") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH_AS(read_weights(folder.path()),
                         doctest::Contains("expected one of the files model.safetensors, "), Error);
    std::filesystem::create_symlink("lost", folder.path() / "model.safetensors");
    CHECK_THROWS_WITH_AS(read_weights(folder.path()), doctest::Contains("model.safetensors: cannot open"), Error);
  }

  TEST_CASE("booleans become 0 or 1") {
    const std::string bytes = "\x02\xff";
    const Tensor tensor = tensor_of_file(DType::boolean, {2}, std::as_bytes(std::span(bytes)), nullptr);
    CHECK(static_cast<int>(tensor.bytes()[0]) == 1);
    CHECK(static_cast<int>(tensor.bytes()[1]) == 1);
  }
}

}  // namespace
}  // namespace terse
