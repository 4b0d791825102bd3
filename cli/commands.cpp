#include "cli/commands.h"

#include <array>

namespace terse::cli {

std::span<const CommandRow> commands() {
  static constexpr std::array kCommands = {
      CommandRow{"inspect", "what a model file holds: inputs, outputs, weights, roles, encodings", ReadsText::no,
                 setup_inspect},
      CommandRow{"compress", "runs a pipeline of passes over a model and writes the compact result", ReadsText::yes,
                 setup_compress},
      CommandRow{"measure", "how large the inputs of weights are on data: a file for compress --stats", ReadsText::yes,
                 setup_measure},
      CommandRow{"convert", "writes a model in another format or element type", ReadsText::no, setup_convert},
      CommandRow{"run", "runs a model on arrays, or lets it continue a text", ReadsText::yes, setup_run},
      CommandRow{"eval", "measures a model on data, alone or against a reference", ReadsText::yes, setup_eval},
      CommandRow{"compare", "puts the figures of reports side by side", ReadsText::no, setup_compare},
      CommandRow{"check", "holds a report against gates; exit code 3 if one fails", ReadsText::no, setup_check},
      CommandRow{"tokenize", "the token ids of a text, as the model was trained on", ReadsText::yes, setup_tokenize},
      CommandRow{"passes", "the passes with every option, and what each target holds", ReadsText::no, setup_passes},
      CommandRow{"recipes", "ready-made pipelines", ReadsText::no, setup_recipes},
  };
  return kCommands;
}

}  // namespace terse::cli
