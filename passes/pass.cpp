#include "passes/pass.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

#include "formats/error.h"
#include "passes/pass_rows.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

constexpr std::array kSelectionOptions = {
    OptionRow{
        "only", "", "<weights>",
        "the weights to change: roles, groups and name patterns, joined by '+'; @0-3 behind one: of these layers"},
    OptionRow{"except", "", "<weights>", "weights to leave out of those, written likewise"},
    OptionRow{"layers", "", "<layers>", "only weights of these layers, counted from 0: 0-3+30"},
    OptionRow{"solver", "auto", "auto|nearest|weighted|obs|descent",
              "how the nearest weights are found; auto: with --data the best of all, else nearest"},
};

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

bool is_fraction(std::string_view text) {
  const auto value = parse_number<double>(text);
  return value && *value > 0 && *value < 1;
}

/// More than a code of one bit takes, less than a float.
bool is_average_of_bits(std::string_view text) {
  const auto value = parse_number<double>(text);
  return value && *value > 1 && *value < 16 && text.find('.') != std::string_view::npos;
}

bool is_n_of_m(std::string_view text) {
  const auto parts = split(text, ':');
  if (parts.size() != 2) {
    return false;
  }
  const auto n = parse_number<int64_t>(parts[0]), m = parse_number<int64_t>(parts[1]);
  return n && m && *n > 0 && *n < *m && (*m == 2 || *m == 4 || *m == 8 || *m == 16 || *m == 32);
}

bool is_percentage(std::string_view text) {
  const auto value = text.ends_with('%') ? parse_number<double>(text.substr(0, text.size() - 1)) : std::nullopt;
  return value && *value > 0 && *value < 100;
}

bool is_word_list(std::string_view text) {
  const auto words = split(text, '+');
  return !words.empty() && std::none_of(words.begin(), words.end(), [](auto word) { return word.empty(); });
}

bool is_layer_list(std::string_view text) {
  const auto ranges = split(text, '+');
  return !ranges.empty() && std::all_of(ranges.begin(), ranges.end(), [](std::string_view range) {
    const size_t dash = range.find('-');
    const auto first = parse_number<int>(range.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_number<int>(range.substr(dash + 1));
    return first && last && *first >= 0 && *first <= *last;
  });
}

struct ValueClass {
  std::string_view name;
  bool (*accepts)(std::string_view text);
};

constexpr std::array kValueClasses = {
    ValueClass{"<fraction>", is_fraction},      // 0.5
    ValueClass{"<bits>", is_average_of_bits},   // 4.25
    ValueClass{"<n:m>", is_n_of_m},             // 2:4
    ValueClass{"<percentage>", is_percentage},  // 25%
    ValueClass{"<weights>", is_word_list},      // q+k+*.mlp.*
    ValueClass{"<layers>", is_layer_list},      // 0-3+30
};

/// "<2..256>"
bool accepts_range(std::string_view range, std::string_view value) {
  const size_t dots = range.find("..");
  const auto low = parse_number<int64_t>(range.substr(1, dots - 1));
  const auto high = parse_number<int64_t>(range.substr(dots + 2, range.size() - dots - 3));
  const auto number = parse_number<int64_t>(value);
  assert(low && high);
  return number && *number >= *low && *number <= *high;
}

bool accepts_one(std::string_view alternative, std::string_view value) {
  if (!alternative.starts_with('<')) {
    return alternative == value;
  }
  if (alternative.find("..") != std::string_view::npos) {
    return accepts_range(alternative, value);
  }
  const auto* found = std::find_if(kValueClasses.begin(), kValueClasses.end(),
                                   [&](const ValueClass& known) { return known.name == alternative; });
  assert(found != kValueClasses.end());
  return found->accepts(value);
}

}  // namespace

std::optional<std::string_view> PassCall::find(std::string_view option) const {
  for (const auto& [key, value] : options) {
    if (key == option) {
      return value;
    }
  }
  return std::nullopt;
}

std::string_view name(Stage stage) {
  constexpr std::array<std::string_view, 3> kNames = {"rewrite", "measured", "projection"};
  return kNames.at(static_cast<size_t>(stage));
}

std::span<const PassRow* const> passes() {
  static constexpr std::array<const PassRow*, 7> kPasses = {&kSimplify, &kDropProvenance, &kSplitExperts, &kPrune,
                                                            &kQuantize, &kCluster,        &kCast};
  return kPasses;
}

const PassRow& get_pass(std::string_view name) {
  std::vector<std::string_view> names;
  for (const PassRow* row : passes()) {
    if (row->name == name) {
      return *row;
    }
    names.push_back(row->name);
  }
  throw Error(Kind::usage, "there is no pass '{}'{}", name, suggestion(name, names));
}

const PassRow& get_pass(const PassCall& call) {
  const PassRow& row = get_pass(call.name);
  return row.variant != nullptr && call.find(row.variant_option) ? *row.variant : row;
}

std::span<const OptionRow> selection_options() { return kSelectionOptions; }

const OptionRow* find_option(const PassRow& pass, std::string_view option) {
  const auto find_in = [&](std::span<const OptionRow> rows) -> const OptionRow* {
    const auto found = std::find_if(rows.begin(), rows.end(), [&](const OptionRow& row) { return row.name == option; });
    return found == rows.end() ? nullptr : &*found;
  };
  const OptionRow* own = find_in(pass.options);
  return own != nullptr || pass.selects.empty() ? own : find_in(kSelectionOptions);
}

bool accepts(std::string_view values, std::string_view value) {
  const auto alternatives = split(values, '|');
  return std::any_of(alternatives.begin(), alternatives.end(),
                     [&](std::string_view alternative) { return accepts_one(alternative, value); });
}

std::string_view Arguments::text(std::string_view option) const {
  const OptionRow* row = find_option(row_, option);
  assert(row != nullptr);
  return call_.find(option).value_or(row->fallback);
}

int64_t Arguments::integer(std::string_view option) const { return parse_number<int64_t>(text(option)).value(); }

double Arguments::number(std::string_view option) const { return parse_number<double>(text(option)).value(); }

}  // namespace terse::passes
