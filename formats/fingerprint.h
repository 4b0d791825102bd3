#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "formats/model.h"

namespace terse {

/// Tells one input from another by all of its bytes, in the order in which they are added. A file that was copied or
/// touched stays the same, one number changed is another.
class Fingerprint {
 public:
  void add(std::string_view text);
  void add(int64_t number);
  void add(const Tensor& tensor);
  /// Gives the pages of a mapped file back.
  void add(const Encoding& encoding);
  void add(const Node& node);

  uint64_t value() const { return hash_; }

 private:
  uint64_t hash_ = 0;
};

/// Of a model's graph: constants with their names and numbers, nodes with their attributes, inputs and outputs. Not of
/// what a file says beside them. Cost: reads all weights once.
uint64_t fingerprint(const Model& model);

}  // namespace terse
