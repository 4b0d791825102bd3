#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace terse {

/// How the vectors of a text's tokens, padding excluded, become one.
enum class Pooling {
  mean,
  mean_sqrt_length,  ///< the sum over the root of the number of tokens
  weighted_mean,     ///< the n-th token counts n times
  max,               ///< of each number
  first,             ///< the vector of [CLS]
  last,
};

std::string_view name(Pooling pooling);

/// What sentence-transformers does behind a model, as `modules.json` and the `1_Pooling/config.json` that it names say.
struct SentencePooling {
  std::vector<Pooling> modes = {Pooling::mean};  ///< at least one; the vectors are put behind each other
  bool is_normalized = false;                    ///< to length 1, which no cosine sees
  std::vector<std::string> not_computed;         ///< kinds of modules behind these: "Dense"
};

/// Read in the first of the folders that has a `modules.json`; nothing if none has.
/// Errors: io; input, with the file's name, for what is broken, or a pooling that terse does not know.
std::optional<SentencePooling> find_sentence_pooling(std::span<const std::filesystem::path> folders);

}  // namespace terse
