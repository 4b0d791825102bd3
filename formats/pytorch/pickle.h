#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace terse::pytorch {

/// A value of a pickle: its position in Pickle::values. Values that were made later may contain it, and lists and
/// dictionaries may contain themselves.
using Ref = uint32_t;

struct None {};
struct Tuple {
  std::vector<Ref> items;
};
struct List {
  std::vector<Ref> items;
};
struct Dict {
  std::vector<std::pair<Ref, Ref>> items;
};
/// A class or function by name. Nothing is looked up.
struct Global {
  std::string_view module, name;
};
/// What calling a global with arguments would give, and what was added to it. Nothing is called.
struct Object {
  Ref callee = 0, arguments = 0;
  Dict added;
};
/// What the archive around the pickle knows by this value.
struct Persistent {
  Ref id = 0;
};

using Value =
    std::variant<None, bool, int64_t, double, std::string_view, Tuple, List, Dict, Global, Object, Persistent>;

struct Pickle {
  std::vector<Value> values;
  Ref root = 0;
};

/// Reads a pickle of protocol 2 or newer as a description: nothing is imported, called or executed. Texts are views of
/// `bytes`. `is_known` says whether a global may occur.
/// Errors: input if the pickle is broken; unsupported, with the name, for other globals and for opcodes that pickles of
/// plain data do not need.
Pickle read_pickle(std::span<const std::byte> bytes, bool (*is_known)(const Global& global));

}  // namespace terse::pytorch
