#include "cli/units.h"

#include <array>
#include <charconv>
#include <cmath>

#include "formats/error.h"
#include "passes/text.h"

namespace terse::cli {
namespace {

struct Unit {
  std::string_view name;
  double bytes;
};

constexpr std::array<Unit, 8> kUnits = {{
    {"", 1},
    {"B", 1},
    {"kB", 1e3},
    {"MB", 1e6},
    {"GB", 1e9},
    {"KiB", 1024},
    {"MiB", 1024. * 1024},
    {"GiB", 1024. * 1024 * 1024},
}};

/// The number that `text` starts with; `text` becomes the rest.
double take_number(std::string_view& text, std::string_view whole) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || !std::isfinite(number)) {
    throw Error(Kind::usage, "'{}' is not a number", whole);
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return number;
}

}  // namespace

int64_t parse_size(std::string_view text) {
  std::string_view rest = text;
  const double number = take_number(rest, text);
  for (const Unit& unit : kUnits) {
    if (unit.name != passes::trim(rest)) {
      continue;
    }
    if (number < 0 || number * unit.bytes > 9e18) {
      throw Error(Kind::usage, "'{}' is no possible size", text);
    }
    return std::llround(number * unit.bytes);
  }
  throw Error(Kind::usage, "'{}' has an unknown unit, expected B, kB, MB, GB (1000) or KiB, MiB, GiB (1024)", text);
}

double parse_fraction(std::string_view text) {
  std::string_view rest = text;
  const double number = take_number(rest, text);
  if (rest == "%") {
    return number / 100;
  }
  if (!rest.empty()) {
    throw Error(Kind::usage, "'{}' is neither a number nor a percentage", text);
  }
  return number;
}

double parse_number(std::string_view text) {
  std::string_view rest = text;
  const double number = take_number(rest, text);
  if (!rest.empty()) {
    throw Error(Kind::usage, "'{}' is not a number", text);
  }
  return number;
}

std::string format_size(int64_t bytes) {
  if (bytes < 1000) {
    return fmt::format("{} B", bytes);
  }
  for (const size_t index : {size_t{2}, size_t{3}}) {
    const Unit& unit = kUnits[index];
    if (static_cast<double>(bytes) < 999.95 * unit.bytes) {
      return fmt::format("{:.1f} {}", static_cast<double>(bytes) / unit.bytes, unit.name);
    }
  }
  return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9);
}

std::string format_count(int64_t count) {
  std::string digits = std::to_string(count);
  const size_t first = count < 0 ? 1 : 0;
  for (size_t place = digits.size(); place > first + 3;) {
    place -= 3;
    digits.insert(place, ",");
  }
  return digits;
}

std::string format_seconds(double seconds) {
  if (seconds < 60) {
    return fmt::format("{:.1f} s", seconds);
  }
  const auto whole = static_cast<int64_t>(seconds);
  if (whole < 3600) {
    return fmt::format("{} min {} s", whole / 60, whole % 60);
  }
  return fmt::format("{} h {} min", whole / 3600, whole / 60 % 60);
}

}  // namespace terse::cli
