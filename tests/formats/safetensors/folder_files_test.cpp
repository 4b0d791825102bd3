#include "formats/safetensors/folder_files.h"

#include <doctest/doctest.h>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::safetensors {
namespace {

namespace fs = std::filesystem;

void make(const fs::path& file) {
  fs::create_directories(file.parent_path());
  write_text(file, file.filename().string());
}

TEST_SUITE("formats/safetensors/folder_files") {
  TEST_CASE("tokenizers, licences and modules are copied; weights, code and strangers are not") {
    const TemporaryFolder folder;
    for (const char* name : {"tokenizer.json", "LICENSE.txt", "NOTICE", "1_Pooling/config.json",
                             "2_Dense/model.safetensors", "modeling.py", "model.safetensors", "pytorch_model.bin",
                             "notes.txt", "chat_templates/tool.jinja", "README.md", "onnx/x.onnx"}) {
      make(folder.path() / name);
    }
    fs::create_symlink(folder.path() / "notes.txt", folder.path() / "vocab.txt");
    std::string names;
    for (const FolderFile& file : files_to_copy(folder.path())) {
      names += file.name + " ";
    }
    CHECK(names == "1_Pooling/config.json LICENSE.txt NOTICE chat_templates/tool.jinja tokenizer.json vocab.txt ");
  }

  TEST_CASE("a copy holds what its source holds, or the text that was made for it") {
    const TemporaryFolder from, to;
    make(from.path() / "1_Pooling/config.json");
    const FolderFile copy{.name = "1_Pooling/config.json", .source = from.path() / "1_Pooling/config.json", .text = {}};
    const FolderFile text{.name = "config.json", .source = {}, .text = "{}"};
    write_file(copy, to.path());
    write_file(text, to.path());
    CHECK(read_text(to.path() / "1_Pooling/config.json") == "config.json");
    CHECK(read_text(to.path() / "config.json") == "{}");
    CHECK(copy.bytes() == 11);
    CHECK(text.bytes() == 2);
  }

  TEST_CASE("only what looks like a checkpoint may be replaced") {
    const TemporaryFolder folder;
    check_replaceable(folder.path());
    make(folder.path() / "holiday.jpg");
    CHECK_THROWS_AS(check_replaceable(folder.path()), Error);
    make(folder.path() / "config.json");
    CHECK_THROWS_AS(check_replaceable(folder.path()), Error);
    fs::remove(folder.path() / "holiday.jpg");
    make(folder.path() / "model-00001-of-00002.safetensors");
    make(folder.path() / "1_Pooling/config.json");
    check_replaceable(folder.path());
    for (const char* precious : {".git", "src"}) {
      fs::create_directory(folder.path() / precious);
      CHECK_THROWS_AS(check_replaceable(folder.path()), Error);
      fs::remove(folder.path() / precious);
    }
  }
}

}  // namespace
}  // namespace terse::safetensors
