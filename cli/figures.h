#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "cli/report.h"

namespace terse::cli {

/// How a figure reads best.
enum class Unit { bytes, fraction, number, seconds };

/// One figure of a report: a row here is all that `compare` and the gates of `check` know of it.
struct FigureRow {
  std::string_view name;     ///< of the member
  std::string_view pointer;  ///< where the report has it (RFC 6901)
  std::string_view label;    ///< for tables
  Unit unit;
};

std::span<const FigureRow> figures();
const FigureRow& get_figure(std::string_view name);

/// The figure, if the report has it. A member that is null was measured and is not finite: NaN. Error input if it is
/// anything but a number or null.
std::optional<double> find_figure(const Json& report, const FigureRow& figure);

std::string format_figure(double value, Unit unit);

}  // namespace terse::cli
