#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calibration/chat_template/value.h"

namespace terse::calibration::jinja {

struct Expression;
using ExpressionPtr = std::unique_ptr<const Expression>;

/// A node of an expression.
struct Expression {
  enum class Kind {
    constant,     ///< value
    name,         ///< name
    list,         ///< children
    tuple,        ///< children
    dictionary,   ///< children: key, value, key, value, ...
    attribute,    ///< children[0].name
    item,         ///< children[0][children[1]]
    slice,        ///< children[0][a:b:c]: three more, null if left out
    call,         ///< children[0](arguments)
    filter,       ///< children[0] | name(arguments)
    test,         ///< children[0] is name(arguments)
    negate,       ///< - children[0]
    logical_not,  ///< not children[0]
    logical_and,
    logical_or,
    conditional,  ///< children[0] if children[1] else children[2], null if left out
    comparison,   ///< children[0] operators[0] children[1] operators[1] ..., as Python chains them
    arithmetic,   ///< children[0] name children[1]
    concatenation,
  };
  Kind kind = Kind::constant;
  int64_t line = 0;
  std::string name;
  Value value;
  std::vector<ExpressionPtr> children;
  std::vector<std::string> operators;
  std::vector<ExpressionPtr> arguments;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
};

struct Statement;
using Block = std::vector<Statement>;

/// A parameter of a macro.
struct Parameter {
  std::string name;
  ExpressionPtr otherwise;  ///< null: undefined
};

struct Statement {
  enum class Kind {
    text,        ///< name
    print,       ///< expression
    branch,      ///< expressions[i] ? blocks[i]; one block more is the else's
    loop,        ///< for targets in expressions[0] if expressions[1] (null if left out): blocks[0], else blocks[1]
    assignment,  ///< targets = expressions[0]
    capture,     ///< targets[0] = what blocks[0] writes
    macro,       ///< name, parameters, blocks[0]
    leave,       ///< break
    next,        ///< continue
    group,       ///< blocks[0], as it is
  };
  Kind kind = Kind::text;
  int64_t line = 0;
  std::string name;
  std::vector<std::string> targets;  ///< "x", or "ns.x" for an attribute of a namespace
  std::vector<ExpressionPtr> expressions;
  std::vector<Block> blocks;
  std::vector<Parameter> parameters;
};

}  // namespace terse::calibration::jinja
