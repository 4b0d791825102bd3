#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"
#include "formats/model.h"
#include "passes/encodings_file.h"
#include "passes/pipeline.h"

namespace terse::cli {

/// Which passes a command is told to run: a recipe, then single passes, then what a file says of single weights.
struct PipelineChoice {
  std::string recipe;
  std::vector<std::string> passes;
  std::string encodings;  ///< a file
};

void declare_pipeline(Arguments& arguments, PipelineChoice& choice);

/// A choice as text that is understood, before a model is open.
struct ChosenPipeline {
  passes::Pipeline pipeline;
  std::vector<passes::EncodingLine> encodings;
  std::string encodings_path;

  /// The pipeline for this graph's weights. Error usage if a line of the encodings matches none.
  passes::Pipeline for_graph(const Graph& graph) const;
};

/// Errors: usage, with file and line, for what no pipeline is; io.
ChosenPipeline read_pipeline(const PipelineChoice& choice, const FormatRow& format);

/// Error usage if nothing is chosen.
void check_not_empty(const PipelineChoice& choice);

}  // namespace terse::cli
