#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming)
class App;
class Option;
}  // namespace CLI

namespace terse::cli {

/// What one command accepts: its options struct, member by member. The one door to CLI11 for the commands; parsing
/// fills the members, and does nothing else. Whatever a member cannot hold is an Error usage that names the option.
class Arguments {
 public:
  explicit Arguments(CLI::App& app) : app_(app) {}

  /// `name` is what usage and help call it: "MODEL".
  void positional(std::string_view name, std::string& target, std::string_view help);
  void optional_positional(std::string_view name, std::string& target, std::string_view help);
  /// One or more.
  void positionals(std::string_view name, std::vector<std::string>& target, std::string_view help);

  /// `flags` as in "-o,--output"; `placeholder` stands for the value in the help.
  void option(std::string_view flags, std::string_view placeholder, std::string& target, std::string_view help);
  void option(std::string_view flags, std::string_view placeholder, int64_t& target, std::string_view help);
  void option(std::string_view flags, std::string_view placeholder, std::optional<int64_t>& target,
              std::string_view help);
  /// One of `choices`, which the help lists.
  void choice(std::string_view flags, std::vector<std::string_view> choices, std::string& target,
              std::string_view help);
  /// Given once for each value: "--pass A --pass B".
  void repeated(std::string_view flags, std::string_view placeholder, std::vector<std::string>& target,
                std::string_view help);
  /// Takes all values that follow, and may be given again: "--data A B".
  void list(std::string_view flags, std::string_view placeholder, std::vector<std::string>& target,
            std::string_view help);
  void flag(std::string_view flags, bool& target, std::string_view help);

  /// The option declared last must be given.
  void require();
  /// Options declared from here on stand under this heading of the help.
  void group(std::string_view heading);

 private:
  void add(CLI::Option* option, std::string_view placeholder);

  CLI::App& app_;
  CLI::Option* last_ = nullptr;
  std::string group_ = "Options";
};

/// A whole number, nothing around it. Error usage names `option`.
int64_t parse_whole(std::string_view option, std::string_view text);

}  // namespace terse::cli
