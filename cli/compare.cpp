#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/figures.h"
#include "cli/interrupts.h"
#include "cli/table.h"
#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

struct CompareOptions {
  std::vector<std::string> reports;
  std::string output;
};

struct Column {
  std::string path;
  Json report;
};

std::string title(const Column& column) {
  const std::string stem = std::filesystem::path(column.path).stem().string();
  return stem.empty() ? column.path : stem;
}

/// A row a figure that at least one report has, a column a report.
Table compare_table(const std::vector<Column>& columns) {
  std::vector<std::string> headings = {"figure"};
  for (const Column& column : columns) {
    headings.push_back(">" + title(column));
  }
  Table table(std::move(headings));
  for (const FigureRow& figure : figures()) {
    std::vector<std::string> cells = {std::string(figure.label)};
    bool known = false;
    for (const Column& column : columns) {
      const auto value = with_context(column.path, [&] { return find_figure(column.report, figure); });
      known |= value.has_value();
      cells.push_back(value ? format_figure(*value, figure.unit) : "");
    }
    if (known) {
      table.add(std::move(cells));
    }
  }
  return table;
}

Json compare_json(const std::vector<Column>& columns) {
  Json json = {{"schema", "terse.comparison/1"}, {"version", TERSE_VERSION}, {"reports", Json::array()}};
  for (const Column& column : columns) {
    Json entry = {{"path", column.path}, {"figures", Json::object()}};
    for (const FigureRow& figure : figures()) {
      if (with_context(column.path, [&] { return find_figure(column.report, figure); })) {
        const Json::json_pointer pointer{std::string(figure.pointer)};
        entry["figures"][std::string(figure.name)] = column.report.at(pointer);
      }
    }
    json["reports"].push_back(std::move(entry));
  }
  return json;
}

using Render = std::string (*)(const std::vector<Column>& columns);

struct OutputRow {
  std::string_view extension;
  Render render;
};

constexpr std::array kOutputs = {
    OutputRow{".md", [](const std::vector<Column>& columns) { return compare_table(columns).markdown(); }},
    OutputRow{".json", [](const std::vector<Column>& columns) { return dump(compare_json(columns)); }},
};

Render render_for(const std::string& output) {
  const std::string extension = std::filesystem::path(output).extension().string();
  for (const OutputRow& row : kOutputs) {
    if (row.extension == extension) {
      return row.render;
    }
  }
  throw Error(Kind::usage, "compare: {}: unknown extension '{}', expected .md or .json", output, extension);
}

ExitCode run(const CompareOptions& options, const Context& context) {
  const Render render = options.output.empty() ? nullptr : render_for(options.output);
  std::vector<Column> columns;
  columns.reserve(options.reports.size());
  for (const std::string& path : options.reports) {
    columns.push_back({path, read_report(path)});
  }
  if (render == nullptr) {
    print(compare_table(columns).text());
    return kDone;
  }
  context.interrupts.will_write(options.output);
  write_text(options.output, render(columns));
  return kDone;
}

}  // namespace

Action setup_compare(Arguments& arguments) {
  const auto options = std::make_shared<CompareOptions>();
  arguments.positionals("REPORT.json", options->reports, "reports of compress or eval, a column each");
  arguments.option("-o,--output", "OUT.md|OUT.json", options->output, "where to write it; else a table on the screen");
  return [options](const Context& context) { return run(*options, context); };
}

}  // namespace terse::cli
