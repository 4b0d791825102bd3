#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/model.h"

namespace terse::passes {

class Projection;
struct Measuring;  // measuring.h

/// One pass with its options as the user wrote them: "prune,pattern=2:4".
struct PassCall {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;

  /// The value that was written; nullopt if the option was left out.
  std::optional<std::string_view> find(std::string_view option) const;
};

/// An option of a pass. Parsing, "did you mean" and `terse passes` are derived from this row.
struct OptionRow {
  std::string_view name;
  std::string_view fallback;  ///< the default; empty: none
  /// What may be written: alternatives separated by '|'. Words stand for themselves, `<2..256>` for whole numbers in a
  /// range, other words in angle brackets for a class of values (see `accepts`).
  std::string_view values;
  std::string_view help;
};

/// When and how a pass works (DESIGN: "Two walks at most").
enum class Stage {
  rewrite,     ///< changes the graph, needs no data
  measured,    ///< decides from the measuring walk over the unmodified model
  projection,  ///< replaces each selected weight by the nearest one of a constrained set
};

std::string_view name(Stage stage);

/// The options of one call, with the defaults filled in. Views the call: lives no longer than it.
class Arguments;

/// A pass. One row each, in the pass's own file; `passes()` lists them.
struct PassRow {
  std::string_view name;
  std::string_view summary;
  Stage stage = Stage::rewrite;
  std::span<const OptionRow> options;
  /// Which weights are meant if the call says no `only=`; empty: the pass selects no weights and has no selection
  /// options.
  std::string_view selects;
  void (*rewrite)(Model& model, const Arguments& arguments) = nullptr;  ///< of Stage::rewrite
  /// Of Stage::projection. Error usage if the options contradict each other.
  std::unique_ptr<Projection> (*project)(const Arguments& arguments) = nullptr;
  void (*measure)(Model& model, const Arguments& arguments,
                  const Measuring& measuring) = nullptr;  ///< of Stage::measured
  /// A row of the same name and options that is meant instead where the call has the option of that name: what works
  /// at another stage.
  const PassRow* variant = nullptr;
  std::string_view variant_option = {};
};

std::span<const PassRow* const> passes();

/// Error usage suggests the nearest name.
const PassRow& get_pass(std::string_view name);

/// The row of a call: get_pass of its name, or that row's variant.
const PassRow& get_pass(const PassCall& call);

/// `only=`, `except=` and `layers=`: the options of every pass that selects weights, after its own.
std::span<const OptionRow> selection_options();

/// The row of an option of this pass, its selection options included.
const OptionRow* find_option(const PassRow& pass, std::string_view option);

/// True if `value` is one of `OptionRow::values`.
bool accepts(std::string_view values, std::string_view value);

class Arguments {
 public:
  Arguments(const PassRow& row, const PassCall& call) : row_(row), call_(call) {}

  /// The value that was written, else the default; empty if there is neither.
  std::string_view text(std::string_view option) const;
  bool is_written(std::string_view option) const { return call_.find(option).has_value(); }
  int64_t integer(std::string_view option) const;
  double number(std::string_view option) const;

 private:
  const PassRow& row_;
  const PassCall& call_;
};

}  // namespace terse::passes
