#pragma once

#include <string>
#include <vector>

namespace terse::cli {

/// Rows of text in columns. The first column is aligned to the left, those whose heading starts with '>' to the right.
class Table {
 public:
  explicit Table(std::vector<std::string> headings);

  /// As many cells as headings.
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }

  std::string text() const;
  std::string markdown() const;

 private:
  std::vector<size_t> widths() const;

  std::vector<std::string> headings_;
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace terse::cli
