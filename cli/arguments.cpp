#include "cli/arguments.h"

#include <CLI/CLI.hpp>
#include <charconv>

#include "formats/error.h"
#include "passes/text.h"

namespace terse::cli {
namespace {

std::string join(const std::vector<std::string_view>& words, std::string_view separator) {
  return fmt::format("{}", fmt::join(words, separator));
}

}  // namespace

int64_t parse_whole(std::string_view option, std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(Kind::usage, "{}: '{}' is not a whole number", option, text);
  }
  return number;
}

void Arguments::add(CLI::Option* option, std::string_view placeholder) {
  option->option_text(std::string(placeholder));
  option->group(group_);
  last_ = option;
}

void Arguments::positional(std::string_view name, std::string& target, std::string_view help) {
  optional_positional(name, target, help);
  last_->required();
}

void Arguments::optional_positional(std::string_view name, std::string& target, std::string_view help) {
  add(app_.add_option(std::string(name), target, std::string(help)), "");
}

void Arguments::positionals(std::string_view name, std::vector<std::string>& target, std::string_view help) {
  add(app_.add_option(std::string(name), target, std::string(help)), "");
  last_->required();
}

void Arguments::option(std::string_view flags, std::string_view placeholder, std::string& target,
                       std::string_view help) {
  add(app_.add_option(std::string(flags), target, std::string(help)), placeholder);
}

void Arguments::option(std::string_view flags, std::string_view placeholder, int64_t& target, std::string_view help) {
  const auto store = [&target, name = std::string(flags)](const std::string& text) {
    target = parse_whole(name, text);
  };
  add(app_.add_option_function<std::string>(std::string(flags), store, std::string(help)), placeholder);
}

void Arguments::option(std::string_view flags, std::string_view placeholder, std::optional<int64_t>& target,
                       std::string_view help) {
  const auto store = [&target, name = std::string(flags)](const std::string& text) {
    target = parse_whole(name, text);
  };
  add(app_.add_option_function<std::string>(std::string(flags), store, std::string(help)), placeholder);
}

void Arguments::choice(std::string_view flags, std::vector<std::string_view> choices, std::string& target,
                       std::string_view help) {
  const std::string placeholder = join(choices, "|");
  const auto store = [&target, name = std::string(flags), choices = std::move(choices)](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      throw Error(Kind::usage, "{}: unknown value '{}', expected one of {}{}", name, text, join(choices, ", "),
                  passes::suggestion(text, choices));
    }
    target = text;
  };
  add(app_.add_option_function<std::string>(std::string(flags), store, std::string(help)), placeholder);
}

void Arguments::repeated(std::string_view flags, std::string_view placeholder, std::vector<std::string>& target,
                         std::string_view help) {
  list(flags, placeholder, target, help);
  last_->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void Arguments::list(std::string_view flags, std::string_view placeholder, std::vector<std::string>& target,
                     std::string_view help) {
  add(app_.add_option(std::string(flags), target, std::string(help)), placeholder);
}

void Arguments::flag(std::string_view flags, bool& target, std::string_view help) {
  add(app_.add_flag(std::string(flags), target, std::string(help)), "");
}

void Arguments::require() { last_->required(); }

void Arguments::group(std::string_view heading) { group_ = heading; }

}  // namespace terse::cli
