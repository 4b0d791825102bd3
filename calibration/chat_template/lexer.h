#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace terse::calibration::jinja {

struct Token {
  enum class Kind {
    text,         ///< outside of tags
    print_begin,  ///< {{
    print_end,    ///< }}
    block_begin,  ///< {%
    block_end,    ///< %}
    name,
    string,  ///< without its quotes, escapes resolved
    integer,
    real,
    symbol,  ///< an operator or a bracket
    end,     ///< of the template
  };
  Kind kind = Kind::end;
  std::string text;
  int64_t line = 0;
};

/// Cuts a template into tokens as Jinja does with trim_blocks and lstrip_blocks (transformers sets both): a line feed
/// behind a block's tag or a comment, and blanks in front of one at the start of a line, do not count; `-` inside of a
/// tag takes all white space on its side, `+` none. The last token is `end`.
/// Errors: input, with the line.
std::vector<Token> tokenize(std::string_view source);

}  // namespace terse::calibration::jinja
