#include "formats/sentence_pooling.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/companion_path.h"
#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse {
namespace {

struct PoolingRow {
  Pooling pooling;
  std::string_view name;  ///< for reports
  std::string_view flag;  ///< of older configurations
  std::string_view mode;  ///< of newer ones: "pooling_mode": "mean"
};

/// In the order in which sentence-transformers puts vectors behind each other.
constexpr std::array kPoolings = {
    PoolingRow{Pooling::first, "first token", "pooling_mode_cls_token", "cls"},
    PoolingRow{Pooling::max, "maximum", "pooling_mode_max_tokens", "max"},
    PoolingRow{Pooling::mean, "mean", "pooling_mode_mean_tokens", "mean"},
    PoolingRow{Pooling::mean_sqrt_length, "mean times the root of the length", "pooling_mode_mean_sqrt_len_tokens",
               "mean_sqrt_len_tokens"},
    PoolingRow{Pooling::weighted_mean, "mean weighted by position", "pooling_mode_weightedmean_tokens", "weightedmean"},
    PoolingRow{Pooling::last, "last token", "pooling_mode_lasttoken", "lasttoken"},
};

Pooling get_mode(const std::string& mode) {
  const auto* row = std::ranges::find(kPoolings, mode, &PoolingRow::mode);
  if (row == kPoolings.end()) {
    throw Error(Kind::input, "pooling_mode '{}' is none that this version knows", mode);
  }
  return row->pooling;
}

std::vector<Pooling> read_modes(const JsonField& root) {
  std::vector<Pooling> modes;
  if (const auto mode = root.find("pooling_mode")) {
    if (!mode->value().is_array()) {
      return {get_mode(mode->text())};
    }
    for (size_t i = 0; i < mode->array_size(); ++i) {
      modes.push_back(get_mode(mode->at(i).text()));
    }
  }
  for (const PoolingRow& row : kPoolings) {
    if (root.flag_or(row.flag, false)) {
      modes.push_back(row.pooling);
    }
  }
  if (modes.empty()) {
    throw Error(Kind::input, "no 'pooling_mode' is set");
  }
  return modes;
}

template <typename Read>
void read_json(const std::filesystem::path& path, Read&& read) {
  const std::string text = read_text(path);
  with_context(path.string(), [&] {
    const nlohmann::json document = parse_json(text);
    read(JsonField(document, ""));
  });
}

/// "sentence_transformers.models.Pooling" is a "Pooling".
std::string kind_of(const JsonField& module) {
  const std::string& type = module.text("type");
  return type.substr(type.rfind('.') + 1);
}

SentencePooling read_modules(const std::filesystem::path& folder, const JsonField& root) {
  SentencePooling pooling;
  for (size_t i = 0; i < root.array_size(); ++i) {
    const JsonField module = root.at(i);
    const std::string kind = kind_of(module);
    if (kind == "Pooling") {
      const auto path = companion_path(folder / "modules.json", module.text("path") + "/config.json", "pooling");
      read_json(path, [&](const JsonField& config) { pooling.modes = read_modes(config); });
    } else if (kind == "Normalize") {
      pooling.is_normalized = true;
    } else if (kind != "Transformer") {
      pooling.not_computed.push_back(kind);
    }
  }
  return pooling;
}

}  // namespace

std::string_view name(Pooling pooling) { return std::ranges::find(kPoolings, pooling, &PoolingRow::pooling)->name; }

std::optional<SentencePooling> find_sentence_pooling(std::span<const std::filesystem::path> folders) {
  std::optional<SentencePooling> pooling;
  for (const auto& folder : folders) {
    const auto path = folder / "modules.json";
    if (!pooling && std::filesystem::exists(path)) {
      read_json(path, [&](const JsonField& root) { pooling = read_modules(folder, root); });
    }
  }
  return pooling;
}

}  // namespace terse
