#include "cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace terse::cli {
namespace {

std::string pad(const std::string& cell, size_t width, bool right) {
  return right ? fmt::format("{:>{}}", cell, width) : fmt::format("{:<{}}", cell, width);
}

std::string without_trailing_space(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

Table::Table(std::vector<std::string> headings) : headings_(std::move(headings)) {
  for (std::string& heading : headings_) {
    right_.push_back(heading.starts_with('>'));
    heading.erase(0, right_.back() ? 1 : 0);
  }
}

void Table::add(std::vector<std::string> cells) {
  assert(cells.size() == headings_.size());
  rows_.push_back(std::move(cells));
}

std::vector<size_t> Table::widths() const {
  std::vector<size_t> widths;
  for (size_t column = 0; column < headings_.size(); ++column) {
    size_t width = headings_[column].size();
    for (const auto& row : rows_) {
      width = std::max(width, row[column].size());
    }
    widths.push_back(width);
  }
  return widths;
}

std::string Table::text() const {
  const auto columns = widths();
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (size_t column = 0; column < cells.size(); ++column) {
      text += (column == 0 ? "" : "  ") + pad(cells[column], columns[column], right_[column]);
    }
    return without_trailing_space(text) + "\n";
  };
  std::string text = line(headings_);
  for (const auto& row : rows_) {
    text += line(row);
  }
  return text;
}

std::string Table::markdown() const {
  const auto line = [](const std::vector<std::string>& cells) {
    std::string text = "|";
    for (const std::string& cell : cells) {
      text += fmt::format(" {} |", cell);
    }
    return text + "\n";
  };
  std::string text = line(headings_) + "|";
  for (const bool right : right_) {
    text += right ? " ---: |" : " --- |";
  }
  text += "\n";
  for (const auto& row : rows_) {
    text += line(row);
  }
  return text;
}

}  // namespace terse::cli
