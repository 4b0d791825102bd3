#include "formats/vocabulary.h"

#include <algorithm>
#include <array>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/reader.h"
#include "formats/gguf/tokenizer_reader.h"
#include "formats/sentencepiece.h"
#include "formats/tokenizer_config.h"
#include "formats/tokenizer_json.h"
#include "formats/vocab_json.h"
#include "formats/vocab_txt.h"

namespace terse {
namespace {

void check_id(const Vocabulary& vocabulary, int32_t id, std::string_view use) {
  const auto added = [&] {
    return std::ranges::find(vocabulary.added, id, &Vocabulary::AddedToken::id) != vocabulary.added.end();
  };
  if (id < 0 || (static_cast<size_t>(id) >= vocabulary.tokens.size() && !added())) {
    throw Error(Kind::input, "the {} has id {}, which no token has ({} tokens)", use, id, vocabulary.tokens.size());
  }
}

Vocabulary read_json_file(const std::filesystem::path& path) { return read_tokenizer_json(read_text(path)); }

std::optional<TokenizerConfig> config_beside(const std::filesystem::path& path) {
  const std::filesystem::path file = path.parent_path() / "tokenizer_config.json";
  if (!std::filesystem::exists(file)) {
    return std::nullopt;
  }
  return with_context(file.filename().string(), [&] { return read_tokenizer_config(read_text(file)); });
}

Vocabulary read_model_file(const std::filesystem::path& path) {
  Vocabulary out = read_sentencepiece(MappedFile::open(path)->bytes());
  if (const auto config = config_beside(path)) {
    add_special_tokens(*config, out);
  }
  return out;
}

Vocabulary read_text_file(const std::filesystem::path& path) {
  const auto config = config_beside(path);
  return read_vocab_txt(read_text(path), config ? config->bert : normalizers::Bert{});
}

Vocabulary read_vocab_json_file(const std::filesystem::path& path) {
  const std::filesystem::path merges = path.parent_path() / "merges.txt";
  const std::filesystem::path config = path.parent_path() / "tokenizer_config.json";
  return read_vocab_json(read_text(path), read_text(merges), std::filesystem::exists(config) ? read_text(config) : "");
}

/// One row a name; of a folder's files the first row's is read.
struct FileRow {
  std::string_view name;
  Vocabulary (*read)(const std::filesystem::path& path);
};

constexpr std::array<FileRow, 6> kFiles = {{
    {"tokenizer.json", read_json_file},
    {"tokenizer.model", read_model_file},
    {"spiece.model", read_model_file},
    {"sentencepiece.bpe.model", read_model_file},
    {"vocab.txt", read_text_file},
    {"vocab.json", read_vocab_json_file},
}};

const FileRow* find_row(const std::filesystem::path& path) {
  const auto* row = std::ranges::find(kFiles, path.filename().string(), &FileRow::name);
  if (row == kFiles.end()) {
    row = std::ranges::find_if(
        kFiles, [&](const FileRow& it) { return path.extension() == std::filesystem::path(it.name).extension(); });
  }
  return row == kFiles.end() ? nullptr : &*row;
}

const FileRow* find_row_in(const std::filesystem::path& folder) {
  const auto* row =
      std::ranges::find_if(kFiles, [&](const FileRow& it) { return std::filesystem::exists(folder / it.name); });
  return row == kFiles.end() ? nullptr : &*row;
}

std::filesystem::path file_in(const std::filesystem::path& folder) {
  const FileRow* row = find_row_in(folder);
  if (row == nullptr) {
    throw Error(Kind::input, "{}: the folder has no tokenizer, expected one of {}", folder.string(),
                tokenizer_file_names());
  }
  return folder / row->name;
}

bool is_gguf(const std::filesystem::path& path) { return path.extension() == ".gguf"; }

}  // namespace

Vocabulary read_vocabulary(const std::filesystem::path& path) {
  if (is_gguf(path)) {
    const gguf::File file = gguf::read(path);
    return with_context(path.string(), [&] { return gguf::read_tokenizer(file.metadata); });
  }
  const std::filesystem::path file = std::filesystem::is_directory(path) ? file_in(path) : path;
  const FileRow* row = find_row(file);
  if (row == nullptr) {
    throw Error(Kind::usage, "{}: no tokenizer's file, expected one of {}", file.string(), tokenizer_file_names());
  }
  return with_context(file.string(), [&] { return row->read(file); });
}

bool has_tokenizer(const std::filesystem::path& folder) { return find_row_in(folder) != nullptr; }

std::string tokenizer_file_names() {
  std::string names;
  for (const FileRow& row : kFiles) {
    names.append(names.empty() ? "" : ", ").append(row.name);
  }
  return names;
}

bool is_tokenizer_file(const std::filesystem::path& path) {
  return is_gguf(path) ? gguf::has_tokenizer(gguf::read(path).metadata) : find_row(path) != nullptr;
}

void validate(const Vocabulary& vocabulary) {
  for (const int32_t id : vocabulary.prefix) {
    check_id(vocabulary, id, "special token in front of a text");
  }
  for (const int32_t id : vocabulary.suffix) {
    check_id(vocabulary, id, "special token behind a text");
  }
  if (vocabulary.unknown) {
    check_id(vocabulary, *vocabulary.unknown, "unknown token");
  }
  for (const Vocabulary::Merge& merge : vocabulary.merges) {
    check_id(vocabulary, std::max({merge.left, merge.right, merge.merged}), "merge");
    check_id(vocabulary, std::min({merge.left, merge.right, merge.merged}), "merge");
  }
}

}  // namespace terse
