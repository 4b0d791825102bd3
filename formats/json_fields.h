#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace terse {

/// A value of a JSON document that knows where it stands, for errors: "model.vocab: found a string, expected an
/// object". A view: the document must outlive it.
class JsonField {
 public:
  JsonField(const nlohmann::json& value, std::string where) : value_(&value), where_(std::move(where)) {}

  const nlohmann::json& value() const { return *value_; }
  const std::string& where() const { return where_; }

  /// The member, unless it is absent or null. Error input if this is no object.
  std::optional<JsonField> find(std::string_view name) const;
  /// Error input if it is absent or null.
  JsonField get(std::string_view name) const;
  /// An array's element.
  JsonField at(size_t index) const;

  /// Number of elements. Error input if this is no array (no object).
  size_t array_size() const;
  size_t object_size() const;

  const std::string& text() const;
  bool flag() const;
  int64_t whole(int64_t least, int64_t greatest) const;
  double number() const;

  const std::string& text(std::string_view name) const { return get(name).text(); }
  std::string text_or(std::string_view name, std::string_view fallback) const;
  bool flag_or(std::string_view name, bool fallback) const;

 private:
  void expect(bool right, std::string_view expected) const;
  const nlohmann::json* value_;
  std::string where_;
};

/// Parses a document. Error input says where it is broken.
nlohmann::json parse_json(std::string_view text);

/// The same, but a member's name that occurs twice in one object is an error too, as is a depth of more than
/// `greatest_depth` objects and arrays within each other.
nlohmann::json parse_json_strictly(std::string_view text, int greatest_depth);

}  // namespace terse
