#include "formats/onnx/external.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/formats/onnx/text_model.h"

namespace terse::onnx {
namespace {

namespace fs = std::filesystem;

std::string entry(const std::string& key, const std::string& value) {
  return "external_data { key: \"" + key + "\" value: \"" + value + "\" } ";
}

/// A model whose only output is a tensor of 512 floats in external data.
std::string model_bytes(const std::string& entries) {
  return from_text(
             "ir_version: 10 graph { output { name: \"W\" } initializer { name: \"W\" data_type: 1 dims: 512 "
             "data_location: EXTERNAL " +
             entries + "} }")
      .SerializeAsString();
}

std::string numbers(float value) {
  const std::vector<float> values(512, value);
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

float first_number(const Model& model) {
  return model.graph.value(model.graph.main.outputs[0]).constant->dense()->values.aligned().values<float>()[0];
}

std::string error_with(const fs::path& folder, const std::string& entries) {
  write_text(folder / "model.onnx", model_bytes(entries));
  try {
    read(folder / "model.onnx");
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST_SUITE("formats/onnx/external") {
  TEST_CASE("numbers come from the file, place and length that the tensor names") {
    const TemporaryFolder folder;
    fs::create_directory(folder.path() / "data");
    write_text(folder.path() / "data/w.bin", "1234" + numbers(7) + "1234");
    write_text(folder.path() / "model.onnx",
               model_bytes(entry("location", "data/w.bin") + entry("offset", "4") + entry("length", "2048")));
    const Model model = read(folder.path() / "model.onnx");
    CHECK(first_number(model) == 7);
    CHECK(model.file_bytes == static_cast<int64_t>(fs::file_size(folder.path() / "model.onnx")) + 2056);
  }

  TEST_CASE("a model that is a link finds data beside the link and beside its own file") {
    const TemporaryFolder folder;
    fs::create_directory(folder.path() / "snapshot");
    fs::create_directory(folder.path() / "blobs");
    write_text(folder.path() / "blobs/1", model_bytes(entry("location", "w.bin")));
    fs::create_symlink("../blobs/1", folder.path() / "snapshot/model.onnx");
    write_text(folder.path() / "blobs/2", numbers(2));
    fs::create_symlink("../blobs/2", folder.path() / "snapshot/w.bin");
    CHECK(first_number(read(folder.path() / "snapshot/model.onnx")) == 2);

    fs::remove(folder.path() / "snapshot/w.bin");
    write_text(folder.path() / "blobs/w.bin", numbers(3));
    CHECK(first_number(read(folder.path() / "snapshot/model.onnx")) == 3);
  }

  TEST_CASE("data outside of the model's folder is refused") {
    const TemporaryFolder folder;
    fs::create_directory(folder.path() / "inner");
    write_text(folder.path() / "secret", numbers(1));
    fs::create_symlink("../secret", folder.path() / "inner/w.bin");
    for (const std::string location : {"../secret", "a/../../secret", "", "w.bin", "/etc/passwd"}) {
      CAPTURE(location);
      const std::string error = error_with(folder.path() / "inner", entry("location", location));
      CHECK(error.find("initialiser 'W': external data") != std::string::npos);
      CHECK(error.find(location == "w.bin" ? "outside of the model's folder" : "expected a relative path") !=
            std::string::npos);
    }
  }

  TEST_CASE("data that is not there is an error") {
    struct Row {
      std::string entries;
      const char* message;
    };
    const TemporaryFolder folder;
    write_text(folder.path() / "w.bin", numbers(1));
    const std::string at = entry("location", "w.bin");
    for (const Row& row : {
             Row{entry("location", "lost.bin"), "external data 'lost.bin' is missing in "},
             Row{at + entry("offset", "1"), "w.bin: offset 1 + 2048 bytes is past the end of the file (2048 bytes)"},
             Row{at + entry("offset", "9223372036854775807"), "is past the end of the file"},
             Row{at + entry("offset", "-4"), "external data has the offset '-4', expected a number of bytes"},
             Row{at + entry("length", "4x"), "external data has the length '4x', expected a number of bytes"},
             Row{at + entry("length", "1024"), "1024 bytes of data, expected 2048 for f32 [512]"},
             Row{entry("offset", "0"), "external data is at '', expected a relative path"},
         }) {
      CAPTURE(row.entries);
      CHECK(error_with(folder.path(), row.entries).find(row.message) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace terse::onnx
