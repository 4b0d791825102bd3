#include "calibration/chat_template/value.h"

#include <algorithm>
#include <array>

#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

constexpr int kMostDepth = 100;
constexpr int64_t kMostWeight = int64_t{1} << 24;

/// Adds `value` to what a sequence or mapping holds. Error if it may not be held.
template <typename Holder>
void take_in(Holder& holder, const Value& value) {
  if (!value.is_data()) {
    throw Error(Kind::unsupported, "a {} inside of another value", type_name(value));
  }
  int depth = 1;
  if (const Sequence* sequence = value.sequence()) {
    depth += sequence->depth;
  } else if (const Mapping* mapping = value.mapping()) {
    depth += mapping->depth;
  }
  holder.depth = std::max(holder.depth, depth);
  holder.weight += 1 + weight_of(value);
  if (holder.depth > kMostDepth || holder.weight > kMostWeight) {
    throw Error(Kind::input, "values lie more than {} deep in each other, or are more than {} bytes", kMostDepth,
                kMostWeight);
  }
}

bool are_equal_sequences(const Sequence& a, const Sequence& b) {
  for (const Sequence* one : {&a, &b}) {
    if (one->kind == Sequence::Kind::view || one->kind == Sequence::Kind::iterator) {
      throw Error(Kind::unsupported, "terse does not compare iterators");
    }
  }
  return a.kind == b.kind && std::ranges::equal(a.items, b.items, are_equal);
}

bool are_equal_mappings(const Mapping& a, const Mapping& b) {
  return a.items.size() == b.items.size() && std::ranges::all_of(a.items, [&](const auto& item) {
           const Value* other = b.find(item.first);
           return other != nullptr && are_equal(item.second, *other);
         });
}

}  // namespace

const Value* Mapping::find(std::string_view key) const {
  const auto found = std::ranges::find(items, key, [](const auto& item) -> std::string_view { return item.first; });
  return found == items.end() ? nullptr : &found->second;
}

Value Value::undefined(std::string name) {
  Value value;
  value.data_ = Undefined{std::move(name)};
  return value;
}

Value Value::sequence(std::vector<Value> items, Sequence::Kind kind) {
  auto held = std::make_shared<Sequence>();
  for (const Value& item : items) {
    take_in(*held, item);
  }
  held->kind = kind;
  held->items = std::move(items);
  Value value;
  value.data_ = std::shared_ptr<const Sequence>(std::move(held));
  return value;
}

Value Value::mapping(std::vector<std::pair<std::string, Value>> items, Mapping::Kind kind) {
  auto held = std::make_shared<Mapping>();
  for (const auto& [key, item] : items) {
    take_in(*held, item);
  }
  held->kind = kind;
  held->items = std::move(items);
  Value value;
  value.data_ = std::shared_ptr<const Mapping>(std::move(held));
  return value;
}

Value Value::name_space(std::map<std::string, Value, std::less<>> items) {
  Value value;
  value.data_ = std::make_shared<Namespace>(Namespace{std::move(items)});
  return value;
}

Value Value::macro(Macro macro) {
  Value value;
  value.data_ = macro;
  return value;
}

const std::string* Value::text() const {
  const auto* held = std::get_if<Text>(&data_);
  return held == nullptr ? nullptr : held->get();
}

const Sequence* Value::sequence() const {
  const auto* held = std::get_if<std::shared_ptr<const Sequence>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

const Mapping* Value::mapping() const {
  const auto* held = std::get_if<std::shared_ptr<const Mapping>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

Namespace* Value::name_space() const {
  const auto* held = std::get_if<std::shared_ptr<Namespace>>(&data_);
  return held == nullptr ? nullptr : held->get();
}

int64_t weight_of(const Value& value) {
  if (const std::string* text = value.text()) {
    return std::ssize(*text);
  }
  if (const Sequence* sequence = value.sequence()) {
    return sequence->weight;
  }
  return value.mapping() == nullptr ? 1 : value.mapping()->weight;
}

void check_size(size_t bytes) {
  if (std::cmp_greater(bytes, kMostWeight)) {
    throw Error(Kind::input, "a text of more than {} bytes", kMostWeight);
  }
}

std::string_view type_name(const Value& value) {
  static constexpr std::array<std::string_view, 10> kNames = {"Undefined", "NoneType", "bool", "int",       "float",
                                                              "str",       "list",     "dict", "namespace", "macro"};
  return kNames.at(value.data().index());
}

bool is_true(const Value& value) {
  if (const bool* flag = value.flag()) {
    return *flag;
  }
  if (is_number(value)) {
    return to_real(value) != 0;
  }
  if (const std::string* text = value.text()) {
    return !text->empty();
  }
  if (const Sequence* sequence = value.sequence()) {
    return sequence->kind == Sequence::Kind::iterator || !sequence->items.empty();
  }
  if (const Mapping* mapping = value.mapping()) {
    return !mapping->items.empty();
  }
  return !value.is_undefined() && !value.is_none();
}

bool is_number(const Value& value) {
  return value.flag() != nullptr || value.integer() != nullptr || value.real() != nullptr;
}

double to_real(const Value& value) {
  if (const bool* flag = value.flag()) {
    return *flag ? 1 : 0;
  }
  return value.integer() != nullptr ? static_cast<double>(*value.integer()) : *value.real();
}

bool are_equal(const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) {
    const bool are_integers = a.integer() != nullptr && b.integer() != nullptr;
    return are_integers ? *a.integer() == *b.integer() : to_real(a) == to_real(b);
  }
  if (a.data().index() != b.data().index()) {
    return false;
  }
  if (const std::string* text = a.text()) {
    return *text == *b.text();
  }
  if (const Sequence* sequence = a.sequence()) {
    return are_equal_sequences(*sequence, *b.sequence());
  }
  if (const Mapping* mapping = a.mapping()) {
    return are_equal_mappings(*mapping, *b.mapping());
  }
  return a.is_undefined() || a.is_none() || (a.name_space() != nullptr && a.name_space() == b.name_space());
}

}  // namespace terse::calibration::jinja
