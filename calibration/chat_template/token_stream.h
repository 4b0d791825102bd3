#pragma once

#include <string_view>
#include <vector>

#include "calibration/chat_template/lexer.h"
#include "calibration/chat_template/syntax.h"

namespace terse::calibration::jinja {

/// The tokens that are still to be read.
class TokenStream {
 public:
  explicit TokenStream(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& look() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take();

  bool is(Token::Kind kind) const { return current().kind == kind; }
  bool is_name(std::string_view name) const { return is(Token::Kind::name) && current().text == name; }
  bool is_symbol(std::string_view symbol) const { return is(Token::Kind::symbol) && current().text == symbol; }
  bool take_name(std::string_view name);
  bool take_symbol(std::string_view symbol);
  std::string expect_name();
  void expect_name(std::string_view name);
  void expect_symbol(std::string_view symbol);
  void expect(Token::Kind kind, std::string_view what);

  /// Error input with the line of the current token: "line 3: expected WHAT, found ...".
  [[noreturn]] void fail(std::string_view expected) const;

 private:
  std::vector<Token> tokens_;
  size_t at_ = 0;
};

/// An expression; with `Commas::make_tuples`, "a, b" is one too. `depth`: how deep it lies in others.
enum class Commas { end, make_tuples };
ExpressionPtr parse_expression(TokenStream& tokens, Commas commas);
/// The same without "x if y": in front of a loop's own `if`.
ExpressionPtr parse_without_condition(TokenStream& tokens);

}  // namespace terse::calibration::jinja
