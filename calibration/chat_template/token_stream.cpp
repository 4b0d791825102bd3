#include "calibration/chat_template/token_stream.h"

#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

std::string described(const Token& token) {
  switch (token.kind) {
    case Token::Kind::end:
      return "the end of the template";
    case Token::Kind::block_end:
      return "'%}'";
    case Token::Kind::print_end:
      return "'}}'";
    default:
      return fmt::format("'{}'", token.text);
  }
}

}  // namespace

Token TokenStream::take() {
  const Token& token = tokens_[at_];
  at_ += token.kind == Token::Kind::end ? 0 : 1;
  return token;
}

bool TokenStream::take_name(std::string_view name) {
  const bool found = is_name(name);
  at_ += found ? 1 : 0;
  return found;
}

bool TokenStream::take_symbol(std::string_view symbol) {
  const bool found = is_symbol(symbol);
  at_ += found ? 1 : 0;
  return found;
}

std::string TokenStream::expect_name() {
  if (!is(Token::Kind::name)) {
    fail("a name");
  }
  return take().text;
}

void TokenStream::expect_name(std::string_view name) {
  if (!take_name(name)) {
    fail(fmt::format("'{}'", name));
  }
}

void TokenStream::expect_symbol(std::string_view symbol) {
  if (!take_symbol(symbol)) {
    fail(fmt::format("'{}'", symbol));
  }
}

void TokenStream::expect(Token::Kind kind, std::string_view what) {
  if (!is(kind)) {
    fail(what);
  }
  take();
}

void TokenStream::fail(std::string_view expected) const {
  throw Error(terse::Kind::input, "line {}: expected {}, found {}", current().line, expected, described(current()));
}

}  // namespace terse::calibration::jinja
