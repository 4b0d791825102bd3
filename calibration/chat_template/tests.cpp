#include <algorithm>
#include <array>

#include "calibration/chat_template/access.h"
#include "calibration/chat_template/filters.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

struct TestRow {
  std::string_view name;
  size_t arguments;
  bool (*test)(const Value& value, const Value& argument);
};

int64_t whole(const Value& value) {
  if (value.integer() == nullptr) {
    throw Error(Kind::input, "found a {}, expected a whole number", type_name(value));
  }
  return *value.integer();
}

bool is_dictionary(const Value& value) {
  return value.mapping() != nullptr && value.mapping()->kind == Mapping::Kind::dictionary;
}

bool is_indexed(const Value& value) {
  const Sequence* sequence = value.sequence();
  return value.text() != nullptr || is_dictionary(value) ||
         (sequence != nullptr && (sequence->kind == Sequence::Kind::list || sequence->kind == Sequence::Kind::tuple));
}

bool is_divisible(const Value& value, const Value& by) {
  if (whole(by) == 0) {
    throw Error(Kind::input, "a division by zero");
  }
  return whole(by) == -1 || whole(value) % whole(by) == 0;
}

constexpr std::array<TestRow, 33> kTests = {{
    {"defined", 0, [](const Value& v, const Value&) { return !v.is_undefined(); }},
    {"undefined", 0, [](const Value& v, const Value&) { return v.is_undefined(); }},
    {"none", 0, [](const Value& v, const Value&) { return v.is_none(); }},
    {"string", 0, [](const Value& v, const Value&) { return v.text() != nullptr; }},
    {"mapping", 0, [](const Value& v, const Value&) { return is_dictionary(v); }},
    {"iterable", 0,
     [](const Value& v, const Value&) {
       return v.is_undefined() || v.text() != nullptr || v.sequence() != nullptr || is_dictionary(v);
     }},
    {"sequence", 0, [](const Value& v, const Value&) { return is_indexed(v); }},
    {"number", 0, [](const Value& v, const Value&) { return is_number(v); }},
    {"integer", 0, [](const Value& v, const Value&) { return v.integer() != nullptr; }},
    {"float", 0, [](const Value& v, const Value&) { return v.real() != nullptr; }},
    {"boolean", 0, [](const Value& v, const Value&) { return v.flag() != nullptr; }},
    {"true", 0, [](const Value& v, const Value&) { return v.flag() != nullptr && *v.flag(); }},
    {"false", 0, [](const Value& v, const Value&) { return v.flag() != nullptr && !*v.flag(); }},
    {"odd", 0, [](const Value& v, const Value&) { return whole(v) % 2 != 0; }},
    {"even", 0, [](const Value& v, const Value&) { return whole(v) % 2 == 0; }},
    {"divisibleby", 1, is_divisible},
    {"in", 1, [](const Value& v, const Value& a) { return contains(a, v); }},
    {"==", 1, [](const Value& v, const Value& a) { return are_equal(v, a); }},
    {"eq", 1, [](const Value& v, const Value& a) { return are_equal(v, a); }},
    {"equalto", 1, [](const Value& v, const Value& a) { return are_equal(v, a); }},
    {"!=", 1, [](const Value& v, const Value& a) { return !are_equal(v, a); }},
    {"ne", 1, [](const Value& v, const Value& a) { return !are_equal(v, a); }},
    {">", 1, [](const Value& v, const Value& a) { return compare(">", v, a); }},
    {"gt", 1, [](const Value& v, const Value& a) { return compare(">", v, a); }},
    {"greaterthan", 1, [](const Value& v, const Value& a) { return compare(">", v, a); }},
    {">=", 1, [](const Value& v, const Value& a) { return compare(">=", v, a); }},
    {"ge", 1, [](const Value& v, const Value& a) { return compare(">=", v, a); }},
    {"<", 1, [](const Value& v, const Value& a) { return compare("<", v, a); }},
    {"lt", 1, [](const Value& v, const Value& a) { return compare("<", v, a); }},
    {"lessthan", 1, [](const Value& v, const Value& a) { return compare("<", v, a); }},
    {"<=", 1, [](const Value& v, const Value& a) { return compare("<=", v, a); }},
    {"le", 1, [](const Value& v, const Value& a) { return compare("<=", v, a); }},
    {"filter", 1,
     [](const Value&, const Value&) -> bool {
       throw Error(Kind::unsupported, "terse does not know the test 'filter'");
     }},
}};

}  // namespace

bool apply_test(const Value& value, std::string_view name, const Arguments& arguments) {
  const auto* row = std::ranges::find(kTests, name, &TestRow::name);
  if (row == kTests.end()) {
    throw Error(Kind::unsupported, "terse does not know the test '{}'", name);
  }
  if (arguments.positional.size() != row->arguments || !arguments.named.empty()) {
    throw Error(Kind::input, "the test '{}' takes {} arguments, found {}", name, row->arguments,
                arguments.positional.size() + arguments.named.size());
  }
  return row->test(value, arguments.positional.empty() ? Value() : arguments.positional.front());
}

}  // namespace terse::calibration::jinja
