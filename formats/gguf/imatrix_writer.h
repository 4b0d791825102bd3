#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "formats/gguf/constants.h"
#include "formats/gguf/imatrix.h"
#include "formats/gguf/writer.h"

namespace terse::gguf {

/// The longest name of an entry that a file holds.
inline constexpr size_t kMostEntryNameBytes = kMostNameBytes - kSquaresSuffix.size();

/// Writes the form of today, complete or not at all: what llama-quantize reads. Sums are rounded to f32. Products are
/// not looked at.
/// Errors:  io; input for an entry whose name is empty or too long.
void write_imatrix(const Imatrix& matrix, const std::filesystem::path& path);

/// Writes one with products that are made while it is written: they need not fit into memory.
class FullImatrixWriter {
 public:
  struct Layer {
    std::vector<std::string> matrices;  ///< that have it in common; the first is the owner
    int64_t columns = 0;
  };

  /// `shapes`: of the entries' numbers nothing is looked at but how many they are. Errors: as of write_imatrix.
  FullImatrixWriter(const Imatrix& shapes, std::vector<Layer> layers, const std::filesystem::path& path);

  /// X^T X of the next layer, [columns, columns] each, and the rows of it.
  void write_products(std::span<const float> solving, int64_t solving_rows, std::span<const float> held_out,
                      int64_t held_out_rows);

  /// After the last layer: the entries.
  void commit(const Imatrix& sums);

 private:
  std::vector<Layer> layers_;
  size_t next_ = 0;
  FileWriter file_;
};

}  // namespace terse::gguf
