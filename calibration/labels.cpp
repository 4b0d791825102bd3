#include "calibration/labels.h"

#include <fmt/ranges.h>

#include <charconv>
#include <map>
#include <optional>
#include <string>

#include "calibration/text_samples.h"
#include "formats/bytes.h"
#include "formats/class_names.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

std::string_view trimmed(std::string_view line) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t first = line.find_first_not_of(kBlanks);
  return first == std::string_view::npos ? "" : line.substr(first, line.find_last_not_of(kBlanks) + 1 - first);
}

std::optional<int64_t> to_whole(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size() && number >= 0;
  return is_number ? std::optional(number) : std::nullopt;
}

using Names = std::map<std::string, int64_t, std::less<>>;

Names find_names(const Model& model) {
  const auto config = setting_folders(model, model.path).front() / "config.json";
  return std::filesystem::exists(config) ? read_class_names(config) : Names();
}

int64_t label_of(std::string_view text, const Names& names) {
  if (const auto number = to_whole(text)) {
    return *number;
  }
  if (const auto found = names.find(text); found != names.end()) {
    return found->second;
  }
  std::vector<std::string_view> known;
  for (const auto& [label, id] : names) {
    known.push_back(label);
  }
  throw Error(Kind::input, "'{}' is no class, expected a whole number{}{}", text,
              known.empty() ? "" : " or one of config.json's labels: ", fmt::join(known, ", "));
}

}  // namespace

std::vector<int64_t> read_labels(const Model& model, const std::filesystem::path& file) {
  const std::string text = read_text(file);
  const Names names = find_names(model);
  std::vector<int64_t> labels;
  int64_t number = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = trimmed(std::string_view(text).substr(begin, end - begin));
    begin = end + 1;
    ++number;
    if (!line.empty()) {
      labels.push_back(
          with_context(fmt::format("{}: line {}", file.string(), number), [&] { return label_of(line, names); }));
    }
  }
  return labels;
}

}  // namespace terse::calibration
