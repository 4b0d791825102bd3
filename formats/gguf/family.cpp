#include "formats/gguf/family.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "formats/error.h"
#include "formats/gguf/family_rows.h"

namespace terse::gguf {
namespace {

/// By name, but those with a signature in front of those of their architecture or model_type that have none.
constexpr std::array kFamilies = {
    &kBert,     &kDistilbert, &kGemma,   &kGemma2,         &kGpt2,      &kGranite, &kGraniteMoe, &kMixtral,
    &kLlama,    &kMistral,    &kOpenelm, &kPhiMsft,        &kPhi,       &kPhi3,    &kQwen2,      &kQwen3,
    &kQwen3Moe, &kT5Gated,    &kT5,      &kT5EncoderGated, &kT5Encoder,
};

/// Families that terse builds and llama.cpp (0.5.0) does not.
constexpr std::array<std::string_view, 5> kUnknownToLlamaCpp = {"albert", "electra", "gpt_neo", "gptj", "mobilebert"};

constexpr std::string_view kHole = "{}";
constexpr size_t kMostDigits = 9;

std::string list_families(std::string_view FamilyRow::*field) {
  std::set<std::string_view> names;
  for (const FamilyRow* row : kFamilies) {
    names.insert(row->*field);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The numbers in a name that a pattern stands for, a number a hole; nothing if it does not stand for it.
std::optional<std::vector<std::string_view>> match(std::string_view name, std::string_view pattern) {
  std::vector<std::string_view> numbers;
  for (size_t hole = pattern.find(kHole); hole != std::string_view::npos; hole = pattern.find(kHole)) {
    if (!name.starts_with(pattern.substr(0, hole))) {
      return std::nullopt;
    }
    name.remove_prefix(hole);
    pattern.remove_prefix(hole + kHole.size());
    const size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
    if (digits == 0 || digits > kMostDigits) {
      return std::nullopt;
    }
    numbers.push_back(name.substr(0, digits));
    name.remove_prefix(digits);
  }
  return name == pattern ? std::optional(std::move(numbers)) : std::nullopt;
}

/// Further holes stay.
std::string fill(std::string_view pattern, std::span<const std::string_view> numbers) {
  std::string name(pattern);
  for (const std::string_view number : numbers) {
    if (const size_t hole = name.find(kHole); hole != std::string::npos) {
      name.replace(hole, kHole.size(), number);
    }
  }
  return name;
}

std::optional<OtherName> find_name(const FamilyRow& family, std::string_view name, std::string_view NameRow::*from,
                                   std::string_view NameRow::*to) {
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view kind = name.substr(dot);
  for (const NameRow& row : family.names) {
    if ((row.*from).empty() || (row.*to).empty()) {
      continue;
    }
    if (const auto numbers = match(name.substr(0, dot), row.*from); numbers && kind != ".") {
      return OtherName{.name = fill(row.*to, *numbers) + std::string(kind),
                       .row = &row,
                       .expert = numbers->size() > 1 ? std::stoll(std::string(numbers->back())) : -1};
    }
  }
  return std::nullopt;
}

bool stores(const Checkpoint& checkpoint, std::string_view standard_name) {
  return std::ranges::any_of(checkpoint.stored,
                             [&](const auto& entry) { return entry.second.standard_name == standard_name; });
}

const FamilyRow* find_family(const Checkpoint& checkpoint) {
  const auto is_of = [&](const FamilyRow* row) {
    const auto signature = find_checkpoint_name(*row, row->signature);
    return row->model_type == checkpoint.family && (!signature || stores(checkpoint, signature->name));
  };
  const auto* found = std::ranges::find_if(kFamilies, is_of);
  return found == kFamilies.end() ? nullptr : *found;
}

}  // namespace

std::span<const FamilyRow* const> families() { return kFamilies; }

const FamilyRow& get_family(const Checkpoint& checkpoint) {
  if (const FamilyRow* row = find_family(checkpoint)) {
    return *row;
  }
  const std::string_view model_type = checkpoint.family;
  if (std::ranges::find(kUnknownToLlamaCpp, model_type) != kUnknownToLlamaCpp.end()) {
    throw Error(Kind::unsupported, "llama.cpp has no family {}: onnx and safetensors can hold it", model_type);
  }
  throw Error(Kind::unsupported,
              "this version writes no gguf files of family {}, only of {}: onnx and safetensors can hold it",
              model_type, list_families(&FamilyRow::model_type));
}

const FamilyRow& get_family(const File& file) {
  const auto architecture = file.metadata.find_string("general.architecture");
  if (!architecture) {
    throw Error(Kind::input, "metadata 'general.architecture' is missing");
  }
  for (const FamilyRow* row : kFamilies) {
    if (row->architecture == *architecture && (row->signature.empty() || file.find(row->signature) != nullptr)) {
      return *row;
    }
  }
  throw Error(Kind::unsupported, "architecture '{}' is none that this version knows: {}", *architecture,
              list_families(&FamilyRow::architecture));
}

std::optional<OtherName> find_gguf_name(const FamilyRow& family, std::string_view checkpoint_name) {
  return find_name(family, checkpoint_name, &NameRow::checkpoint, &NameRow::gguf);
}

std::optional<OtherName> find_checkpoint_name(const FamilyRow& family, std::string_view gguf_name) {
  return find_name(family, gguf_name, &NameRow::gguf, &NameRow::checkpoint);
}

std::optional<OtherName> find_second_gguf_name(const FamilyRow& family, std::string_view checkpoint_name) {
  return find_name(family, checkpoint_name, &NameRow::checkpoint, &NameRow::second);
}

std::optional<OtherName> find_second_checkpoint_name(const FamilyRow& family, std::string_view gguf_name) {
  return find_name(family, gguf_name, &NameRow::second, &NameRow::checkpoint);
}

std::map<std::string, std::string> tensor_names(const Checkpoint& checkpoint) {
  std::map<std::string, std::string> names;
  const FamilyRow* family = find_family(checkpoint);
  if (family == nullptr) {
    return names;
  }
  for (const auto& [name, form] : checkpoint.stored) {
    if (auto other = find_gguf_name(*family, form.standard_name)) {
      names.emplace(name, std::move(other->name));
    }
  }
  return names;
}

}  // namespace terse::gguf
