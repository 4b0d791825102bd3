#include "formats/onnx/model_folder.h"

#include <doctest/doctest.h>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/model.h"
#include "tests/temporary_folder.h"

namespace terse::onnx {
namespace {

namespace fs = std::filesystem;

/// encoder_model.onnx, onnx/decoder_model.onnx with its data beside it, and files of other kinds.
void fill(const fs::path& folder) {
  const fs::path source = fs::path(TERSE_TESTDATA) / "classifier" / "torchscript.onnx";
  fs::copy_file(source, folder / "encoder_model.onnx");
  fs::create_directories(folder / "onnx");
  fs::create_directories(folder / ".git");
  get_format("onnx").write(open_model(source), folder / "onnx" / "decoder_model.onnx", {.external_data = true});
  write_text(folder / "config.json", "{}");
  write_text(folder / "onnx" / "notes.txt", "");
  write_text(folder / ".git" / "hidden.onnx", "");
}

TEST_SUITE("formats/onnx/model_folder") {
  TEST_CASE("a folder's models are found, and what is neither a model nor its data") {
    const TemporaryFolder folder;
    fill(folder.path());
    REQUIRE(fs::exists(folder.path() / "onnx" / "decoder_model.onnx.data"));
    const auto found = find_model_folder(folder.path());
    REQUIRE(found);
    CHECK(found->models == std::vector<std::string>{"encoder_model.onnx", "onnx/decoder_model.onnx"});
    CHECK(found->others == std::vector<std::string>{"config.json", "onnx/notes.txt"});
  }

  TEST_CASE("a checkpoint is none, nor is a folder without models, nor a file") {
    const TemporaryFolder folder;
    CHECK_FALSE(find_model_folder(folder.path()));
    fill(folder.path());
    CHECK_FALSE(find_model_folder(folder.path() / "encoder_model.onnx"));
    write_text(folder.path() / "model.safetensors", "");
    CHECK_FALSE(find_model_folder(folder.path()));
  }

  TEST_CASE("a broken model is an error that names it") {
    const TemporaryFolder folder;
    write_text(folder.path() / "a.onnx", "no model");
    try {
      find_model_folder(folder.path());
      FAIL("no error");
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find("a.onnx: ") != std::string::npos);
    }
  }

  TEST_CASE("only a folder of the same files may be replaced") {
    const TemporaryFolder folder, old;
    fill(folder.path());
    const auto found = find_model_folder(folder.path());
    check_replaceable(old.path(), *found);
    fill(old.path());
    check_replaceable(old.path(), *found);
    write_text(old.path() / "thesis.txt", "");
    CHECK_THROWS_AS(check_replaceable(old.path(), *found), Error);
  }
}

}  // namespace
}  // namespace terse::onnx
