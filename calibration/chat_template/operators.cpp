#include <cmath>
#include <optional>

#include "calibration/chat_template/access.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

[[noreturn]] void fail(std::string_view symbol, const Value& a, const Value& b) {
  for (const Value* value : {&a, &b}) {
    if (value->is_undefined()) {
      throw Error(Kind::input, "'{}' is undefined", std::get<Undefined>(value->data()).name);
    }
  }
  throw Error(Kind::input, "'{}' of a {} and a {}", symbol, type_name(a), type_name(b));
}

/// The whole number of an integer or a boolean.
std::optional<int64_t> whole(const Value& value) {
  if (value.flag() != nullptr) {
    return *value.flag() ? 1 : 0;
  }
  return value.integer() != nullptr ? std::optional(*value.integer()) : std::nullopt;
}

int64_t checked(bool overflows, int64_t result) {
  if (overflows) {
    throw Error(Kind::unsupported, "terse calculates with 64 bits");
  }
  return result;
}

/// Rounded down, as Python does.
Value divide(int64_t a, int64_t b, bool wants_rest) {
  if (b == 0) {
    throw Error(Kind::input, "a division by zero");
  }
  if (b == -1) {  // the smallest number has no opposite
    return wants_rest ? int64_t{0} : checked(a == INT64_MIN, a == INT64_MIN ? 0 : -a);
  }
  const int64_t rest = a % b != 0 && (a % b < 0) != (b < 0) ? a % b + b : a % b;
  return wants_rest ? rest : (a - rest) / b;
}

Value calculate_whole(std::string_view symbol, int64_t a, int64_t b) {
  int64_t result = 0;
  if (symbol == "+") {
    const bool overflows = __builtin_add_overflow(a, b, &result);
    return checked(overflows, result);
  }
  if (symbol == "-") {
    const bool overflows = __builtin_sub_overflow(a, b, &result);
    return checked(overflows, result);
  }
  if (symbol == "*") {
    const bool overflows = __builtin_mul_overflow(a, b, &result);
    return checked(overflows, result);
  }
  return divide(a, b, symbol == "%");
}

Value calculate_real(std::string_view symbol, double a, double b) {
  if (symbol == "+" || symbol == "-") {
    return symbol == "+" ? a + b : a - b;
  }
  if (symbol == "*") {
    return a * b;
  }
  if (b == 0) {
    throw Error(Kind::input, "a division by zero");
  }
  if (symbol == "/") {
    return a / b;
  }
  throw Error(Kind::unsupported, "terse knows '{}' of whole numbers only", symbol);
}

bool is_plain(const Sequence& sequence) {
  return sequence.kind == Sequence::Kind::list || sequence.kind == Sequence::Kind::tuple;
}

/// Python's order of texts is that of code points, which is that of UTF-8's bytes.
int order(std::string_view symbol, const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) {
    const auto x = whole(a), y = whole(b);
    if (x && y) {
      return *x < *y ? -1 : *x > *y ? 1 : 0;
    }
    return to_real(a) < to_real(b) ? -1 : to_real(a) > to_real(b) ? 1 : 0;
  }
  if (a.text() != nullptr && b.text() != nullptr) {
    return a.text()->compare(*b.text());
  }
  if (a.sequence() != nullptr && b.sequence() != nullptr) {
    throw Error(Kind::unsupported, "terse does not put lists in order");
  }
  fail(symbol, a, b);
}

}  // namespace

Value calculate(std::string_view symbol, const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) {
    const auto x = whole(a), y = whole(b);
    return x && y && symbol != "/" ? calculate_whole(symbol, *x, *y) : calculate_real(symbol, to_real(a), to_real(b));
  }
  if (symbol == "+" && a.text() != nullptr && b.text() != nullptr) {
    return *a.text() + *b.text();
  }
  if (symbol == "+" && a.sequence() != nullptr && b.sequence() != nullptr && is_plain(*a.sequence()) &&
      a.sequence()->kind == b.sequence()->kind) {
    std::vector<Value> items = a.sequence()->items;
    items.insert(items.end(), b.sequence()->items.begin(), b.sequence()->items.end());
    return Value::sequence(std::move(items), a.sequence()->kind);
  }
  const bool has_text = a.text() != nullptr || b.text() != nullptr;
  if ((symbol == "%" && a.text() != nullptr) || (symbol == "*" && (has_text || a.sequence() || b.sequence()))) {
    throw Error(Kind::unsupported, "terse does not know '{}' of a {} and a {}", symbol, type_name(a), type_name(b));
  }
  fail(symbol, a, b);
}

Value negate(const Value& value) {
  if (value.real() != nullptr) {
    return -*value.real();
  }
  const auto number = whole(value);
  if (!number) {
    throw Error(Kind::input, "'-' of a {}", type_name(value));
  }
  return calculate_whole("-", 0, *number);
}

bool compare(std::string_view symbol, const Value& a, const Value& b) {
  if (symbol == "==" || symbol == "!=") {
    return are_equal(a, b) == (symbol == "==");
  }
  if (symbol == "in" || symbol == "not in") {
    return contains(b, a) == (symbol == "in");
  }
  if (is_number(a) && is_number(b) && (std::isnan(to_real(a)) || std::isnan(to_real(b)))) {
    return false;
  }
  const int found = order(symbol, a, b);
  return symbol == "<" ? found < 0 : symbol == "<=" ? found <= 0 : symbol == ">" ? found > 0 : found >= 0;
}

}  // namespace terse::calibration::jinja
