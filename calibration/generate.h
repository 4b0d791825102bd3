#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "calibration/executor.h"

namespace terse::calibration {

struct GenerateOptions {
  int64_t tokens = 64;                  ///< at most so many
  std::span<const int64_t> end_tokens;  ///< ids that end the text
  std::function<void(int64_t)> token;   ///< told of every token but those as it comes; may be empty
};

/// What a language model writes after `prompt`, each token the most likely one (greedy decoding). The prompt is a
/// sample of one sequence; its decoder_input_ids grow if it has them, else its input_ids.
/// Errors: those of Executor; usage if the model is no language model, or has fewer learned positions than tokens are
/// asked for.
/// Cost: every token runs all tokens before it again, so a text costs the square of its length.
std::vector<int64_t> generate(const Model& model, const Sample& prompt, const GenerateOptions& options);

}  // namespace terse::calibration
