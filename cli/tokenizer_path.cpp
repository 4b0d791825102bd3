#include "cli/tokenizer_path.h"

#include <algorithm>

#include "formats/documents.h"
#include "formats/error.h"
#include "formats/vocabulary.h"

namespace terse::cli {

std::filesystem::path tokenizer_of(const std::string& model, const GlobalOptions& options) {
  if (!options.tokenizer.empty()) {
    return options.tokenizer;
  }
  std::filesystem::path path(model);
  if (is_tokenizer_file(path)) {
    return path;
  }
  std::filesystem::path folder = std::filesystem::is_directory(path) ? path
                                 : path.has_parent_path()            ? path.parent_path()
                                                                     : std::filesystem::path(".");
  if (!has_tokenizer(folder) && folder.filename() == "onnx") {  // as repositories of sentence-transformers have it
    folder /= "..";
  }
  if (!has_tokenizer(folder)) {
    throw Error(Kind::input, "{}: no tokenizer in the folder {} ({}), give one with --tokenizer DIR", model,
                folder.string(), tokenizer_file_names());
  }
  return folder;
}

std::filesystem::path find_tokenizer_for(const std::vector<std::string>& files, const std::string& model,
                                         const GlobalOptions& options) {
  if (std::ranges::any_of(files, [](const std::string& file) { return is_text_file(file); })) {
    return tokenizer_of(model, options);
  }
  if (!options.tokenizer.empty()) {
    throw Error(Kind::usage, "--tokenizer has no use here: none of the data is text (.txt, .jsonl)");
  }
  return {};
}

}  // namespace terse::cli
