#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/facts.h"
#include "cli/report.h"
#include "cli/table.h"
#include "cli/units.h"
#include "passes/text.h"

namespace terse::cli {
namespace {

struct InspectOptions {
  std::string model;
  bool tensors = false;
  bool json = false;
};

std::string ports_text(const std::vector<PortFact>& ports) {
  std::vector<std::string> texts;
  texts.reserve(ports.size());
  for (const PortFact& port : ports) {
    texts.push_back(fmt::format("{} {} {}", port.name, port.dtype, port.shape));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string opsets_text(const ModelFacts& facts) {
  std::vector<std::string> texts;
  texts.reserve(facts.opsets.size());
  for (const auto& [domain, version] : facts.opsets) {
    texts.push_back(fmt::format("{}{}{}", domain, domain.empty() ? "" : " ", version));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

std::string tally_text(std::string heading, const std::vector<Tally>& tallies) {
  Table table({std::move(heading), ">weights", ">parameters", ">bytes"});
  for (const Tally& tally : tallies) {
    table.add({tally.name, format_count(tally.weights), format_count(tally.parameters), format_count(tally.bytes)});
  }
  return "\n" + table.text();
}

std::string tied_text(const ModelFacts& facts) {
  std::string text;
  for (const WeightFact& weight : facts.weights) {
    if (weight.roles.size() > 1) {
      text +=
          fmt::format("\ntied        {} has {} uses: {}", weight.name, weight.roles.size(), role_names(weight.roles));
    }
  }
  return text.empty() ? text : text + "\n";
}

std::string overview(const ModelFacts& facts) {
  std::string text = fmt::format("model       {}\n", facts.path);
  text += fmt::format("format      {}, IR {}, opset {}", facts.format, facts.ir_version, opsets_text(facts));
  text += facts.producer.empty() ? "\n" : fmt::format(", by {}\n", facts.producer);
  text += fmt::format("size        {} ({} bytes)\n", format_size(facts.file_bytes), format_count(facts.file_bytes));
  text += fmt::format("parameters  {} in {} weights, {} layers\n", format_count(facts.parameters()),
                      facts.weights.size(), facts.layers());
  text += fmt::format("inputs      {}\n", ports_text(facts.inputs));
  text += fmt::format("outputs     {}\n", ports_text(facts.outputs));
  for (const auto& [key, value] : facts.metadata) {
    if (key.starts_with("terse.")) {
      const auto lines = passes::split(passes::trim(value), '\n');
      text += fmt::format("{:<11} {}\n", key.substr(6), fmt::join(lines, "; "));
    }
  }
  return text + tally_text("encoding", facts.by_encoding()) + tally_text("role", facts.by_role()) + tied_text(facts);
}

std::string tensors_text(const ModelFacts& facts) {
  Table table({"weight", "role", ">layer", "shape", "encoding", ">bytes"});
  for (const WeightFact& weight : facts.weights) {
    table.add({weight.name, role_names(weight.roles), weight.layer() < 0 ? "" : std::to_string(weight.layer()),
               to_string(weight.shape), weight.encoding, format_count(weight.bytes)});
  }
  return table.text();
}

ExitCode run(const InspectOptions& options) {
  const ModelFacts facts = facts_of(open_model(options.model));
  if (options.json) {
    Json json = begin_report("inspect");
    json["model"] = to_json(facts);
    if (!options.tensors) {
      json["model"].erase("weights");
    }
    print(dump(json));
  } else {
    print(options.tensors ? tensors_text(facts) : overview(facts));
  }
  return kDone;
}

}  // namespace

Action setup_inspect(Arguments& arguments) {
  const auto options = std::make_shared<InspectOptions>();
  arguments.positional("MODEL", options->model, "the model to look at");
  arguments.flag("--tensors", options->tensors, "a line a weight");
  arguments.flag("--json", options->json, "one JSON document; with --tensors every weight too");
  return [options](const Context&) { return run(*options); };
}

}  // namespace terse::cli
