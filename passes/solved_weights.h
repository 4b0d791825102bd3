#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "formats/graph.h"

namespace terse::passes {

/// What became of the weights of models, for other models that hold the same ones: an exporter writes a decoder's
/// weights once without and once with a cache, and both files have to compute the same. Weights are known again by
/// their bits.
class SolvedWeights {
 public:
  /// `solved` is `original` after a pipeline; values are found by their names. `owner` is what users call the model.
  void add(const Graph& original, const Graph& solved, const std::string& owner);

  /// What was taken over, by owner.
  using Taken = std::map<std::string, int64_t>;

  /// Gives the weights of `solved` whose originals were added before the encodings that those got, where both would be
  /// stored alike.
  Taken take(const Graph& original, Graph& solved) const;

 private:
  struct Weight {
    EncodingPtr original, solved;
    std::string owner;
  };
  const Weight* find(const Encoding& original) const;

  std::multimap<uint64_t, Weight> weights_;  ///< by sampled hash
};

}  // namespace terse::passes
