#include "calibration/chat_template/access.h"

#include <algorithm>
#include <optional>

#include "calibration/chat_template/methods.h"
#include "calibration/chat_template/strings.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

[[noreturn]] void fail_undefined(const Value& value) {
  throw Error(Kind::input, "'{}' is undefined", std::get<Undefined>(value.data()).name);
}

bool is_iterator(const Value& value) {
  return value.sequence() != nullptr && value.sequence()->kind == Sequence::Kind::iterator;
}

/// `index` from the end if it is negative; `count` if there is nothing.
size_t position(int64_t index, size_t count) {
  const int64_t from_start = index < 0 ? index + static_cast<int64_t>(count) : index;
  return from_start < 0 || from_start >= static_cast<int64_t>(count) ? count : static_cast<size_t>(from_start);
}

/// The positions that Python's slice takes of `count`.
std::vector<size_t> sliced(int64_t count, std::optional<int64_t> begin, std::optional<int64_t> end, int64_t step) {
  if (step == 0) {
    throw Error(Kind::input, "a slice with a step of 0");
  }
  const int64_t low = step > 0 ? 0 : -1, high = step > 0 ? count : count - 1;
  const auto clamp = [&](int64_t bound) {
    const int64_t shifted = bound < 0 ? bound + std::min(count, INT64_MAX + std::min<int64_t>(bound, -1)) : bound;
    return std::clamp(shifted, low, high);
  };
  const int64_t first = begin ? clamp(*begin) : step > 0 ? low : high;
  const int64_t last = end ? clamp(*end) : step > 0 ? high : low;
  std::vector<size_t> positions;
  for (int64_t i = first; step > 0 ? i < last : i > last;) {
    positions.push_back(static_cast<size_t>(i));
    if (step > count || step < -count) {
      break;
    }
    i += step;
  }
  return positions;
}

std::optional<int64_t> bound_of(const Value& value) {
  if (value.is_none()) {
    return std::nullopt;
  }
  if (value.integer() == nullptr) {
    throw Error(Kind::input, "a slice's bound is a {}, expected a whole number", type_name(value));
  }
  return *value.integer();
}

}  // namespace

std::vector<Value> iterate(const Value& value) {
  std::vector<Value> items;
  if (const Sequence* sequence = value.sequence()) {
    items.assign(sequence->items.begin() + static_cast<std::ptrdiff_t>(sequence->consumed), sequence->items.end());
    sequence->consumed = sequence->kind == Sequence::Kind::iterator ? sequence->items.size() : 0;
  } else if (const Mapping* mapping = value.mapping();
             mapping != nullptr && mapping->kind == Mapping::Kind::dictionary) {
    std::ranges::transform(mapping->items, std::back_inserter(items), [](const auto& item) { return item.first; });
  } else if (const std::string* text = value.text()) {
    std::ranges::transform(characters_of(*text), std::back_inserter(items),
                           [](std::string_view character) { return std::string(character); });
  } else if (!value.is_undefined()) {
    throw Error(Kind::input, "a {} is nothing to loop over", type_name(value));
  }
  return items;
}

Value first_of(const Value& value) {
  if (!is_iterator(value)) {
    const auto items = iterate(value);
    return items.empty() ? Value::undefined("the first item") : items.front();
  }
  const Sequence& sequence = *value.sequence();
  return sequence.consumed < sequence.items.size() ? sequence.items[sequence.consumed++]
                                                   : Value::undefined("the first item");
}

int64_t length_of(const Value& value) {
  if (const std::string* text = value.text()) {
    return length(*text);
  }
  if (const Mapping* mapping = value.mapping()) {
    return std::ssize(mapping->items);
  }
  if (value.sequence() != nullptr && !is_iterator(value)) {
    return std::ssize(value.sequence()->items);
  }
  if (!value.is_undefined()) {
    throw Error(Kind::input, "a {} has no length", is_iterator(value) ? "iterator" : type_name(value));
  }
  return 0;
}

Value get_attribute(const Value& value, std::string_view name) {
  if (value.is_undefined()) {
    fail_undefined(value);
  }
  if (is_method(value, name)) {
    throw Error(Kind::unsupported, "the method '{}' without a call", name);
  }
  if (const Namespace* space = value.name_space()) {
    const auto found = space->items.find(name);
    return found == space->items.end() ? Value::undefined(std::string(name)) : found->second;
  }
  const Mapping* mapping = value.mapping();
  const Value* found = mapping == nullptr ? nullptr : mapping->find(name);
  if (mapping != nullptr && found == nullptr && mapping->kind == Mapping::Kind::loop) {
    throw Error(Kind::unsupported, "terse does not know 'loop.{}'", name);
  }
  return found == nullptr ? Value::undefined(std::string(name)) : *found;
}

Value get_item(const Value& value, const Value& index) {
  if (value.is_undefined()) {
    fail_undefined(value);
  }
  if (const std::string* key = index.text()) {
    if (const Mapping* mapping = value.mapping()) {
      if (const Value* found = mapping->find(*key)) {
        return *found;
      }
    }
    return get_attribute(value, *key);
  }
  const int64_t* number = index.integer();
  const Sequence* sequence = value.sequence();
  if (sequence != nullptr && (sequence->kind == Sequence::Kind::view || sequence->kind == Sequence::Kind::iterator)) {
    throw Error(Kind::unsupported, "terse takes no items of iterators: make a list of it");
  }
  if (number != nullptr && sequence != nullptr) {
    const size_t at = position(*number, sequence->items.size());
    return at < sequence->items.size() ? sequence->items[at] : Value::undefined(fmt::format("[{}]", *number));
  }
  if (number != nullptr && value.text() != nullptr) {
    const auto characters = characters_of(*value.text());
    const size_t at = position(*number, characters.size());
    return at < characters.size() ? Value(std::string(characters[at])) : Value::undefined(fmt::format("[{}]", *number));
  }
  return Value::undefined(fmt::format("[{}]", to_text(index)));
}

Value get_slice(const Value& value, const Value& begin, const Value& end, const Value& step) {
  const Sequence* sequence = value.sequence();
  if (value.text() == nullptr &&
      (sequence == nullptr || sequence->kind == Sequence::Kind::view || sequence->kind == Sequence::Kind::iterator)) {
    throw Error(Kind::input, "a {} cannot be sliced", sequence == nullptr ? type_name(value) : "iterator");
  }
  const auto positions = sliced(length_of(value), bound_of(begin), bound_of(end), bound_of(step).value_or(1));
  if (sequence != nullptr) {
    std::vector<Value> items;
    std::ranges::transform(positions, std::back_inserter(items), [&](size_t at) { return sequence->items[at]; });
    return Value::sequence(std::move(items), sequence->kind);
  }
  const auto characters = characters_of(*value.text());
  std::string text;
  for (const size_t at : positions) {
    text += characters[at];
  }
  return text;
}

bool contains(const Value& value, const Value& item) {
  if (const std::string* text = value.text()) {
    if (item.text() == nullptr) {
      throw Error(Kind::input, "'in' a string wants a string, found a {}", type_name(item));
    }
    return text->find(*item.text()) != std::string::npos;
  }
  if (is_iterator(value)) {
    throw Error(Kind::unsupported, "terse does not know 'in' an iterator: make a list of it");
  }
  const auto items = iterate(value);
  return std::ranges::any_of(items, [&](const Value& other) { return are_equal(item, other); });
}

}  // namespace terse::calibration::jinja
