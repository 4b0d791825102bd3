// tokenizer_copy FOLDER OUT.gguf ROWS   the tokenizer of a checkpoint folder as a GGUF file without tensors
// tokenizer_copy IN.gguf FOLDER         the tokenizer of a GGUF file as files of a checkpoint folder

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/reader.h"
#include "formats/gguf/tokenizer_reader.h"
#include "formats/gguf/tokenizer_writer.h"
#include "formats/gguf/writer.h"

namespace {

using terse::gguf::Metadata;

void write_file(const std::filesystem::path& folder, const std::filesystem::path& out, int64_t rows) {
  Metadata metadata;
  metadata.set("general.architecture", std::string("llama"));
  metadata.set("general.name", folder.filename().string());
  for (const char* key : {"block_count", "context_length", "embedding_length", "feed_forward_length",
                          "attention.head_count"}) {  // which llama.cpp wants to see
    metadata.set(fmt::format("llama.{}", key), uint32_t{64});
  }
  metadata.set("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  const bool has_config = std::filesystem::exists(folder / "config.json");
  const nlohmann::json config =
      has_config ? terse::parse_json(terse::read_text(folder / "config.json")) : nlohmann::json::object();
  for (const std::string& note : terse::gguf::write_tokenizer(folder, terse::JsonField(config, ""), rows, metadata)) {
    fmt::print("{}\n", note);
  }
  terse::gguf::write(metadata, {}, out);
}

void write_folder(const std::filesystem::path& path, const std::filesystem::path& folder) {
  for (const terse::gguf::TextFile& file : terse::gguf::tokenizer_files(terse::gguf::read(path).metadata)) {
    std::ofstream(folder / file.name, std::ios::binary) << file.text;
  }
}

}  // namespace

int main(int count, char** arguments) try {
  if (count == 4) {
    write_file(arguments[1], arguments[2], std::stoll(arguments[3]));
  } else if (count == 3) {
    write_folder(arguments[1], arguments[2]);
  } else {
    return 2;
  }
  return 0;
} catch (const std::exception& error) {
  fmt::print(stderr, "{}\n", error.what());
  return 1;
}
