#include "calibration/chat_template/parser.h"

#include <algorithm>
#include <array>

#include "calibration/chat_template/token_stream.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

using Kind = Statement::Kind;

constexpr int kMostDepth = 60;

class Parser {
 public:
  explicit Parser(std::string_view source) : tokens_(tokenize(source)) {}

  Block run() {
    Block block = parse_block({});
    if (!tokens_.is(Token::Kind::end)) {
      tokens_.fail("the end of the template");
    }
    return block;
  }

 private:
  struct TagRow {
    std::string_view name;
    Statement (Parser::*parse)(int64_t line);
  };
  static const std::array<TagRow, 7> kTags;

  /// Statements up to "{% NAME" with one of `ends`, of which "{%" is taken; or to the end of the template.
  Block parse_block(const std::vector<std::string_view>& ends) {
    if (++depth_ > kMostDepth) {
      throw Error(terse::Kind::input, "line {}: blocks that are more than {} deep", tokens_.current().line, kMostDepth);
    }
    Block block;
    while (!tokens_.is(Token::Kind::end)) {
      const Token token = tokens_.take();
      if (token.kind == Token::Kind::text) {
        block.push_back({.kind = Kind::text, .line = token.line, .name = token.text});
      } else if (token.kind == Token::Kind::print_begin) {
        block.push_back(parse_print(token.line));
      } else if (std::ranges::any_of(ends, [&](std::string_view end) { return tokens_.is_name(end); })) {
        break;
      } else {
        block.push_back(parse_tag(token.line));
      }
    }
    --depth_;
    return block;
  }

  Statement parse_print(int64_t line) {
    Statement statement{.kind = Kind::print, .line = line};
    statement.expressions.push_back(parse_expression(tokens_, Commas::make_tuples));
    tokens_.expect(Token::Kind::print_end, "'}}'");
    return statement;
  }

  Statement parse_tag(int64_t line) {
    const std::string name = tokens_.expect_name();
    const auto* row = std::ranges::find(kTags, name, &TagRow::name);
    if (row == kTags.end()) {
      const bool is_end = name.starts_with("end") || name == "else" || name == "elif";
      throw Error(is_end ? terse::Kind::input : terse::Kind::unsupported, "line {}: {}", line,
                  is_end ? fmt::format("'{{% {} %}}' does not belong here", name)
                         : fmt::format("terse does not know the tag '{{% {} %}}'", name));
    }
    return (this->*row->parse)(line);
  }

  void end_tag() { tokens_.expect(Token::Kind::block_end, "'%}'"); }

  /// The block up to "{% NAME %}", which is taken.
  Block parse_body(std::string_view end) {
    end_tag();
    Block block = parse_block({end});
    tokens_.expect_name(end);
    end_tag();
    return block;
  }

  Statement parse_if(int64_t line) {
    Statement statement{.kind = Kind::branch, .line = line};
    do {
      statement.expressions.push_back(parse_expression(tokens_, Commas::make_tuples));
      end_tag();
      statement.blocks.push_back(parse_block({"elif", "else", "endif"}));
    } while (tokens_.take_name("elif"));
    if (tokens_.take_name("else")) {
      end_tag();
      statement.blocks.push_back(parse_block({"endif"}));
    }
    tokens_.expect_name("endif");
    end_tag();
    return statement;
  }

  Statement parse_for(int64_t line) {
    Statement statement{.kind = Kind::loop, .line = line};
    statement.targets = parse_targets();
    tokens_.expect_name("in");
    statement.expressions.push_back(parse_without_condition(tokens_));
    statement.expressions.push_back(tokens_.take_name("if") ? parse_expression(tokens_, Commas::end) : nullptr);
    if (tokens_.is_name("recursive")) {
      throw Error(terse::Kind::unsupported, "line {}: terse does not know recursive loops", line);
    }
    end_tag();
    statement.blocks.push_back(parse_block({"else", "endfor"}));
    if (tokens_.take_name("else")) {
      end_tag();
      statement.blocks.push_back(parse_block({"endfor"}));
    }
    tokens_.expect_name("endfor");
    end_tag();
    return statement;
  }

  /// "x", "x, y", "(x, y)" or "ns.x".
  std::vector<std::string> parse_targets() {
    const bool has_bracket = tokens_.take_symbol("(");
    std::vector<std::string> targets;
    do {
      targets.push_back(tokens_.expect_name());
      if (tokens_.take_symbol(".")) {
        targets.back() += "." + tokens_.expect_name();
      }
    } while (tokens_.take_symbol(","));
    if (has_bracket) {
      tokens_.expect_symbol(")");
    }
    return targets;
  }

  Statement parse_set(int64_t line) {
    Statement statement{.kind = Kind::assignment, .line = line};
    statement.targets = parse_targets();
    if (tokens_.take_symbol("=")) {
      statement.expressions.push_back(parse_expression(tokens_, Commas::make_tuples));
      end_tag();
      return statement;
    }
    if (tokens_.is_symbol("|") || statement.targets.size() != 1) {
      throw Error(terse::Kind::unsupported, "line {}: terse does not know this form of '{{% set %}}'", line);
    }
    statement.kind = Kind::capture;
    statement.blocks.push_back(parse_body("endset"));
    return statement;
  }

  Statement parse_macro(int64_t line) {
    Statement statement{.kind = Kind::macro, .line = line, .name = tokens_.expect_name()};
    tokens_.expect_symbol("(");
    while (!tokens_.is_symbol(")")) {
      if (!statement.parameters.empty()) {
        tokens_.expect_symbol(",");
      }
      Parameter parameter{.name = tokens_.expect_name(), .otherwise = nullptr};
      if (tokens_.take_symbol("=")) {
        parameter.otherwise = parse_expression(tokens_, Commas::end);
      }
      statement.parameters.push_back(std::move(parameter));
    }
    tokens_.expect_symbol(")");
    statement.blocks.push_back(parse_body("endmacro"));
    return statement;
  }

  Statement parse_break(int64_t line) {
    end_tag();
    return {.kind = Kind::leave, .line = line};
  }

  Statement parse_continue(int64_t line) {
    end_tag();
    return {.kind = Kind::next, .line = line};
  }

  /// What the assistant writes: a mark for training, of which the text does not change.
  Statement parse_generation(int64_t line) {
    Statement statement{.kind = Kind::group, .line = line};
    statement.blocks.push_back(parse_body("endgeneration"));
    return statement;
  }

  TokenStream tokens_;
  int depth_ = 0;
};

const std::array<Parser::TagRow, 7> Parser::kTags = {{
    {"if", &Parser::parse_if},
    {"for", &Parser::parse_for},
    {"set", &Parser::parse_set},
    {"macro", &Parser::parse_macro},
    {"break", &Parser::parse_break},
    {"continue", &Parser::parse_continue},
    {"generation", &Parser::parse_generation},
}};

}  // namespace

Block parse(std::string_view source) { return Parser(source).run(); }

}  // namespace terse::calibration::jinja
