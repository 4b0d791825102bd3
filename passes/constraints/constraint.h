#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "formats/encoding.h"

namespace terse::passes {

/// Columns [first_column, first_column + columns) of a panel of rows: row-major, `stride` floats from row to row.
template <typename T>
struct BasicBlock {
  T* values = nullptr;
  int64_t rows = 0, columns = 0, stride = 0;
  int64_t first_column = 0;

  T* row(int64_t index) const { return values + index * stride; }

  /// `count` columns from the block's column `offset` on.
  BasicBlock slice(int64_t offset, int64_t count) const {
    return {values + offset, rows, count, stride, first_column + offset};
  }
};

using Block = BasicBlock<float>;
using ConstBlock = BasicBlock<const float>;

inline ConstBlock as_const(const Block& block) {
  return {block.values, block.rows, block.columns, block.stride, block.first_column};
}

/// How much an error in each column of a block counts: weights of the squared errors, such as the diagonal of the
/// layer's X^T X. As many as the block has columns, or empty: all the same.
using Importance = std::span<const float>;

/// What is fitted together: scale, zero point, table or mask of a block depend on all of its numbers.
struct FittingBlock {
  int64_t rows = 1;     ///< 1: rows are independent; else that many neighbours, at most all
  int64_t columns = 1;  ///< at most the weight's
  /// Columns that have some parameters of their own within the block, which `PanelFit::refit` chooses again; 0: none.
  int64_t refit_columns = 0;
};

/// The work of a constraint on one panel of rows. A solver goes through the fitting blocks in any order: before the
/// first column of one is fixed it calls `fit` with what the block then holds, then `snap` for the block's columns, in
/// any order, one by one or many at once. Used by one thread; different panels by different threads at once.
class PanelFit {
 public:
  virtual ~PanelFit() = default;

  /// `importance` has an entry for each column of `block`. Chooses the parameters (scale, zero point, table, mask) for
  /// the fitting blocks that `block` covers: whole ones, the last of a row may be shorter.
  virtual void fit(const ConstBlock& block, Importance importance) = 0;

  /// Chooses again what the `refit_columns` of `block` have of their own, the rest of their fitting block's parameters
  /// staying as they are: for a solver that has changed them since `fit`, before the first of them is snapped.
  virtual void refit(const ConstBlock& /*block*/, Importance /*importance*/) {}

  /// Moves every number of `block` to the nearest one of the set that `fit` has chosen, and takes note of it for the
  /// encoding. Part of anything that was fitted; the same columns may be snapped again.
  virtual void snap(const Block& block) = 0;

  /// Both for whole fitting blocks, in one go where a constraint can. These columns are not snapped again.
  virtual void fit_and_snap(const Block& block, Importance importance) {
    fit(as_const(block), importance);
    snap(block);
  }
};

/// A set of matrices [rows, columns]: numbers on a grid, from a small table, with a pattern of zeros. One is made for
/// one weight. It knows nothing of how errors are made up for: that is the solver's part.
class Constraint {
 public:
  virtual ~Constraint() = default;

  virtual FittingBlock fitting_block() const = 0;

  /// `first_row` is a multiple of the fitting block's rows, and `row_count` too unless the panel ends the weight.
  virtual std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) = 0;
};

/// A constraint whose members have an encoding of their own, which it fills while its panels snap.
class EncodedConstraint : public Constraint {
 public:
  /// The encoding without data. Before `finish`.
  virtual Encoding plan() const = 0;

  /// Whether zeros stay exactly zero, whatever stands around them.
  virtual bool holds_zero() const { return true; }

  /// Makes room for the data. Once, before any panel begins.
  virtual void allocate() = 0;

  /// The encoding, after every column of every row was snapped. Once.
  virtual Encoding finish() = 0;

  /// After solving: the constraint to solve the weight with again, because its numbers turned out not to fit into this
  /// one's storage (scales too large or too small for f16); null if all is well.
  virtual std::unique_ptr<EncodedConstraint> widened() const { return nullptr; }
};

/// Masks, then an encoded constraint over what they leave: fits from left to right and snaps through all. Zeros that a
/// mask makes stay exactly zero if the encoded constraint holds zero.
class Composition : public Constraint {
 public:
  Composition(std::vector<std::unique_ptr<Constraint>> masks, EncodedConstraint& last);

  /// The largest of the parts' blocks: masks are fitted when it begins.
  FittingBlock fitting_block() const override;
  std::unique_ptr<PanelFit> begin(int64_t first_row, int64_t row_count) override;

 private:
  std::vector<std::unique_ptr<Constraint>> masks_;
  EncodedConstraint& last_;
};

}  // namespace terse::passes
