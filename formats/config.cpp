#include "formats/config.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "formats/error.h"

namespace terse {
namespace {

float check_number(const JsonField& field) {
  const double number = field.number();
  if (!(std::abs(number) <= static_cast<double>(std::numeric_limits<float>::max()))) {
    throw Error(Kind::input, "{}: {} is no number that f32 holds", field.where(), number);
  }
  return static_cast<float>(number);
}

float check_positive(const JsonField& field) {
  const float number = check_number(field);
  if (!(number > 0)) {
    throw Error(Kind::input, "{}: {} is not above 0", field.where(), number);
  }
  return number;
}

bool is_sliding(const JsonField& layer_type) {
  if (layer_type.text() == "sliding_attention") {
    return true;
  }
  if (layer_type.text() != "full_attention") {
    throw Error(Kind::unsupported,
                "{}: '{}' is no type of layer that this version knows: full_attention, "
                "sliding_attention",
                layer_type.where(), layer_type.text());
  }
  return false;
}

}  // namespace

int64_t get_size(const JsonField& config, std::string_view key) { return config.get(key).whole(1, kGreatestSize); }

int64_t size_or(const JsonField& config, std::string_view key, int64_t fallback) {
  const auto field = config.find(key);
  return field ? field->whole(1, kGreatestSize) : fallback;
}

int64_t get_layers(const JsonField& config, std::string_view key) { return config.get(key).whole(1, kMostLayers); }

float number_or(const JsonField& config, std::string_view key, float fallback) {
  const auto field = config.find(key);
  return field ? check_number(*field) : fallback;
}

float get_positive(const JsonField& config, std::string_view key) { return check_positive(config.get(key)); }

float positive_or(const JsonField& config, std::string_view key, float fallback) {
  const auto field = config.find(key);
  return field ? check_positive(*field) : fallback;
}

int64_t read_head_size(const JsonField& config, std::string_view hidden_key, std::string_view heads_key) {
  const int64_t hidden = get_size(config, hidden_key);
  const int64_t heads = get_size(config, heads_key);
  if (hidden % heads != 0) {
    throw Error(Kind::input, "{} {} is no multiple of {} {}", hidden_key, hidden, heads_key, heads);
  }
  return hidden / heads;
}

HeadSizes read_heads(const JsonField& config) {
  HeadSizes sizes{.heads = get_size(config, "num_attention_heads")};
  sizes.kv_heads = size_or(config, "num_key_value_heads", sizes.heads);
  if (sizes.heads % sizes.kv_heads != 0) {
    throw Error(Kind::input, "num_attention_heads {} is no multiple of num_key_value_heads {}", sizes.heads,
                sizes.kv_heads);
  }
  const auto head_size = config.find("head_dim");
  sizes.head_size =
      head_size ? head_size->whole(1, kGreatestSize) : read_head_size(config, "hidden_size", "num_attention_heads");
  return sizes;
}

std::vector<int64_t> read_windows(const JsonField& config, int64_t layers, int64_t absent) {
  const bool is_used = config.flag_or("use_sliding_window", true);
  const bool is_there = config.value().contains("sliding_window");  // null counts
  const int64_t window = is_used ? size_or(config, "sliding_window", is_there ? 0 : absent) : 0;
  std::vector<int64_t> windows(static_cast<size_t>(layers), window);
  const auto types = config.find("layer_types");
  if (!types) {
    return windows;
  }
  if (types->array_size() != windows.size()) {
    throw Error(Kind::input, "layer_types has {} entries, expected one for each of {} layers", types->array_size(),
                layers);
  }
  for (size_t layer = 0; layer < windows.size(); ++layer) {
    const JsonField type = types->at(layer);
    if (is_sliding(type) && window == 0) {
      throw Error(Kind::input, "{} is sliding_attention, but sliding_window is missing", type.where());
    }
    windows[layer] = is_sliding(type) ? window : 0;
  }
  return windows;
}

std::optional<int64_t> find_token(const JsonField& config, std::string_view key) {
  const auto field = config.find(key);
  const int64_t id = field ? field->whole(-1, kGreatestSize) : -1;
  return id < 0 ? std::nullopt : std::optional(id);
}

int64_t read_label_count(const JsonField& config) {
  if (const auto count = config.find("num_labels")) {
    return count->whole(1, kGreatestSize);
  }
  const auto labels = config.find("id2label");
  return labels && labels->object_size() > 0 ? static_cast<int64_t>(labels->object_size()) : 2;
}

}  // namespace terse
