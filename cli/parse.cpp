#include "cli/parse.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "formats/error.h"
#include "passes/text.h"

namespace terse::cli {
namespace {

constexpr const char* kEverywhere = "Everywhere";

/// CLI11's layout with our placeholders and nothing else behind an option's name.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() {
    column_width(34);
    label("SUBCOMMAND", "COMMAND");
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    return option->get_option_text().empty() ? "" : " " + option->get_option_text();
  }
};

void declare_global(CLI::App& app, GlobalOptions& options) {
  Arguments arguments(app);
  app.get_help_ptr()->group(kEverywhere);
  arguments.group(kEverywhere);
  arguments.option("--threads", "N", options.threads, "at most N threads; the results do not depend on it");
  arguments.flag("--quiet", options.quiet, "no messages and no progress, only results and errors");
  arguments.flag("--verbose", options.verbose, "more messages");
  arguments.option("--tokenizer", "DIR", options.tokenizer, "folder with the tokenizer, if it is not beside the model");
  arguments.choice("--isa", {"auto", "avx2", "avx512", "amx"}, options.isa,
                   "the instruction set to compute with; pins the last bits of results");
}

/// The names of `app`'s options as typed: "--force".
std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      names.push_back("--" + name);
    }
  }
  return names;
}

std::string suggest(std::string_view word, const std::vector<std::string>& names) {
  const std::vector<std::string_view> views(names.begin(), names.end());
  return passes::suggestion(word, views);
}

/// Whatever CLI11 could not place, as an error that helps.
Error unexpected_argument(const CLI::App& app, const std::string& word) {
  const auto selected = app.get_subcommands();
  if (selected.empty() && word.front() != '-') {
    std::vector<std::string> names;
    for (const CommandRow& row : commands()) {
      names.emplace_back(row.name);
    }
    return Error(Kind::usage, "unknown command '{}'{}", word, suggest(word, names));
  }
  const CLI::App& command = selected.empty() ? app : *selected.front();
  const std::string context = selected.empty() ? "" : command.get_name() + ": ";
  if (word.front() == '-') {
    const std::string name = word.substr(0, word.find('='));
    return Error(Kind::usage, "{}unknown option '{}'{}", context, name, suggest(name, option_names(command)));
  }
  return Error(Kind::usage, "{}unexpected argument '{}'", context, word);
}

Error usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto selected = app.get_subcommands();
  const std::string context = selected.empty() ? "" : selected.front()->get_name() + ": ";
  std::string message = error.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    const bool missing = message.find("missing") != std::string::npos;
    message = message.substr(0, message.find(':')) + (missing ? " needs a value" : " is given more than once");
  }
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) {
    message.pop_back();
  }
  return Error(Kind::usage, "{}{}, see 'terse {}--help'", context, message,
               selected.empty() ? "" : selected.front()->get_name() + " ");
}

/// Every option that takes a file or name refuses an empty one here, so that no command has to.
void check_words(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    if (*argv[i] == '\0') {
      throw Error(Kind::usage, "argument {} is empty", i);
    }
  }
}

/// Refused rather than ignored.
void check_tokenizer(const CommandRow& row, const GlobalOptions& options) {
  if (row.reads_text == ReadsText::no && !options.tokenizer.empty()) {
    throw Error(Kind::usage, "{}: --tokenizer has no use here, the command reads no text", row.name);
  }
}

}  // namespace

Parsed parse_command_line(int argc, const char* const* argv) {
  check_words(argc, argv);
  Parsed parsed;
  CLI::App app(
      "Compresses language models: reads a model, runs a pipeline of passes over it, writes compact weight "
      "files, and measures what it cost.",
      "terse");
  app.formatter(std::make_shared<HelpFormatter>());
  app.set_help_flag("-h,--help", "print this help");
  app.set_version_flag("--version", "terse " TERSE_VERSION, "print the version");
  app.get_version_ptr()->group(kEverywhere);
  app.allow_extras();
  declare_global(app, parsed.options);

  struct Command {
    CLI::App* app;
    Action action;
    const CommandRow& row;
  };
  std::vector<Command> declared;
  for (const CommandRow& row : commands()) {
    CLI::App* command = app.add_subcommand(std::string(row.name), std::string(row.summary));
    command->group("Commands");
    command->allow_extras();
    Arguments arguments(*command);
    declared.push_back({command, row.setup(arguments), row});
    command->set_help_flag("-h,--help", "print this help");  // last, so that its group is
    declare_global(*command, parsed.options);
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    parsed.text = CLI::detail::find_and_replace(app.help(), "\n\n\n", "\n\n");
    return parsed;
  } catch (const CLI::CallForVersion& version) {
    parsed.text = std::string(version.what()) + "\n";
    return parsed;
  } catch (const CLI::ParseError& error) {
    const auto extras = app.remaining(true);
    throw extras.empty() ? usage_error(app, error) : unexpected_argument(app, extras.front());
  }
  if (const auto extras = app.remaining(true); !extras.empty()) {
    throw unexpected_argument(app, extras.front());
  }
  for (auto& [command, action, row] : declared) {
    if (command->parsed()) {
      check_tokenizer(row, parsed.options);
      parsed.action = std::move(action);
      return parsed;
    }
  }
  throw Error(Kind::usage, "no command given, see 'terse --help'");
}

}  // namespace terse::cli
