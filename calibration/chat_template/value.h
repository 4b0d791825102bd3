#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace terse::calibration::jinja {

class Value;
class Scope;
struct Statement;

/// What was asked for and is not there.
struct Undefined {
  std::string name;
};
struct None {};

/// A list, or what behaves like one in places.
struct Sequence {
  enum class Kind {
    list,
    tuple,
    view,      ///< of range() and a dictionary's items(): a length, no printing
    iterator,  ///< of map, select and so on: always true, no length, read once
  };
  Kind kind = Kind::list;
  std::vector<Value> items;
  int depth = 1;                ///< of values in values
  int64_t weight = 1;           ///< bytes and items that printing it would touch
  mutable size_t consumed = 0;  ///< items of an iterator that have been read
};

/// A dictionary, in the order of its keys; or the variable `loop`.
struct Mapping {
  enum class Kind { dictionary, loop };
  Kind kind = Kind::dictionary;
  std::vector<std::pair<std::string, Value>> items;
  int depth = 1;
  int64_t weight = 1;

  const Value* find(std::string_view key) const;
};

/// What namespace() gives: the one value that changes. Holds data only.
struct Namespace {
  std::map<std::string, Value, std::less<>> items;
};

/// A macro where it was defined; lives as long as the scope.
struct Macro {
  const Statement* definition = nullptr;
  const Scope* scope = nullptr;
};

using Text = std::shared_ptr<const std::string>;

/// What expressions have: Python's values, as far as templates meet them. Copies share what they hold.
class Value {
 public:
  using Data = std::variant<Undefined, None, bool, int64_t, double, Text, std::shared_ptr<const Sequence>,
                            std::shared_ptr<const Mapping>, std::shared_ptr<Namespace>, Macro>;

  Value() = default;
  Value(None none) : data_(none) {}         // NOLINT(google-explicit-constructor): it is the value
  Value(bool flag) : data_(flag) {}         // NOLINT(google-explicit-constructor)
  Value(int64_t number) : data_(number) {}  // NOLINT(google-explicit-constructor)
  Value(double number) : data_(number) {}   // NOLINT(google-explicit-constructor)
  Value(std::string text) : data_(std::make_shared<const std::string>(std::move(text))) {}  // NOLINT
  Value(const char*) = delete;

  static Value undefined(std::string name);
  /// Error input if values lie too deep in each other or hold too much (a value may be held many times), unsupported
  /// if one is no data (see is_data).
  static Value sequence(std::vector<Value> items, Sequence::Kind kind = Sequence::Kind::list);
  static Value mapping(std::vector<std::pair<std::string, Value>> items,
                       Mapping::Kind kind = Mapping::Kind::dictionary);
  static Value name_space(std::map<std::string, Value, std::less<>> items);
  static Value macro(Macro macro);

  bool is_undefined() const { return std::holds_alternative<Undefined>(data_); }
  bool is_none() const { return std::holds_alternative<None>(data_); }
  const bool* flag() const { return std::get_if<bool>(&data_); }
  const int64_t* integer() const { return std::get_if<int64_t>(&data_); }
  const double* real() const { return std::get_if<double>(&data_); }
  const std::string* text() const;
  const Sequence* sequence() const;
  const Mapping* mapping() const;
  Namespace* name_space() const;
  const Macro* macro() const { return std::get_if<Macro>(&data_); }
  const Data& data() const { return data_; }

  /// False for namespaces and macros, which other values may not hold.
  bool is_data() const { return name_space() == nullptr && macro() == nullptr; }

 private:
  Data data_;
};

/// What it takes to print or compare a value: its bytes and items, and those of what it holds.
int64_t weight_of(const Value& value);

/// Error input if a text that is being made is too long.
void check_size(size_t bytes);

/// Python's name of the type: "str".
std::string_view type_name(const Value& value);

bool is_true(const Value& value);

/// The number of a boolean, an integer or a float.
bool is_number(const Value& value);
double to_real(const Value& value);

/// Python's ==.
bool are_equal(const Value& a, const Value& b);

/// Python's str(); of what is undefined nothing. Error unsupported for values whose text says where they lie in memory.
std::string to_text(const Value& value);

struct JsonStyle {
  int64_t indent = -1;  ///< blanks a level; negative: all in one line
  std::string item_separator = ", ", key_separator = ": ";
  bool sort_keys = false;
};

/// Python's json.dumps(..., ensure_ascii=False). Error input for what JSON does not have.
std::string to_json(const Value& value, const JsonStyle& style);

/// The value of a JSON document. Error input.
Value read_json(std::string_view text);

}  // namespace terse::calibration::jinja
