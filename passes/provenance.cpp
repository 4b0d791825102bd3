#include <algorithm>
#include <array>
#include <string_view>

#include "passes/pass_rows.h"
#include "passes/simplify.h"

namespace terse::passes {
namespace {

/// Parts of the keys under which exporters keep stack traces and the code that they traced.
constexpr std::array<std::string_view, 3> kTraceKeys = {"stack_trace", "fx_node", "source_location"};

/// True if a text names a source file: "/usr/lib/torch/nn/functional.py(2051)", or a line of a stack trace.
bool names_source(std::string_view text) {
  return text.find(".py\"") != std::string_view::npos || text.find(".py(") != std::string_view::npos ||
         text.find(".py:") != std::string_view::npos || text.find("File \"") != std::string_view::npos ||
         text.ends_with(".py");
}

using Metadata = std::vector<std::pair<std::string, std::string>>;

void clean(Metadata& metadata) {
  std::erase_if(metadata, [](const auto& entry) {
    const bool is_trace = std::any_of(kTraceKeys.begin(), kTraceKeys.end(),
                                      [&](std::string_view key) { return entry.first.find(key) != std::string::npos; });
    return is_trace || names_source(entry.second);
  });
}

void clean(std::string& doc) {
  if (names_source(doc)) {
    doc.clear();
  }
}

}  // namespace

void drop_provenance(Model& model) {
  clean(model.metadata);
  clean(model.doc);
  for (Value& value : model.graph.values) {
    clean(value.metadata);
    clean(value.doc);
  }
  for_each_block(model.graph.main, [](Block& block) {
    clean(block.metadata);
    clean(block.doc);
    for (Node& node : block.nodes) {
      clean(node.metadata);
      clean(node.doc);
    }
  });
}

constinit const PassRow kDropProvenance = {
    .name = "drop-provenance",
    .summary = "drops what exporters write about the machine they ran on: stack traces, traced code",
    .stage = Stage::rewrite,
    .rewrite = [](Model& model, const Arguments&) { drop_provenance(model); },
};

}  // namespace terse::passes
