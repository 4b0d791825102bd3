#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "calibration/chat_template/strings.h"
#include "calibration/chat_template/value.h"
#include "calibration/tokenizers/utf8.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

/// As Python's repr: the shortest text that reads back, never without a point or an exponent.
std::string real_text(double number) {
  if (std::isnan(number)) {
    return "nan";
  }
  if (std::isinf(number)) {
    return number < 0 ? "-inf" : "inf";
  }
  std::string text = fmt::format("{}", number);
  return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

void append_escaped(std::string& out, char32_t point) {
  const auto code = static_cast<uint32_t>(point);
  out += code <= 0xff     ? fmt::format("\\x{:02x}", code)
         : code <= 0xffff ? fmt::format("\\u{:04x}", code)
                          : fmt::format("\\U{:08x}", code);
}

/// As Python writes a string inside of a list.
std::string quoted(std::string_view text) {
  const char quote = text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  utf8::for_each(text, [&](char32_t point, size_t begin, size_t end) {
    if (point == static_cast<char32_t>(quote) || point == '\\') {
      out += {'\\', static_cast<char>(point)};
    } else if (point == '\n' || point == '\r' || point == '\t') {
      out += point == '\n' ? "\\n" : point == '\r' ? "\\r" : "\\t";
    } else if (!is_printable(point)) {
      append_escaped(out, point);
    } else {
      out.append(text, begin, end - begin);
    }
  });
  return out + quote;
}

/// A value inside of another.
std::string inner_text(const Value& value) {
  if (const std::string* text = value.text()) {
    return quoted(*text);
  }
  return value.is_undefined() ? "Undefined" : to_text(value);
}

std::string sequence_text(const Sequence& sequence) {
  if (sequence.kind == Sequence::Kind::view || sequence.kind == Sequence::Kind::iterator) {
    throw Error(Kind::unsupported, "terse does not print iterators: make a list of it");
  }
  const bool is_tuple = sequence.kind == Sequence::Kind::tuple;
  std::string out = is_tuple ? "(" : "[";
  for (const Value& item : sequence.items) {
    out += (out.size() > 1 ? ", " : "") + inner_text(item);
  }
  return out + (is_tuple ? sequence.items.size() == 1 ? ",)" : ")" : "]");
}

std::string mapping_text(const Mapping& mapping) {
  if (mapping.kind == Mapping::Kind::loop) {
    throw Error(Kind::unsupported, "terse does not print 'loop'");
  }
  std::string out = "{";
  for (const auto& [key, item] : mapping.items) {
    out += (out.size() > 1 ? ", " : "") + quoted(key) + ": " + inner_text(item);
  }
  return out + "}";
}

/// A string of JSON, other characters than ASCII as they are.
std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
      case '\\':
        out += {'\\', c};
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? fmt::format("\\u{:04x}", c) : std::string(1, c);
    }
  }
  return out + "\"";
}

class JsonWriter {
 public:
  explicit JsonWriter(const JsonStyle& style) : style_(style) {}

  std::string write(const Value& value, int64_t level) const {
    if (const std::string* text = value.text()) {
      return json_string(*text);
    }
    if (const bool* flag = value.flag()) {
      return *flag ? "true" : "false";
    }
    if (const double* real = value.real()) {
      return std::isnan(*real) ? "NaN" : std::isinf(*real) ? *real < 0 ? "-Infinity" : "Infinity" : real_text(*real);
    }
    if (value.integer() != nullptr) {
      return to_text(value);
    }
    if (const Sequence* sequence = value.sequence();
        sequence != nullptr && sequence->kind != Sequence::Kind::view && sequence->kind != Sequence::Kind::iterator) {
      return write_sequence(*sequence, level);
    }
    if (const Mapping* mapping = value.mapping(); mapping != nullptr && mapping->kind == Mapping::Kind::dictionary) {
      return write_mapping(*mapping, level);
    }
    if (!value.is_none()) {
      throw Error(Kind::input, "tojson: JSON has no {}", type_name(value));
    }
    return "null";
  }

 private:
  std::string write_sequence(const Sequence& sequence, int64_t level) const {
    std::vector<std::string> items;
    items.reserve(sequence.items.size());
    for (const Value& item : sequence.items) {
      items.push_back(write(item, level + 1));
    }
    return surround("[", items, "]", level);
  }

  std::string write_mapping(const Mapping& mapping, int64_t level) const {
    std::vector<const std::pair<std::string, Value>*> order;
    order.reserve(mapping.items.size());
    for (const auto& item : mapping.items) {
      order.push_back(&item);
    }
    if (style_.sort_keys) {
      std::ranges::sort(order, {}, [](const auto* item) -> std::string_view { return item->first; });
    }
    std::vector<std::string> items;
    items.reserve(order.size());
    for (const auto* item : order) {
      items.push_back(json_string(item->first) + style_.key_separator + write(item->second, level + 1));
    }
    return surround("{", items, "}", level);
  }

  std::string surround(std::string_view open, const std::vector<std::string>& items, std::string_view close,
                       int64_t level) const {
    if (items.empty() || style_.indent < 0) {
      return fmt::format("{}{}{}", open, fmt::join(items, style_.item_separator), close);
    }
    const std::string line = "\n" + std::string(static_cast<size_t>(style_.indent * (level + 1)), ' ');
    const std::string last = "\n" + std::string(static_cast<size_t>(style_.indent * level), ' ');
    check_size(line.size() * items.size());
    return fmt::format("{}{}{}{}{}", open, line, fmt::join(items, style_.item_separator + line), last, close);
  }

  const JsonStyle& style_;
};

}  // namespace

std::string to_text(const Value& value) {
  if (const std::string* text = value.text()) {
    return *text;
  }
  if (const bool* flag = value.flag()) {
    return *flag ? "True" : "False";
  }
  if (const int64_t* integer = value.integer()) {
    return fmt::format("{}", *integer);
  }
  if (const double* real = value.real()) {
    return real_text(*real);
  }
  if (const Sequence* sequence = value.sequence()) {
    return sequence_text(*sequence);
  }
  if (const Mapping* mapping = value.mapping()) {
    return mapping_text(*mapping);
  }
  if (!value.is_data()) {
    throw Error(Kind::unsupported, "terse does not print a {}", type_name(value));
  }
  return value.is_none() ? "None" : "";
}

std::string to_json(const Value& value, const JsonStyle& style) { return JsonWriter(style).write(value, 0); }

}  // namespace terse::calibration::jinja
