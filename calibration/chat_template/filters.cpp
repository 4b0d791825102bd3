#include "calibration/chat_template/filters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "calibration/chat_template/access.h"
#include "calibration/chat_template/strings.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

using Values = std::vector<Value>;

Value iterator(Values items) { return Value::sequence(std::move(items), Sequence::Kind::iterator); }

Value trimmed(const Value& value, const Bound& arguments) {
  const std::string text = to_text(value);
  const Value* characters = arguments.find(0);
  return std::string(characters == nullptr || characters->is_none() ? strip(text, Side::both)
                                                                    : strip(text, Side::both, arguments.text(0)));
}

Value otherwise(const Value& value, const Bound& arguments) {
  const bool is_missing = value.is_undefined() || (arguments.flag(1, false) && !is_true(value));
  const Value* other = arguments.find(0);
  return !is_missing ? value : other != nullptr ? *other : Value(std::string());
}

Value joined(const Value& value, const Bound& arguments) {
  const std::string separator = arguments.find(0) == nullptr ? "" : to_text(arguments.get(0));
  std::string out;
  bool first = true;
  for (const Value& item : iterate(value)) {
    const Value* attribute = arguments.find(1);
    out += (first ? "" : separator) + to_text(attribute == nullptr ? item : get_item(item, *attribute));
    first = false;
    check_size(out.size());
  }
  return out;
}

Value last(const Value& value, const Bound&) {
  if (value.sequence() != nullptr && value.sequence()->kind == Sequence::Kind::iterator) {
    throw Error(Kind::input, "last: an iterator has no last item");
  }
  const auto items = iterate(value);
  return items.empty() ? Value::undefined("the last item") : items.back();
}

Value json(const Value& value, const Bound& arguments) {
  if (arguments.flag(0, false)) {
    throw Error(Kind::unsupported, "terse does not know tojson(ensure_ascii=true)");
  }
  JsonStyle style{.indent = arguments.whole(1, -1), .sort_keys = arguments.flag(3, false)};
  constexpr int64_t kMostIndent = 64;
  if (style.indent > kMostIndent) {
    throw Error(Kind::input, "tojson: an indent of {}, expected {} at most", style.indent, kMostIndent);
  }
  if (style.indent >= 0) {
    style.item_separator = ",";
  }
  if (const Value* separators = arguments.find(2); separators != nullptr && !separators->is_none()) {
    const auto pair = iterate(*separators);
    if (pair.size() != 2 || pair[0].text() == nullptr || pair[1].text() == nullptr) {
      throw Error(Kind::input, "tojson: expected two strings as separators");
    }
    style.item_separator = *pair[0].text();
    style.key_separator = *pair[1].text();
  }
  return to_json(value, style);
}

Value replaced(const Value& value, const Bound& arguments) {
  return replace(to_text(value), to_text(arguments.get(0)), to_text(arguments.get(1)), arguments.whole(2, -1));
}

Value list(const Value& value, const Bound&) { return Value::sequence(iterate(value)); }

Value items(const Value& value, const Bound&) {
  Values pairs;
  if (value.mapping() == nullptr && !value.is_undefined()) {
    throw Error(Kind::input, "items: found a {}, expected a dictionary", type_name(value));
  }
  for (size_t i = 0; value.mapping() != nullptr && i < value.mapping()->items.size(); ++i) {
    const auto& [key, item] = value.mapping()->items[i];
    pairs.push_back(Value::sequence({Value(key), item}, Sequence::Kind::tuple));
  }
  return iterator(std::move(pairs));
}

/// The number that a text is, if terse can read all of it.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  text = strip(text, Side::both);
  if (text.starts_with('+')) {
    text.remove_prefix(1);
  }
  Number number{};
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc{} && result.ptr == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> truncated(double number) {
  return std::abs(number) < 9e18 ? std::optional(static_cast<int64_t>(number)) : std::nullopt;
}

Value integer(const Value& value, const Bound& arguments) {
  if (arguments.whole(1, 10) != 10) {
    throw Error(Kind::unsupported, "terse knows 'int' with base 10 only");
  }
  std::optional<int64_t> number;
  if (const std::string* text = value.text()) {
    number = parse_number<int64_t>(*text);
    if (const auto real = parse_number<double>(*text); !number && real) {
      number = truncated(*real);
    }
  } else if (is_number(value)) {
    number = value.integer() != nullptr ? std::optional(*value.integer()) : truncated(to_real(value));
  }
  return number ? Value(*number) : arguments.find(0) == nullptr ? Value(int64_t{0}) : arguments.get(0);
}

Value real(const Value& value, const Bound& arguments) {
  std::optional<double> number;
  if (const std::string* text = value.text()) {
    number = parse_number<double>(*text);
  } else if (is_number(value)) {
    number = to_real(value);
  }
  return number ? Value(*number) : arguments.find(0) == nullptr ? Value(0.0) : arguments.get(0);
}

Value absolute(const Value& value, const Bound&) {
  if (!is_number(value)) {
    throw Error(Kind::input, "abs: found a {}, expected a number", type_name(value));
  }
  return to_real(value) < 0 ? negate(value) : calculate("+", value, Value(int64_t{0}));
}

Value reversed(const Value& value, const Bound&) {
  if (const std::string* text = value.text()) {
    std::string out;
    auto characters = characters_of(*text);
    for (size_t i = characters.size(); i-- > 0;) {
      out += characters[i];
    }
    return out;
  }
  Values all = iterate(value);
  std::ranges::reverse(all);
  return iterator(std::move(all));
}

struct FilterRow {
  std::string_view name, parameters;
  size_t required;
  Value (*apply)(const Value& value, const Bound& arguments);
};

constexpr std::array<FilterRow, 22> kFilters = {{
    {"abs", "", 0, absolute},
    {"capitalize", "", 0, [](const Value& v, const Bound&) { return Value(capitalize(to_text(v))); }},
    {"count", "", 0, [](const Value& v, const Bound&) { return Value(length_of(v)); }},
    {"d", "default_value,boolean", 0, otherwise},
    {"default", "default_value,boolean", 0, otherwise},
    {"first", "", 0, [](const Value& v, const Bound&) { return first_of(v); }},
    {"float", "default", 0, real},
    {"int", "default,base", 0, integer},
    {"items", "", 0, items},
    {"join", "d,attribute", 0, joined},
    {"last", "", 0, last},
    {"length", "", 0, [](const Value& v, const Bound&) { return Value(length_of(v)); }},
    {"list", "", 0, list},
    {"lower", "", 0, [](const Value& v, const Bound&) { return Value(lower(to_text(v))); }},
    {"replace", "old,new,count", 2, replaced},
    {"reverse", "", 0, reversed},
    {"safe", "", 0, [](const Value& v, const Bound&) { return Value(to_text(v)); }},
    {"string", "", 0, [](const Value& v, const Bound&) { return Value(to_text(v)); }},
    {"title", "", 0, [](const Value& v, const Bound&) { return Value(title(to_text(v), Words::jinja)); }},
    {"tojson", "ensure_ascii,indent,separators,sort_keys", 0, json},
    {"trim", "chars", 0, trimmed},
    {"upper", "", 0, [](const Value& v, const Bound&) { return Value(upper(to_text(v))); }},
}};

/// The arguments behind the first `count`.
Arguments rest_of(const Arguments& arguments, size_t count) {
  Arguments rest{.positional = {}, .named = arguments.named};
  const size_t skipped = std::min(count, arguments.positional.size());
  rest.positional.assign(arguments.positional.begin() + static_cast<std::ptrdiff_t>(skipped),
                         arguments.positional.end());
  return rest;
}

const std::string& name_argument(std::string_view filter, const Arguments& arguments, size_t index) {
  if (index >= arguments.positional.size() || arguments.positional[index].text() == nullptr) {
    throw Error(Kind::unsupported, "terse knows '{}' with names in quotes only", filter);
  }
  return *arguments.positional[index].text();
}

/// map(attribute="x") or map("filter", ...).
Value mapped(const Value& value, const Arguments& arguments) {
  Values out;
  if (arguments.positional.empty()) {
    const Bound bound("map", arguments, "attribute,default", 1);
    for (const Value& item : iterate(value)) {
      const Value found = get_item(item, bound.get(0));
      out.push_back(found.is_undefined() && bound.find(1) != nullptr ? bound.get(1) : found);
    }
    return iterator(std::move(out));
  }
  const std::string& name = name_argument("map", arguments, 0);
  for (const Value& item : iterate(value)) {
    out.push_back(apply_filter(item, name, rest_of(arguments, 1)));
  }
  return iterator(std::move(out));
}

/// select, reject and with an attribute selectattr, rejectattr: the items that pass a test, or are true without one.
Value selected(const Value& value, std::string_view filter, const Arguments& arguments) {
  const bool wants_attribute = filter.ends_with("attr"), wants_true = filter.starts_with("select");
  const size_t before = wants_attribute ? 1 : 0;
  const bool has_test = arguments.positional.size() > before;
  const std::string attribute = wants_attribute ? name_argument(filter, arguments, 0) : "";
  const std::string test = has_test ? name_argument(filter, arguments, before) : "";
  if (attribute.find('.') != std::string::npos) {
    throw Error(Kind::unsupported, "terse knows '{}' with plain attributes only, found '{}'", filter, attribute);
  }
  Values out;
  for (const Value& item : iterate(value)) {
    const Value tested = wants_attribute ? get_item(item, attribute) : item;
    const bool passes = has_test ? apply_test(tested, test, rest_of(arguments, before + 1)) : is_true(tested);
    if (passes == wants_true) {
      out.push_back(item);
    }
  }
  return iterator(std::move(out));
}

}  // namespace

Value apply_filter(const Value& value, std::string_view name, const Arguments& arguments) {
  if (name == "map") {
    return mapped(value, arguments);
  }
  if (name == "select" || name == "reject" || name == "selectattr" || name == "rejectattr") {
    return selected(value, name, arguments);
  }
  const auto* row = std::ranges::find(kFilters, name, &FilterRow::name);
  if (row == kFilters.end() || name.empty()) {
    throw Error(Kind::unsupported, "terse does not know the filter '{}'", name);
  }
  return row->apply(value, Bound(name, arguments, row->parameters, row->required));
}

}  // namespace terse::calibration::jinja
