#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/table.h"
#include "formats/model.h"
#include "passes/pass.h"
#include "passes/selection.h"

namespace terse::cli {
namespace {

std::string options_text(std::span<const passes::OptionRow> options) {
  Table table({"  option", "default", "values", ""});
  for (const passes::OptionRow& option : options) {
    table.add({"  " + std::string(option.name), std::string(option.fallback), std::string(option.values),
               std::string(option.help)});
  }
  return table.empty() ? "" : table.text();
}

std::string pass_text(const passes::PassRow& pass) {
  std::string text = fmt::format("{}  ({})  {}\n", pass.name, passes::name(pass.stage), pass.summary);
  text += options_text(pass.options);
  if (!pass.selects.empty()) {
    text += fmt::format("  selects {} unless told otherwise\n", pass.selects);
  }
  return text + "\n";
}

std::string groups_text() {
  Table table({"group", ""});
  for (const passes::GroupRow& group : passes::groups()) {
    table.add({std::string(group.name), std::string(group.summary)});
  }
  return table.text();
}

std::string formats_text() {
  Table table({"target", "holds"});
  for (const FormatRow& format : formats()) {
    table.add({std::string(format.name), std::string(format.encodings)});
  }
  return table.text();
}

ExitCode run() {
  std::string text;
  for (const passes::PassRow* pass : passes::passes()) {
    text += pass_text(*pass);
  }
  text += "every pass that selects weights\n" + options_text(passes::selection_options()) + "\n";
  text += groups_text() + "\n";
  print(text + formats_text());
  return kDone;
}

}  // namespace

Action setup_passes(Arguments&) {
  return [](const Context&) { return run(); };
}

}  // namespace terse::cli
