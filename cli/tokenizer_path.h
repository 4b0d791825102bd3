#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "cli/command.h"

namespace terse::cli {

/// Where the tokenizer of a model lies: what --tokenizer says; else the model, if it is a folder or itself a
/// tokenizer's file; else the folder of the model. Error input if there is none, saying where one was looked for.
std::filesystem::path tokenizer_of(const std::string& model, const GlobalOptions& options);

/// The same for data files: empty if none of them is text. Error usage if --tokenizer is given for nothing.
std::filesystem::path find_tokenizer_for(const std::vector<std::string>& files, const std::string& model,
                                         const GlobalOptions& options);

}  // namespace terse::cli
