#include "formats/class_names.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "formats/bytes.h"
#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse {
namespace {

int64_t id_of(const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) {
    throw Error(Kind::input, "id2label: '{}' is no class, expected a whole number", text);
  }
  return number;
}

}  // namespace

std::map<std::string, int64_t, std::less<>> read_class_names(const std::filesystem::path& config) {
  std::map<std::string, int64_t, std::less<>> names;
  const std::string text = read_text(config);
  with_context(config.string(), [&] {
    const nlohmann::json document = parse_json(text);
    if (const auto labels = JsonField(document, "").find("id2label")) {
      labels->object_size();  // it must be one
      for (const auto& [id, label] : labels->value().items()) {
        names.emplace(labels->text(id), id_of(id));
      }
    }
  });
  return names;
}

}  // namespace terse
