#include "calibration/chat_template/methods.h"

#include <algorithm>
#include <array>

#include "calibration/chat_template/access.h"
#include "calibration/chat_template/strings.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

struct TextMethod {
  std::string_view name, parameters;
  size_t required;
  Value (*call)(const std::string& self, const Bound& arguments);
};

Value strip_side(const std::string& self, const Bound& arguments, Side side) {
  const Value* characters = arguments.find(0);
  return std::string(characters == nullptr || characters->is_none() ? strip(self, side)
                                                                    : strip(self, side, arguments.text(0)));
}

/// Of one text, or any of a tuple of them.
template <typename Test>
bool any_affix(const Bound& arguments, Test&& test) {
  const Sequence* several = arguments.get(0).sequence();
  if (several == nullptr) {
    return test(arguments.text(0));
  }
  return std::ranges::any_of(several->items,
                             [&](const Value& one) { return one.text() != nullptr && test(*one.text()); });
}

Value list_of(std::vector<std::string> texts) {
  std::vector<Value> items(std::make_move_iterator(texts.begin()), std::make_move_iterator(texts.end()));
  return Value::sequence(std::move(items));
}

Value split_text(const std::string& self, const Bound& arguments) {
  const Value* separator = arguments.find(0);
  const int64_t most = arguments.whole(1, -1);
  return list_of(separator == nullptr || separator->is_none() ? split(self, most)
                                                              : split(self, arguments.text(0), most));
}

Value join_texts(const std::string& self, const Bound& arguments) {
  std::string out;
  bool first = true;
  for (const Value& item : iterate(arguments.get(0))) {
    if (item.text() == nullptr) {
      throw Error(Kind::input, "join: found a {}, expected a string", type_name(item));
    }
    out += (first ? "" : self) + *item.text();
    first = false;
    check_size(out.size());
  }
  return out;
}

int64_t count_of(std::string_view text, std::string_view what) {
  if (what.empty()) {
    return length(text) + 1;
  }
  int64_t count = 0;
  for (size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + what.size())) {
    ++count;
  }
  return count;
}

int64_t find_in(std::string_view text, std::string_view what) {
  const size_t at = text.find(what);
  return at == std::string_view::npos ? -1 : length(text.substr(0, at));
}

constexpr std::array<TextMethod, 17> kTextMethods = {{
    {"strip", "chars", 0, [](const std::string& self, const Bound& a) { return strip_side(self, a, Side::both); }},
    {"lstrip", "chars", 0, [](const std::string& self, const Bound& a) { return strip_side(self, a, Side::left); }},
    {"rstrip", "chars", 0, [](const std::string& self, const Bound& a) { return strip_side(self, a, Side::right); }},
    {"startswith", "prefix", 1,
     [](const std::string& self, const Bound& a) {
       return Value(any_affix(a, [&](const std::string& one) { return self.starts_with(one); }));
     }},
    {"endswith", "suffix", 1,
     [](const std::string& self, const Bound& a) {
       return Value(any_affix(a, [&](const std::string& one) { return self.ends_with(one); }));
     }},
    {"split", "sep,maxsplit", 0, split_text},
    {"upper", "", 0, [](const std::string& self, const Bound&) { return Value(upper(self)); }},
    {"lower", "", 0, [](const std::string& self, const Bound&) { return Value(lower(self)); }},
    {"title", "", 0, [](const std::string& self, const Bound&) { return Value(title(self, Words::python)); }},
    {"capitalize", "", 0, [](const std::string& self, const Bound&) { return Value(capitalize(self)); }},
    {"replace", "old,new,count", 2,
     [](const std::string& self, const Bound& a) {
       return Value(replace(self, a.text(0), a.text(1), a.whole(2, -1)));
     }},
    {"join", "iterable", 1, join_texts},
    {"find", "sub", 1, [](const std::string& self, const Bound& a) { return Value(find_in(self, a.text(0))); }},
    {"count", "sub", 1, [](const std::string& self, const Bound& a) { return Value(count_of(self, a.text(0))); }},
    {"removeprefix", "prefix", 1,
     [](const std::string& self, const Bound& a) {
       return Value(self.starts_with(a.text(0)) ? self.substr(a.text(0).size()) : self);
     }},
    {"removesuffix", "suffix", 1,
     [](const std::string& self, const Bound& a) {
       return Value(self.ends_with(a.text(0)) ? self.substr(0, self.size() - a.text(0).size()) : self);
     }},
    {"isspace", "", 0,
     [](const std::string& self, const Bound&) { return Value(!self.empty() && strip(self, Side::left).empty()); }},
}};

/// Python's other methods, which terse does not have: an attribute of such a name is not undefined.
constexpr std::array<std::string_view, 33> kOtherTextMethods = {
    "casefold",  "center",      "encode",  "expandtabs", "format",     "format_map",   "index",
    "isalnum",   "isalpha",     "isascii", "isdecimal",  "isdigit",    "isidentifier", "islower",
    "isnumeric", "isprintable", "istitle", "isupper",    "ljust",      "maketrans",    "partition",
    "rfind",     "rindex",      "rjust",   "rpartition", "rsplit",     "splitlines",   "swapcase",
    "translate", "zfill",       "__len__", "__class__",  "__getitem__"};

struct MappingMethod {
  std::string_view name, parameters;
  size_t required;
  Value (*call)(const Mapping& self, const Bound& arguments);
};

Value pairs_of(const Mapping& self, const Bound&) {
  std::vector<Value> items;
  items.reserve(self.items.size());
  for (const auto& [key, item] : self.items) {
    items.push_back(Value::sequence({Value(key), item}, Sequence::Kind::tuple));
  }
  return Value::sequence(std::move(items), Sequence::Kind::view);
}

Value keys_of(const Mapping& self, const Bound&) {
  std::vector<Value> items;
  std::ranges::transform(self.items, std::back_inserter(items), [](const auto& item) { return item.first; });
  return Value::sequence(std::move(items), Sequence::Kind::view);
}

Value values_of(const Mapping& self, const Bound&) {
  std::vector<Value> items;
  std::ranges::transform(self.items, std::back_inserter(items), [](const auto& item) { return item.second; });
  return Value::sequence(std::move(items), Sequence::Kind::view);
}

Value value_or(const Mapping& self, const Bound& arguments) {
  const Value* key = arguments.find(0);
  const Value* found = key->text() == nullptr ? nullptr : self.find(*key->text());
  const Value* otherwise = arguments.find(1);
  return found != nullptr ? *found : otherwise != nullptr ? *otherwise : Value(None{});
}

constexpr std::array<MappingMethod, 4> kMappingMethods = {{
    {"items", "", 0, pairs_of},
    {"keys", "", 0, keys_of},
    {"values", "", 0, values_of},
    {"get", "key,default", 1, value_or},
}};

constexpr std::array<std::string_view, 7> kOtherMappingMethods = {"clear",   "copy",       "fromkeys", "pop",
                                                                  "popitem", "setdefault", "update"};
constexpr std::array<std::string_view, 11> kSequenceMethods = {
    "append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"};

template <typename Rows>
const auto* find_row(const Rows& rows, std::string_view name) {
  const auto found = std::ranges::find(rows, name, [](const auto& row) { return row.name; });
  return found == rows.end() ? nullptr : &*found;
}

template <typename Names>
bool has(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

bool is_method(const Value& value, std::string_view name) {
  if (value.text() != nullptr) {
    return find_row(kTextMethods, name) != nullptr || has(kOtherTextMethods, name);
  }
  if (value.mapping() != nullptr && value.mapping()->kind == Mapping::Kind::dictionary) {
    return find_row(kMappingMethods, name) != nullptr || has(kOtherMappingMethods, name);
  }
  return value.sequence() != nullptr && has(kSequenceMethods, name);
}

Value call_method(const Value& value, std::string_view name, const Arguments& arguments) {
  if (value.is_undefined()) {
    throw Error(Kind::input, "'{}' is undefined", std::get<Undefined>(value.data()).name);
  }
  if (const std::string* text = value.text()) {
    if (const auto* row = find_row(kTextMethods, name)) {
      return row->call(*text, Bound(name, arguments, row->parameters, row->required));
    }
  }
  if (const Mapping* mapping = value.mapping(); mapping != nullptr && mapping->kind == Mapping::Kind::dictionary) {
    if (const auto* row = find_row(kMappingMethods, name)) {
      return row->call(*mapping, Bound(name, arguments, row->parameters, row->required));
    }
  }
  throw Error(Kind::unsupported, "terse does not know the method '{}' of a {}", name, type_name(value));
}

}  // namespace terse::calibration::jinja
