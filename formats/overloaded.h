#pragma once

namespace terse {

/// Several functions as one, for std::visit: a variant's type picks the one that takes it.
template <typename... Bodies>
struct Overloaded : Bodies... {
  using Bodies::operator()...;
};
template <typename... Bodies>
Overloaded(Bodies...) -> Overloaded<Bodies...>;

}  // namespace terse
