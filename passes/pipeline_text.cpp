#include <algorithm>

#include "formats/error.h"
#include "passes/pipeline.h"
#include "passes/projection.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

std::vector<const OptionRow*> all_options(const PassRow& pass) {
  std::vector<const OptionRow*> rows;
  for (const OptionRow& row : pass.options) {
    rows.push_back(&row);
  }
  if (!pass.selects.empty()) {
    for (const OptionRow& row : selection_options()) {
      rows.push_back(&row);
    }
  }
  return rows;
}

const OptionRow& get_option(const PassRow& pass, std::string_view option) {
  if (const OptionRow* row = find_option(pass, option)) {
    return *row;
  }
  std::vector<std::string_view> names;
  for (const OptionRow* row : all_options(pass)) {
    names.push_back(row->name);
  }
  if (names.empty()) {
    throw Error(Kind::usage, "pass {} has no options, found '{}'", pass.name, option);
  }
  throw Error(Kind::usage, "pass {} has no option '{}'{}", pass.name, option, suggestion(option, names));
}

void check_value(const PassRow& pass, const OptionRow& option, std::string_view value) {
  if (!accepts(option.values, value)) {
    throw Error(Kind::usage, "pass {}: {}={} is not one of {}{}", pass.name, option.name, value, option.values,
                suggestion(value, split(option.values, '|')));
  }
}

/// "key=value" into the call.
void parse_option(const PassRow& pass, std::string_view text, PassCall& call) {
  const size_t equals = text.find('=');
  const std::string_view key = trim(text.substr(0, equals));
  const OptionRow& option = get_option(pass, key);
  if (equals == std::string_view::npos) {
    throw Error(Kind::usage, "pass {}: '{}' has no value, expected {}={}", pass.name, key, key, option.values);
  }
  if (call.find(key)) {
    throw Error(Kind::usage, "pass {}: option {} is given twice", pass.name, key);
  }
  const std::string_view value = trim(text.substr(equals + 1));
  check_value(pass, option, value);
  call.options.emplace_back(key, value);
}

/// Options that are right one by one may contradict each other: the pass itself knows.
void check_together(const PassRow& pass, const PassCall& call) {
  if (pass.project != nullptr) {
    pass.project(Arguments(pass, call));
  }
}

void sort_options(const PassRow& pass, PassCall& call) {
  const auto rows = all_options(pass);
  const auto place = [&](const auto& option) {
    return std::find_if(rows.begin(), rows.end(), [&](const OptionRow* row) { return row->name == option.first; });
  };
  std::sort(call.options.begin(), call.options.end(),
            [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

}  // namespace

PassCall parse_pass(std::string_view text) {
  const auto pieces = split(text, ',');
  if (pieces.empty() || trim(pieces[0]).empty()) {
    throw Error(Kind::usage, "'{}' names no pass, expected name,key=value,...", text);
  }
  const PassRow& pass = get_pass(trim(pieces[0]));
  PassCall call{.name = std::string(pass.name), .options = {}};
  for (size_t i = 1; i < pieces.size(); ++i) {
    parse_option(pass, pieces[i], call);
  }
  sort_options(pass, call);
  check_together(get_pass(call), call);
  return call;
}

Pipeline parse_recipe(std::string_view text) {
  Pipeline pipeline;
  int line_number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++line_number;
    const std::string_view pass = trim(line.substr(0, line.find('#')));
    if (!pass.empty()) {
      with_context(fmt::format("line {}", line_number), [&] { pipeline.calls.push_back(parse_pass(pass)); });
    }
  }
  return pipeline;
}

std::string to_string(const PassCall& call) {
  std::string text = call.name;
  for (const auto& [key, value] : call.options) {
    text += fmt::format(",{}={}", key, value);
  }
  return text;
}

std::string to_string(const Pipeline& pipeline) {
  std::string text;
  for (const PassCall& call : pipeline.calls) {
    text += to_string(call) + '\n';
  }
  return text;
}

}  // namespace terse::passes
