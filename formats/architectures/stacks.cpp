#include "formats/architectures/stacks.h"

#include <algorithm>
#include <charconv>

#include "formats/error.h"
#include "formats/row_slices.h"

namespace terse::architectures {
namespace {

constexpr std::string_view kHole = "{}";

std::vector<std::string_view> parts_of(const StackRow& row) {
  return row.second.empty() ? std::vector{row.first} : std::vector{row.first, row.second};
}

/// A tensor of either kind that a reader gives.
EncodingPtr take(NamedTensors& tensors, const std::string& name) {
  if (const auto plain = tensors.tensors.extract(name)) {
    return make_dense(plain.mapped());
  }
  return tensors.encoded.extract(name).mapped();
}

void split(NamedTensors& tensors, const std::string& name, const StackRow& row) {
  const EncodingPtr stack = take(tensors, name);
  const std::vector<std::string_view> parts = parts_of(row);
  const auto count = static_cast<int64_t>(parts.size());
  if (stack->shape.size() != 3 || stack->shape[1] % count != 0) {
    throw Error(Kind::input, "tensor {} has shape {}, expected the matrices of all experts, [E, rows, columns]{}", name,
                to_string(stack->shape), count == 1 ? "" : " with an even number of rows");
  }
  const std::string layer = name.substr(0, name.size() - row.stack.size());
  const int64_t rows = stack->shape[1] / count;
  for (int64_t i = 0; i < stack->shape[0] * count; ++i) {
    const auto part = static_cast<size_t>(i % count);
    tensors.encoded.insert_or_assign(layer + numbered(parts[part], static_cast<size_t>(i / count)),
                                     slice_rows(stack, i * rows, rows));
  }
}

}  // namespace

std::string numbered(std::string_view pattern, size_t number) {
  const size_t hole = pattern.find(kHole);
  return fmt::format("{}{}{}", pattern.substr(0, hole), number, pattern.substr(hole + kHole.size()));
}

void split_stacks(NamedTensors& tensors, std::span<const StackRow> rows) {
  for (const StackRow& row : rows) {
    std::vector<std::string> names;
    const auto note = [&](const auto& entry) {
      if (std::string_view(entry.first).ends_with(row.stack)) {
        names.push_back(entry.first);
      }
    };
    std::ranges::for_each(tensors.tensors, note);
    std::ranges::for_each(tensors.encoded, note);
    for (const std::string& name : names) {
      split(tensors, name, row);
    }
  }
}

std::optional<NumberedName> match_numbered(std::string_view name, std::string_view pattern) {
  const size_t hole = pattern.find(kHole);
  const std::string_view before = pattern.substr(0, hole), behind = pattern.substr(hole + kHole.size());
  const size_t at = name.rfind(before);
  if (at == std::string_view::npos || !name.ends_with(behind) || name.size() < at + before.size() + behind.size()) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(at + before.size(), name.size() - at - before.size() - behind.size());
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return std::nullopt;
  }
  return NumberedName{.layer = std::string(name.substr(0, at)), .number = number};
}

std::optional<StackPlace> find_stack(std::span<const StackRow> rows, std::string_view name) {
  for (const StackRow& row : rows) {
    const std::vector<std::string_view> parts = parts_of(row);
    for (size_t part = 0; row.is_published && part < parts.size(); ++part) {
      if (const auto found = match_numbered(name, parts[part])) {
        return StackPlace{.stack = found->layer + std::string(row.stack),
                          .place = found->number * std::ssize(parts) + static_cast<int64_t>(part),
                          .parts = std::ssize(parts)};
      }
    }
  }
  return std::nullopt;
}

}  // namespace terse::architectures
