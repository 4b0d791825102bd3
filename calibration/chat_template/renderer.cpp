#include "calibration/chat_template/renderer.h"

#include <algorithm>

#include "calibration/chat_template/access.h"
#include "calibration/chat_template/filters.h"
#include "calibration/chat_template/methods.h"
#include "formats/error.h"

namespace terse::calibration::jinja {
namespace {

constexpr int64_t kMostWork = int64_t{1} << 26;    // expressions and statements run, and bytes of what they made
constexpr int64_t kMostOutput = int64_t{1} << 24;  // bytes
constexpr int kMostDepth = 400;                    // of expressions and blocks in each other, macros' included

/// How a block ended.
enum class Flow { done, leave, next };

/// What an error in a template is told on its way: its line, once.
template <typename Work>
decltype(auto) at_line(int64_t line, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (const Error& error) {
    if (std::string_view(error.what()).starts_with("line ")) {
      throw;
    }
    throw error.within(fmt::format("line {}", line));
  }
}

class Renderer {
 public:
  std::string run(const Block& block, Scope& scope) {
    run_block(block, scope);
    return std::move(out_);
  }

 private:
  /// Counts how deep the renderer is.
  class Nesting {
   public:
    explicit Nesting(Renderer& renderer) : renderer_(renderer) {
      if (++renderer_.depth_ > kMostDepth) {
        throw Error(terse::Kind::input, "expressions and macros are more than {} deep in each other", kMostDepth);
      }
    }
    ~Nesting() { --renderer_.depth_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    Renderer& renderer_;
  };

  void spend(int64_t work) {
    work_ += work;
    if (work_ > kMostWork) {
      throw Error(terse::Kind::input, "the template works for too long");
    }
  }

  /// The value of something that is worked on, which costs as much as it holds.
  Value operand(const Expression& expression, Scope& scope) {
    Value value = evaluate(expression, scope);
    spend(weight_of(value));
    return value;
  }

  void write(std::string_view text) {
    spend(std::ssize(text));
    if (std::ssize(out_) + std::ssize(text) > kMostOutput) {
      throw Error(terse::Kind::input, "the template writes more than {} bytes", kMostOutput);
    }
    out_ += text;
  }

  Flow run_block(const Block& block, Scope& scope) {
    const Nesting nesting(*this);
    for (const Statement& statement : block) {
      const Flow flow = at_line(statement.line, [&] { return run_statement(statement, scope); });
      if (flow != Flow::done) {
        return flow;
      }
    }
    return Flow::done;
  }

  Flow run_statement(const Statement& statement, Scope& scope) {
    using Kind = Statement::Kind;
    spend(1);
    switch (statement.kind) {
      case Kind::text:
        write(statement.name);
        return Flow::done;
      case Kind::print:
        write(to_text(evaluate(*statement.expressions[0], scope)));
        return Flow::done;
      case Kind::branch:
        return run_branch(statement, scope);
      case Kind::loop:
        return run_loop(statement, scope);
      case Kind::assignment:
        assign(statement.targets, evaluate(*statement.expressions[0], scope), scope);
        return Flow::done;
      case Kind::capture: {
        Scope inner(&scope);
        assign(statement.targets, captured(statement.blocks[0], inner), scope);
        return Flow::done;
      }
      case Kind::macro:
        scope.set(statement.name, Value::macro({&statement, &scope}));
        return Flow::done;
      case Kind::group: {
        Scope inner(&scope);
        return run_block(statement.blocks[0], inner);
      }
      case Kind::leave:
        return Flow::leave;
      case Kind::next:
        return Flow::next;
    }
    return Flow::done;
  }

  Flow run_branch(const Statement& statement, Scope& scope) {
    for (size_t i = 0; i < statement.expressions.size(); ++i) {
      if (is_true(evaluate(*statement.expressions[i], scope))) {
        return run_block(statement.blocks[i], scope);
      }
    }
    const bool has_else = statement.blocks.size() > statement.expressions.size();
    return has_else ? run_block(statement.blocks.back(), scope) : Flow::done;
  }

  /// What a loop runs over: the items that pass its own "if".
  std::vector<Value> items_of(const Statement& statement, Scope& scope) {
    std::vector<Value> items = iterate(operand(*statement.expressions[0], scope));
    if (statement.expressions[1]) {
      std::erase_if(items, [&](const Value& item) {
        Scope inner(&scope);
        assign(statement.targets, item, inner);
        return !is_true(evaluate(*statement.expressions[1], inner));
      });
    }
    return items;
  }

  Flow run_loop(const Statement& statement, Scope& scope) {
    const std::vector<Value> items = items_of(statement, scope);
    for (size_t i = 0; i < items.size(); ++i) {
      Scope inner(&scope);
      inner.set("loop", loop_variable(items, i));
      assign(statement.targets, items[i], inner);
      if (run_block(statement.blocks[0], inner) == Flow::leave) {
        break;
      }
    }
    if (items.empty() && statement.blocks.size() > 1) {
      Scope inner(&scope);
      return run_block(statement.blocks[1], inner);
    }
    return Flow::done;
  }

  static Value loop_variable(const std::vector<Value>& items, size_t index) {
    const auto i = static_cast<int64_t>(index), count = std::ssize(items);
    const auto neighbour = [&](int64_t at, std::string_view name) {
      return at < 0 || at >= count ? Value::undefined(std::string(name)) : items[static_cast<size_t>(at)];
    };
    return Value::mapping({{"index", i + 1},
                           {"index0", i},
                           {"revindex", count - i},
                           {"revindex0", count - i - 1},
                           {"first", i == 0},
                           {"last", i + 1 == count},
                           {"length", count},
                           {"previtem", neighbour(i - 1, "previtem")},
                           {"nextitem", neighbour(i + 1, "nextitem")}},
                          Mapping::Kind::loop);
  }

  void assign(const std::vector<std::string>& targets, const Value& value, Scope& scope) {
    if (targets.size() == 1) {
      assign(targets.front(), value, scope);
      return;
    }
    const auto items = iterate(value);
    if (items.size() != targets.size()) {
      throw Error(terse::Kind::input, "{} values for {} variables", items.size(), targets.size());
    }
    for (size_t i = 0; i < items.size(); ++i) {
      assign(targets[i], items[i], scope);
    }
  }

  static void assign(std::string_view target, const Value& value, Scope& scope) {
    const size_t dot = target.find('.');
    if (dot == std::string_view::npos) {
      scope.set(target, value);
      return;
    }
    const Value* held = scope.find(target.substr(0, dot));
    Namespace* space = held == nullptr ? nullptr : held->name_space();
    if (space == nullptr) {
      throw Error(terse::Kind::input, "'{}' is no namespace, its attributes cannot be set", target.substr(0, dot));
    }
    if (!value.is_data()) {
      throw Error(terse::Kind::unsupported, "a {} inside of another value", type_name(value));
    }
    space->items.insert_or_assign(std::string(target.substr(dot + 1)), value);
  }

  /// What a block writes.
  Value captured(const Block& block, Scope& scope) {
    std::string outside = std::exchange(out_, {});
    run_block(block, scope);
    return std::exchange(out_, std::move(outside));
  }

  Value evaluate(const Expression& expression, Scope& scope) {
    const Nesting nesting(*this);
    spend(1);
    return at_line(expression.line, [&] { return evaluate_kind(expression, scope); });
  }

  /// A part that may be left out.
  Value evaluate_part(const Expression& expression, size_t child, Scope& scope) {
    return expression.children[child] ? evaluate(*expression.children[child], scope) : Value(None{});
  }

  Value evaluate_kind(const Expression& expression, Scope& scope) {
    using Kind = Expression::Kind;
    const auto child = [&](size_t index) { return evaluate(*expression.children[index], scope); };
    const auto worked_on = [&](size_t index) { return operand(*expression.children[index], scope); };
    switch (expression.kind) {
      case Kind::constant:
        return expression.value;
      case Kind::name:
        return variable(expression.name, scope);
      case Kind::list:
      case Kind::tuple:
        return Value::sequence(all_children(expression, scope),
                               expression.kind == Kind::tuple ? Sequence::Kind::tuple : Sequence::Kind::list);
      case Kind::dictionary:
        return dictionary(expression, scope);
      case Kind::attribute:
        return get_attribute(child(0), expression.name);
      case Kind::item: {
        const Value value = expression.children[1]->kind == Kind::constant ? child(0) : worked_on(0);
        return get_item(value, child(1));
      }
      case Kind::slice: {
        const Value value = worked_on(0), begin = evaluate_part(expression, 1, scope);
        const Value end = evaluate_part(expression, 2, scope);
        return get_slice(value, begin, end, evaluate_part(expression, 3, scope));
      }
      case Kind::call:
        return call(expression, scope);
      case Kind::filter: {
        const Value value = worked_on(0);
        return apply_filter(value, expression.name, arguments_of(expression, scope));
      }
      case Kind::test: {
        const Value value = child(0);
        return apply_test(value, expression.name, arguments_of(expression, scope));
      }
      case Kind::negate:
        return jinja::negate(child(0));
      case Kind::logical_not:
        return !is_true(child(0));
      case Kind::logical_and: {
        const Value left = child(0);
        return is_true(left) ? child(1) : left;
      }
      case Kind::logical_or: {
        const Value left = child(0);
        return is_true(left) ? left : child(1);
      }
      case Kind::conditional:
        return is_true(child(1))        ? child(0)
               : expression.children[2] ? child(2)
                                        : Value::undefined("the value of an 'if'");
      case Kind::comparison:
        return comparison(expression, scope);
      case Kind::arithmetic: {
        const Value left = worked_on(0);
        return calculate(expression.name, left, worked_on(1));
      }
      case Kind::concatenation: {
        std::string text;
        for (const Value& part : all_children(expression, scope)) {
          spend(weight_of(part));
          text += to_text(part);
        }
        return text;
      }
    }
    return {};
  }

  static Value variable(const std::string& name, const Scope& scope) {
    const Value* found = scope.find(name);
    if (found == nullptr && is_function(name)) {
      throw Error(terse::Kind::unsupported, "the function '{}' without a call", name);
    }
    return found == nullptr ? Value::undefined(name) : *found;
  }

  std::vector<Value> all_children(const Expression& expression, Scope& scope) {
    std::vector<Value> values;
    values.reserve(expression.children.size());
    for (const ExpressionPtr& child : expression.children) {
      values.push_back(evaluate(*child, scope));
    }
    return values;
  }

  Value dictionary(const Expression& expression, Scope& scope) {
    const auto parts = all_children(expression, scope);
    std::vector<std::pair<std::string, Value>> items;
    for (size_t i = 0; i < parts.size(); i += 2) {
      if (parts[i].text() == nullptr) {
        throw Error(terse::Kind::unsupported, "a key is a {}, terse knows strings only", type_name(parts[i]));
      }
      const auto same = std::ranges::find(items, *parts[i].text(), [](const auto& item) { return item.first; });
      if (same == items.end()) {
        items.emplace_back(*parts[i].text(), parts[i + 1]);
      } else {
        same->second = parts[i + 1];
      }
    }
    return Value::mapping(std::move(items));
  }

  Value comparison(const Expression& expression, Scope& scope) {
    Value left = evaluate(*expression.children[0], scope);
    for (size_t i = 0; i < expression.operators.size(); ++i) {
      Value right = operand(*expression.children[i + 1], scope);
      if (!compare(expression.operators[i], left, right)) {
        return false;
      }
      left = std::move(right);
    }
    return true;
  }

  Arguments arguments_of(const Expression& expression, Scope& scope) {
    Arguments arguments;
    for (const ExpressionPtr& argument : expression.arguments) {
      arguments.positional.push_back(evaluate(*argument, scope));
    }
    for (const auto& [name, argument] : expression.named) {
      arguments.named.emplace_back(name, evaluate(*argument, scope));
    }
    return arguments;
  }

  Value call(const Expression& expression, Scope& scope) {
    const Expression& callee = *expression.children[0];
    if (callee.kind == Expression::Kind::attribute) {
      const Value self = operand(*callee.children[0], scope);
      return call_method(self, callee.name, arguments_of(expression, scope));
    }
    if (callee.kind != Expression::Kind::name) {
      throw Error(terse::Kind::unsupported, "terse calls functions and methods by their names only");
    }
    const Value* found = scope.find(callee.name);
    if (found == nullptr) {
      return call_function(callee.name, arguments_of(expression, scope));
    }
    if (found->macro() == nullptr) {
      throw Error(terse::Kind::input, "'{}' is a {}, which cannot be called", callee.name, type_name(*found));
    }
    const Macro macro = *found->macro();
    return call_macro(macro, arguments_of(expression, scope));
  }

  Value call_macro(const Macro& macro, const Arguments& arguments) {
    const auto& parameters = macro.definition->parameters;
    std::string names;
    for (const Parameter& parameter : parameters) {
      names += (names.empty() ? "" : ",") + parameter.name;
    }
    const Bound bound(macro.definition->name, arguments, names, 0);
    Scope scope(macro.scope);
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (const Value* given = bound.find(i)) {
        scope.set(parameters[i].name, *given);
      } else {
        scope.set(parameters[i].name, parameters[i].otherwise ? evaluate(*parameters[i].otherwise, scope)
                                                              : Value::undefined(parameters[i].name));
      }
    }
    return captured(macro.definition->blocks[0], scope);
  }

  std::string out_;
  int64_t work_ = 0;
  int depth_ = 0;
};

}  // namespace

const Value* Scope::find(std::string_view name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->outer_) {
    const auto found =
        std::ranges::find(scope->variables_, name, [](const auto& it) -> std::string_view { return it.first; });
    if (found != scope->variables_.end()) {
      return &found->second;
    }
  }
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  const auto found = std::ranges::find(variables_, name, [](const auto& it) -> std::string_view { return it.first; });
  if (found == variables_.end()) {
    variables_.emplace_back(name, std::move(value));
  } else {
    found->second = std::move(value);
  }
}

std::string render(const Block& block, const Variables& variables) {
  Scope scope(nullptr);
  for (const auto& [name, value] : variables) {
    scope.set(name, value);
  }
  return Renderer().run(block, scope);
}

}  // namespace terse::calibration::jinja
