#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "passes/pipeline.h"

namespace terse::passes {

// A file that says what single weights become, a line each, '#' starts a comment:
//
//   linears      Q4_K
//   v+down@0-3   Q6_K
//   lm_head*     keep
//
// In front stand weights, as only= takes them; behind them an encoding: a GGUF type (Q4_K), f16, bf16, f32, keep, or
// the options of quantize (bits=4,block=32) or cluster (centroids=16,group=row). Later lines win. What no line names
// becomes what the passes of recipe and command line make of it.

/// One line of the file.
struct EncodingLine {
  int number = 0;
  std::string weights;
  std::optional<PassCall> call;  ///< gives the encoding, selects nothing yet; nullopt: keep
};

/// Error usage, naming the line, for what the grammar does not know; lists the encodings.
std::vector<EncodingLine> parse_encodings(std::string_view text);

/// Makes the lines passes of the pipeline: each of its passes leaves out (except=) the weights that later lines name,
/// and passes for the lines' encodings follow. Masks stay as they are.
/// Errors: Kind::usage, naming the line, if one matches no weight of the graph.
void add_encodings(const std::vector<EncodingLine>& lines, const Graph& graph, Pipeline& pipeline);

/// What a line says that gives such a weight the encoding of `text` ("Q4_K", "bits=4,block=32"); nullopt: keep. Error
/// usage.
std::optional<PassCall> parse_encoding(std::string_view text);

/// A word that selects a weight of this display name: '?' for characters that mean something.
std::string word_for(std::string_view weight);

/// The file that makes `planned` of `original` again: a line a matrix, `keep` where both have the same numbers.
std::string encodings_text(const Graph& original, const Graph& planned);

}  // namespace terse::passes
