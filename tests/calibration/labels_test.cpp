#include "calibration/labels.h"

#include <doctest/doctest.h>

#include "formats/bytes.h"
#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

struct Folder : TemporaryFolder {
  Folder() {
    model.path = path() / "model.onnx";
    write_text(path() / "config.json", R"({"id2label": {"0": "bad", "1": "so so", "2": "good"}})");
  }

  std::vector<int64_t> read(std::string_view lines) const {
    write_text(path() / "labels.txt", lines);
    return read_labels(model, path() / "labels.txt");
  }

  Model model;
};

TEST_SUITE("calibration/labels") {
  TEST_CASE("a line is a class, as a number or by its name") {
    CHECK(Folder().read("2\n\n good \r\nso so\n0") == std::vector<int64_t>{2, 2, 1, 0});
    CHECK(Folder().read("").empty());
  }

  TEST_CASE("what is no class is an error that names the line and the classes") {
    const Folder folder;
    const std::string file = (folder.path() / "labels.txt").string();
    CHECK_THROWS_WITH_AS(
        folder.read("1\nnice\n"),
        (file +
         ": line 2: 'nice' is no class, expected a whole number or one of config.json's labels: bad, good, so so")
            .c_str(),
        Error);
    CHECK_THROWS_AS(folder.read("-1"), Error);
    std::filesystem::remove(folder.path() / "config.json");
    CHECK_THROWS_WITH_AS(folder.read("good"), (file + ": line 1: 'good' is no class, expected a whole number").c_str(),
                         Error);
  }
}

}  // namespace
}  // namespace terse::calibration
