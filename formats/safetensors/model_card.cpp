#include "formats/safetensors/model_card.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace terse::safetensors {
namespace {

using Lines = std::vector<std::string>;

constexpr std::string_view kFence = "---";
constexpr std::string_view kHeading = "## Compressed with terse";

Lines split(const std::string& text) {
  Lines lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string join(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

bool is_fence(const std::string& line) { return line == kFence || line == "---\r"; }

/// True if a line belongs to the value of the key above it.
bool continues(const std::string& line) { return line.starts_with(' ') || line.starts_with('-'); }

/// The lines of one key of the front matter: [begin, end). Empty at the end if it has no such key.
struct Range {
  size_t begin, end;
};
Range find_key(const Lines& matter, std::string_view key) {
  const auto found = std::ranges::find_if(matter, [&](const std::string& line) {
    return line.starts_with(key) && line.size() > key.size() && line[key.size()] == ':';
  });
  const auto begin = static_cast<size_t>(found - matter.begin());
  size_t end = std::min(begin + 1, matter.size());
  while (end < matter.size() && continues(matter[end])) {
    ++end;
  }
  return {begin, end};
}

void set_key(Lines& matter, std::string_view key, std::string_view value) {
  const auto [begin, end] = find_key(matter, key);
  matter.erase(matter.begin() + static_cast<std::ptrdiff_t>(begin), matter.begin() + static_cast<std::ptrdiff_t>(end));
  matter.insert(matter.begin() + static_cast<std::ptrdiff_t>(begin), fmt::format("{}: {}", key, value));
}

/// Into a list with a line an item, or one in brackets, or a new one.
void add_tag(Lines& matter, std::string_view tag) {
  const auto [begin, end] = find_key(matter, "tags");
  for (size_t i = begin; i < end; ++i) {
    if (matter[i].find(tag) != std::string::npos) {
      return;
    }
  }
  if (begin == matter.size()) {
    matter.insert(matter.end(), {"tags:", fmt::format("- {}", tag)});
    return;
  }
  std::string& key_line = matter[begin];
  if (const size_t bracket = key_line.rfind(']'); bracket != std::string::npos) {
    key_line.insert(bracket, fmt::format("{}{}", key_line[bracket - 1] == '[' ? "" : ", ", tag));
    return;
  }
  const std::string indent = end > begin + 1 ? matter[begin + 1].substr(0, matter[begin + 1].find('-')) : "";
  matter.insert(matter.begin() + static_cast<std::ptrdiff_t>(end), fmt::format("{}- {}", indent, tag));
}

std::string section(const CardFacts& facts) {
  std::string text = fmt::format("{}\n\nterse {} ", kHeading, facts.version);
  text += facts.pipeline.empty() ? "converted the weights.\n"
                                 : fmt::format("changed the weights:\n\n```\n{}{}```\n", facts.pipeline,
                                               facts.pipeline.ends_with('\n') ? "" : "\n");
  return text;
}

}  // namespace

std::string extend_card(const std::string& readme, const CardFacts& facts) {
  Lines lines = split(readme);
  Lines matter;
  if (!lines.empty() && is_fence(lines[0])) {
    const auto end = std::find_if(lines.begin() + 1, lines.end(), is_fence);
    if (end != lines.end()) {
      matter.assign(lines.begin() + 1, end);
      lines.erase(lines.begin(), end + 1);
    }
  }
  if (!facts.base_model.empty()) {
    set_key(matter, "base_model", facts.base_model);
    set_key(matter, "base_model_relation", "quantized");
  }
  add_tag(matter, "terse");
  if (facts.has_codes) {
    add_tag(matter, "compressed-tensors");
  }
  const auto old = std::ranges::find(lines, kHeading);
  lines.erase(old, lines.end());
  while (!lines.empty() && lines.back().empty()) {
    lines.pop_back();
  }
  return fmt::format("{}\n{}{}\n{}\n{}", kFence, join(matter), kFence, join(lines), section(facts));
}

}  // namespace terse::safetensors
