#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/graph.h"
#include "formats/named_tensors.h"

namespace terse::architectures {

/// How a matrix lies in its file.
enum class Stored {
  out_in,  ///< as torch's Linear has it, and tables [V, H]
  in_out,  ///< as GPT-2's Conv1D has it
};

/// A tensor that a model computes with.
struct UsedTensor {
  std::string name;           ///< in the file
  std::string standard_name;  ///< as the family's current files spell it
  Stored stored = Stored::out_in;
  ValueId value = kNoValue;
};

/// The tensors of a checkpoint while its graph is built: hands them out as constants, remembers which were used, and
/// collects what is missing, so that one error lists everything.
///
/// A name is looked for as the family's current files have it and, if it is not there, as older files spell it: without
/// the model's prefix ("bert.", "transformer."), LayerNorm's weight and bias as gamma and beta.
class Weights {
 public:
  Weights(NamedTensors tensors, std::string_view prefix_that_may_be_missing);

  bool has(std::string_view name) const;
  /// As it is in the file. Null if it is not there.
  const Tensor* find(std::string_view name) const;
  /// The shape in the file. Nothing if it is not there.
  std::optional<Shape> find_shape(std::string_view name) const;

  /// A constant of `graph` that holds the tensor, under its name in the file; the same value if asked again. `shape` is
  /// logical. Error input if the file has another shape, naming `shape_source`, the configuration keys it comes from.
  /// A tensor that is not there is noted and gets a stand-in: `check` throws in the end.
  ValueId get(Graph& graph, std::string_view name, const Shape& shape, std::string_view shape_source,
              Stored stored = Stored::out_in);

  /// Says that the model computes without this tensor, if it is there at all: it repeats another one.
  void leave(std::string_view name);

  /// Error input that lists the missing tensors, or those that were neither used nor left and have none of `ignored` in
  /// their names.
  void check(std::span<const std::string_view> ignored) const;

  std::vector<UsedTensor> used() const;     ///< ascending by their names
  std::vector<std::string> unused() const;  ///< names in the file, ascending
  const NamedTensors& tensors() const { return tensors_; }

 private:
  bool is_there(const std::string& name) const;
  std::optional<std::string> find_name(std::string_view name) const;
  EncodingPtr encode(const std::string& name, const Shape& shape, std::string_view shape_source, Stored stored) const;

  NamedTensors tensors_;
  std::string prefix_;
  std::map<std::string, UsedTensor, std::less<>> handed_out_;  ///< by the name in the file
  std::set<std::string, std::less<>> missing_, left_;
};

}  // namespace terse::architectures
