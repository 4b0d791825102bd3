#include "formats/shards.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "formats/safetensors/reader.h"
#include "tests/formats/safetensors/files.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

namespace fs = std::filesystem;

void write_shard(const fs::path& path, const std::string& tensor) {
  write_text(
      path,
      safetensors_bytes(
          fmt::format(R"({{"__metadata__":{{"of":"{0}"}},"{0}":{{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}}})",
                      tensor),
          tensor));
}

std::string index_text(const std::string& weight_map) {
  return fmt::format(R"({{"metadata":{{"total_size":2}},"weight_map":{}}})", weight_map);
}

const std::string kBoth = R"({"a":"1.safetensors","b":"2.safetensors"})";

/// A folder with two shards and the index `text`.
struct Checkpoint {
  explicit Checkpoint(const std::string& text) {
    write_shard(folder.path() / "1.safetensors", "a");
    write_shard(folder.path() / "2.safetensors", "b");
    write_text(index, text);
  }
  TemporaryFolder folder;
  fs::path index = folder.path() / "model.safetensors.index.json";
};

TEST_SUITE("formats/shards") {
  TEST_CASE("the tensors of all shards become one set") {
    const Checkpoint checkpoint(index_text(kBoth));
    const NamedTensors all = safetensors::read_sharded(checkpoint.index);
    CHECK(static_cast<char>(all.tensors.at("a").bytes()[0]) == 'a');
    CHECK(static_cast<char>(all.tensors.at("b").bytes()[0]) == 'b');
    CHECK(all.files.size() == 2);
    CHECK(all.metadata.at("of") == "a");
    CHECK(all.file_bytes == static_cast<int64_t>(fs::file_size(checkpoint.folder.path() / "1.safetensors") * 2));
  }

  TEST_CASE("shards are found when the folder is made of links, as Hugging Face's cache is") {
    const Checkpoint checkpoint(index_text(kBoth));
    fs::create_directory(checkpoint.folder.path() / "snapshot");
    for (const char* name : {"1.safetensors", "2.safetensors", "model.safetensors.index.json"}) {
      fs::create_symlink(fs::path("..") / name, checkpoint.folder.path() / "snapshot" / name);
    }
    CHECK(read_weights(checkpoint.folder.path() / "snapshot").tensors.size() == 2);
  }

  TEST_CASE("an index that its shards contradict is refused by names") {
    struct Row {
      std::string weight_map;
      const char* message;
    };
    for (const Row& row : {
             Row{R"({"a":"1.safetensors","b":"3.safetensors"})", "shard '3.safetensors' is missing in "},
             Row{R"({"a":"1.safetensors","b":"../2.safetensors"})",
                 "shard is at '../2.safetensors', expected a relative"},
             Row{R"({"a":"/etc/passwd"})", "shard is at '/etc/passwd'"},
             Row{R"({"a":"1.safetensors","c":"1.safetensors"})", "tensor 'c' is missing in shard '1.safetensors'"},
             Row{R"({"a":"2.safetensors"})", "tensor 'a' is missing in shard '2.safetensors'"},
             Row{R"({"a":"1.safetensors","b":"2.safetensors","b":"1.safetensors"})", "'b' occurs twice"},
             Row{R"({"a":3})", "weight_map.a: found a number, expected a string"},
             Row{R"({})", "weight_map is empty"},
             Row{R"([])", "weight_map: found an array"},
             Row{R"(null)", "'weight_map' is missing"},
         }) {
      CAPTURE(row.weight_map);
      const Checkpoint checkpoint(index_text(row.weight_map));
      CHECK_THROWS_WITH_AS(safetensors::read_sharded(checkpoint.index), doctest::Contains(row.message), Error);
      CHECK_THROWS_WITH_AS(safetensors::read_sharded(checkpoint.index), doctest::Contains("index.json: "), Error);
    }
  }

  TEST_CASE("a tensor that only a shard knows is refused by name") {
    const Checkpoint checkpoint(index_text(R"({"a":"1.safetensors"})"));
    write_text(
        checkpoint.folder.path() / "1.safetensors",
        safetensors_bytes(
            R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"z":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
            "12"));
    CHECK_THROWS_WITH_AS(safetensors::read_sharded(checkpoint.index),
                         doctest::Contains("shard '1.safetensors' holds tensor 'z', which the index does not list"),
                         Error);
  }
}

}  // namespace
}  // namespace terse
