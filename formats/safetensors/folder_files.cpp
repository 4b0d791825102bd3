#include "formats/safetensors/folder_files.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/gguf/tokenizer_reader.h"

namespace terse::safetensors {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 21> kNames = {
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
    "config_sentence_transformers.json",
    "generation_config.json",
    "merges.txt",
    "modules.json",
    "preprocessor_config.json",
    "sentence_bert_config.json",
    "sentencepiece.bpe.model",
    "source.spm",
    "special_tokens_map.json",
    "spiece.model",
    "target.spm",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "USE_POLICY.md",
    "vocab.json",
    "vocab.txt",
    "vocab.spm",
};
constexpr std::array<std::string_view, 3> kBeginnings = {"LICENSE", "LICENCE", "NOTICE"};

bool is_kept(const std::string& name) {
  return std::ranges::find(kNames, name) != kNames.end() ||
         std::ranges::any_of(kBeginnings, [&](std::string_view beginning) { return name.starts_with(beginning); });
}

/// "1_Pooling": a module of sentence-transformers.
bool is_module_folder(const std::string& name) {
  const size_t digits = name.find_first_not_of("0123456789");
  return digits != std::string::npos && digits > 0 && name[digits] == '_';
}

bool is_template_folder(const std::string& name) {
  return name == "chat_templates" || name == "additional_chat_templates";
}

/// True if a checkpoint that terse writes may have a file or folder of this name.
bool is_ours(const std::string& name) {
  const bool is_weights =
      name.starts_with("model") && (name.ends_with(".safetensors") || name.ends_with(".index.json"));
  return is_weights || name == "config.json" || name == "README.md" || is_kept(name) || is_module_folder(name) ||
         is_template_folder(name);
}

void add(std::vector<FolderFile>& files, const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  if (fs::is_regular_file(folder / name, ignored)) {  // through links, of which Hugging Face's cache is made
    files.push_back({.name = name, .source = folder / name, .text = {}});
  }
}

}  // namespace

int64_t FolderFile::bytes() const {
  return source.empty() ? std::ssize(text) : static_cast<int64_t>(fs::file_size(source));
}

std::vector<FolderFile> files_to_copy(const fs::path& folder) {
  std::vector<FolderFile> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (is_kept(name)) {
      add(files, folder, name);
    } else if (is_module_folder(name)) {
      add(files, folder, name + "/config.json");
    } else if (is_template_folder(name)) {
      for (const auto& chat : fs::directory_iterator(entry.path())) {
        add(files, folder, name + "/" + chat.path().filename().string());
      }
    }
  }
  std::ranges::sort(files, {}, &FolderFile::name);
  return files;
}

std::vector<FolderFile> files_beside(const Checkpoint& checkpoint) {
  if (checkpoint.metadata == nullptr || !gguf::has_tokenizer(*checkpoint.metadata)) {
    return checkpoint.folder.empty() ? std::vector<FolderFile>() : files_to_copy(checkpoint.folder);
  }
  std::vector<FolderFile> files;
  for (gguf::TextFile& file : gguf::tokenizer_files(*checkpoint.metadata)) {
    files.push_back({.name = std::move(file.name), .source = {}, .text = std::move(file.text)});
  }
  return files;
}

void write_file(const FolderFile& file, const fs::path& folder) {
  fs::create_directories((folder / file.name).parent_path());
  AtomicFile out(folder / file.name);
  if (file.source.empty()) {
    out.write(file.text);
  } else {
    out.write(MappedFile::open(file.source)->bytes());
  }
  out.commit();
}

void check_replaceable(const fs::path& folder) {
  const fs::directory_iterator entries(folder);
  if (entries == fs::directory_iterator()) {
    return;
  }
  if (!fs::exists(folder / "config.json")) {
    throw Error(Kind::usage, "{}: has no config.json, so it is no checkpoint that may be replaced: remove it first",
                folder.string());
  }
  for (const auto& entry : entries) {
    if (const std::string name = entry.path().filename().string(); !is_ours(name)) {
      throw Error(Kind::usage, "{}: has {}, which a new checkpoint would not have: remove the folder first",
                  folder.string(), name);
    }
  }
}

}  // namespace terse::safetensors
