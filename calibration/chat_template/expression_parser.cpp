#include <algorithm>
#include <array>
#include <charconv>

#include "calibration/chat_template/token_stream.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

using Kind = Expression::Kind;

constexpr int kMostDepth = 60;       // of brackets in brackets; the parser is ten functions deep for each
constexpr int64_t kMostChain = 200;  // of operators, filters, items one after the other

std::unique_ptr<Expression> make(Kind kind, int64_t line, std::string name = "") {
  auto node = std::make_unique<Expression>();
  node->kind = kind;
  node->line = line;
  node->name = std::move(name);
  return node;
}

template <typename... Children>
ExpressionPtr make_with(Kind kind, int64_t line, std::string name, Children... children) {
  auto node = make(kind, line, std::move(name));
  (node->children.push_back(std::move(children)), ...);
  return node;
}

ExpressionPtr make_constant(Value value, int64_t line) {
  auto node = std::make_unique<Expression>();
  node->line = line;
  node->value = std::move(value);
  return node;
}

/// Grammar and precedence are Jinja's.
class Parser {
 public:
  explicit Parser(TokenStream& tokens) : tokens_(tokens) {}

  ExpressionPtr conditional() {
    const Nesting nesting(*this);
    ExpressionPtr value = disjunction();
    for (int64_t count = 0; tokens_.is_name("if"); check_chain(++count)) {
      const int64_t line = tokens_.take().line;
      ExpressionPtr condition = disjunction();
      ExpressionPtr otherwise = tokens_.take_name("else") ? conditional() : nullptr;
      value = make_with(Kind::conditional, line, "", std::move(value), std::move(condition), std::move(otherwise));
    }
    return value;
  }

  ExpressionPtr tuple() {
    const int64_t line = tokens_.current().line;
    ExpressionPtr first = conditional();
    if (!tokens_.is_symbol(",")) {
      return first;
    }
    auto node = make(Kind::tuple, line);
    node->children.push_back(std::move(first));
    while (tokens_.take_symbol(",") && !ends_tuple()) {
      node->children.push_back(conditional());
    }
    return node;
  }

  ExpressionPtr disjunction() {
    ExpressionPtr left = conjunction();
    for (int64_t count = 0; tokens_.is_name("or"); check_chain(++count)) {
      const int64_t line = tokens_.take().line;
      left = make_with(Kind::logical_or, line, "", std::move(left), conjunction());
    }
    return left;
  }

 private:
  /// Counts how deep the parser is.
  class Nesting {
   public:
    explicit Nesting(Parser& parser) : parser_(parser) {
      if (++parser_.depth_ > kMostDepth) {
        throw Error(terse::Kind::input, "line {}: an expression that is more than {} deep",
                    parser.tokens_.current().line, kMostDepth);
      }
    }
    ~Nesting() { --parser_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Parser& parser_;
  };

  void check_chain(int64_t count) const {
    if (count > kMostChain) {
      throw Error(terse::Kind::input, "line {}: an expression of more than {} parts", tokens_.current().line,
                  kMostChain);
    }
  }

  bool ends_tuple() const {
    return tokens_.is(Token::Kind::print_end) || tokens_.is(Token::Kind::block_end) || tokens_.is_symbol(")");
  }

  ExpressionPtr conjunction() {
    ExpressionPtr left = negation();
    for (int64_t count = 0; tokens_.is_name("and"); check_chain(++count)) {
      const int64_t line = tokens_.take().line;
      left = make_with(Kind::logical_and, line, "", std::move(left), negation());
    }
    return left;
  }

  ExpressionPtr negation() {
    if (tokens_.is_name("not")) {
      const Nesting nesting(*this);
      const int64_t line = tokens_.take().line;
      return make_with(Kind::logical_not, line, "", negation());
    }
    return comparison();
  }

  /// The operator of a comparison, taken; empty if there is none.
  std::string take_comparison() {
    static constexpr std::array<std::string_view, 6> kOperators = {"==", "!=", "<=", ">=", "<", ">"};
    for (const std::string_view symbol : kOperators) {
      if (tokens_.take_symbol(symbol)) {
        return std::string(symbol);
      }
    }
    if (tokens_.take_name("in")) {
      return "in";
    }
    if (tokens_.is_name("not") && tokens_.look().kind == Token::Kind::name && tokens_.look().text == "in") {
      tokens_.take();
      tokens_.take();
      return "not in";
    }
    return "";
  }

  ExpressionPtr comparison() {
    const int64_t line = tokens_.current().line;
    ExpressionPtr first = sum();
    std::string symbol = take_comparison();
    if (symbol.empty()) {
      return first;
    }
    auto node = make(Kind::comparison, line);
    node->children.push_back(std::move(first));
    for (; !symbol.empty(); symbol = take_comparison()) {
      node->operators.push_back(symbol);
      node->children.push_back(sum());
    }
    return node;
  }

  ExpressionPtr sum() {
    ExpressionPtr left = concatenation();
    for (int64_t count = 0; tokens_.is_symbol("+") || tokens_.is_symbol("-"); check_chain(++count)) {
      const Token symbol = tokens_.take();
      left = make_with(Kind::arithmetic, symbol.line, symbol.text, std::move(left), concatenation());
    }
    return left;
  }

  ExpressionPtr concatenation() {
    const int64_t line = tokens_.current().line;
    ExpressionPtr first = product();
    if (!tokens_.is_symbol("~")) {
      return first;
    }
    auto node = make(Kind::concatenation, line);
    node->children.push_back(std::move(first));
    while (tokens_.take_symbol("~")) {
      node->children.push_back(product());
    }
    return node;
  }

  ExpressionPtr product() {
    const auto is_operator = [&] {
      return tokens_.is_symbol("*") || tokens_.is_symbol("/") || tokens_.is_symbol("//") || tokens_.is_symbol("%");
    };
    ExpressionPtr left = unary();
    for (int64_t count = 0; is_operator(); check_chain(++count)) {
      const Token symbol = tokens_.take();
      left = make_with(Kind::arithmetic, symbol.line, symbol.text, std::move(left), unary());
    }
    if (tokens_.is_symbol("**")) {
      throw Error(terse::Kind::unsupported, "line {}: terse does not know the operator '**'", tokens_.current().line);
    }
    return left;
  }

  ExpressionPtr unary() { return filters(signed_value()); }

  /// A sign binds tighter than filters, and looser than attributes and items.
  ExpressionPtr signed_value() {
    if (tokens_.is_symbol("-")) {
      const Nesting nesting(*this);
      const int64_t line = tokens_.take().line;
      return make_with(Kind::negate, line, "", signed_value());
    }
    if (tokens_.is_symbol("+")) {
      throw Error(terse::Kind::unsupported, "line {}: terse does not know the sign '+'", tokens_.current().line);
    }
    return postfix(primary());
  }

  ExpressionPtr primary() {
    const Token token = tokens_.current();
    switch (token.kind) {
      case Token::Kind::name:
        tokens_.take();
        return named(token);
      case Token::Kind::string:
        return string();
      case Token::Kind::integer:
      case Token::Kind::real:
        tokens_.take();
        return number(token);
      default:
        break;
    }
    if (tokens_.take_symbol("(")) {
      ExpressionPtr inner = tokens_.is_symbol(")") ? make(Kind::tuple, token.line) : tuple();
      tokens_.expect_symbol(")");
      return inner;
    }
    if (tokens_.take_symbol("[")) {
      return bracketed(Kind::list, "]", token.line);
    }
    if (tokens_.take_symbol("{")) {
      return bracketed(Kind::dictionary, "}", token.line);
    }
    tokens_.fail("an expression");
  }

  ExpressionPtr named(const Token& token) {
    static constexpr std::array<std::string_view, 3> kRefused = {"varargs", "kwargs", "caller"};
    if (token.text == "true" || token.text == "True" || token.text == "false" || token.text == "False") {
      return make_constant(token.text == "true" || token.text == "True", token.line);
    }
    if (token.text == "none" || token.text == "None") {
      return make_constant(None{}, token.line);
    }
    if (std::ranges::find(kRefused, token.text) != kRefused.end()) {
      throw Error(terse::Kind::unsupported, "line {}: terse does not know '{}' of macros", token.line, token.text);
    }
    return make(Kind::name, token.line, token.text);
  }

  /// Neighbouring literals are one.
  ExpressionPtr string() {
    const int64_t line = tokens_.current().line;
    std::string text;
    while (tokens_.is(Token::Kind::string)) {
      text += tokens_.take().text;
    }
    return make_constant(std::move(text), line);
  }

  static ExpressionPtr number(const Token& token) {
    const char* end = token.text.data() + token.text.size();
    int64_t integer = 0;
    double real = 0;
    const bool is_integer = token.kind == Token::Kind::integer;
    const auto result =
        is_integer ? std::from_chars(token.text.data(), end, integer) : std::from_chars(token.text.data(), end, real);
    if (result.ec != std::errc{} || result.ptr != end) {
      throw Error(terse::Kind::input, "line {}: the number {} does not fit into 64 bits", token.line, token.text);
    }
    return is_integer ? make_constant(integer, token.line) : make_constant(real, token.line);
  }

  ExpressionPtr bracketed(Kind kind, std::string_view close, int64_t line) {
    auto node = make(kind, line);
    while (!tokens_.is_symbol(close)) {
      if (!node->children.empty()) {
        tokens_.expect_symbol(",");
        if (tokens_.is_symbol(close)) {
          break;
        }
      }
      node->children.push_back(conditional());
      if (kind == Kind::dictionary) {
        tokens_.expect_symbol(":");
        node->children.push_back(conditional());
      }
    }
    tokens_.expect_symbol(close);
    return node;
  }

  ExpressionPtr postfix(ExpressionPtr value) {
    for (int64_t count = 0;; check_chain(++count)) {
      const int64_t line = tokens_.current().line;
      if (tokens_.take_symbol(".")) {
        if (tokens_.is(Token::Kind::integer)) {
          value = make_with(Kind::item, line, "", std::move(value), number(tokens_.take()));
        } else {
          value = make_with(Kind::attribute, line, tokens_.expect_name(), std::move(value));
        }
      } else if (tokens_.take_symbol("[")) {
        value = subscript(std::move(value), line);
      } else if (tokens_.is_symbol("(")) {
        auto node = make(Kind::call, line);
        node->children.push_back(std::move(value));
        arguments(*node);
        value = std::move(node);
      } else {
        return value;
      }
    }
  }

  ExpressionPtr subscript(ExpressionPtr value, int64_t line) {
    std::array<ExpressionPtr, 3> parts;
    size_t part = 0;
    bool is_slice = false;
    while (!tokens_.is_symbol("]")) {
      if (tokens_.take_symbol(":")) {
        is_slice = true;
        if (++part == parts.size()) {
          tokens_.fail("']'");
        }
      } else if (parts.at(part)) {
        tokens_.fail("']'");
      } else {
        parts.at(part) = conditional();
      }
    }
    tokens_.expect_symbol("]");
    if (!is_slice && !parts[0]) {
      tokens_.fail("an index");
    }
    return is_slice ? make_with(Kind::slice, line, "", std::move(value), std::move(parts[0]), std::move(parts[1]),
                                std::move(parts[2]))
                    : make_with(Kind::item, line, "", std::move(value), std::move(parts[0]));
  }

  void arguments(Expression& node) {
    tokens_.expect_symbol("(");
    while (!tokens_.is_symbol(")")) {
      if (!node.arguments.empty() || !node.named.empty()) {
        tokens_.expect_symbol(",");
        if (tokens_.is_symbol(")")) {
          break;
        }
      }
      if (tokens_.is_symbol("*") || tokens_.is_symbol("**")) {
        throw Error(terse::Kind::unsupported, "line {}: terse does not unpack arguments ('{}')", tokens_.current().line,
                    tokens_.current().text);
      }
      const bool has_name =
          tokens_.is(Token::Kind::name) && tokens_.look().kind == Token::Kind::symbol && tokens_.look().text == "=";
      if (has_name) {
        std::string name = tokens_.expect_name();
        tokens_.expect_symbol("=");
        node.named.emplace_back(std::move(name), conditional());
      } else if (!node.named.empty()) {
        tokens_.fail("a named argument");
      } else {
        node.arguments.push_back(conditional());
      }
    }
    tokens_.expect_symbol(")");
  }

  ExpressionPtr filters(ExpressionPtr value) {
    for (int64_t count = 0;; check_chain(++count)) {
      if (tokens_.take_symbol("|")) {
        value = filter(std::move(value));
      } else if (tokens_.is_name("is")) {
        value = test(std::move(value));
      } else {
        return value;
      }
    }
  }

  ExpressionPtr filter(ExpressionPtr value) {
    auto node = make(Kind::filter, tokens_.current().line);
    node->name = tokens_.expect_name();
    node->children.push_back(std::move(value));
    if (tokens_.is_symbol("(")) {
      arguments(*node);
    }
    return node;
  }

  /// "x is not test", "x is test", "x is test(y)" or "x is test y".
  ExpressionPtr test(ExpressionPtr value) {
    const int64_t line = tokens_.take().line;
    const bool is_negated = tokens_.take_name("not");
    auto node = make(Kind::test, line);
    node->name = tokens_.expect_name();
    node->children.push_back(std::move(value));
    if (tokens_.is_symbol("(")) {
      arguments(*node);
    } else if (starts_argument()) {
      const Nesting nesting(*this);
      node->arguments.push_back(postfix(primary()));
    }
    return is_negated ? make_with(Kind::logical_not, line, "", std::move(node)) : ExpressionPtr(std::move(node));
  }

  bool starts_argument() const {
    static constexpr std::array<std::string_view, 6> kNotOnes = {"else", "or", "and", "is", "if", "in"};
    const Token& token = tokens_.current();
    switch (token.kind) {
      case Token::Kind::name:
        return std::ranges::find(kNotOnes, token.text) == kNotOnes.end() && token.text != "not";
      case Token::Kind::string:
      case Token::Kind::integer:
      case Token::Kind::real:
        return true;
      default:
        return token.kind == Token::Kind::symbol && (token.text == "[" || token.text == "{");
    }
  }

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace

ExpressionPtr parse_expression(TokenStream& tokens, Commas commas) {
  Parser parser(tokens);
  return commas == Commas::make_tuples ? parser.tuple() : parser.conditional();
}

ExpressionPtr parse_without_condition(TokenStream& tokens) { return Parser(tokens).disjunction(); }

}  // namespace terse::calibration::jinja
