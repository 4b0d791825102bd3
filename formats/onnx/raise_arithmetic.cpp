#include <algorithm>
#include <bit>

#include "formats/onnx/data_types.h"
#include "formats/onnx/raise_context.h"
#include "formats/onnx/raise_parts.h"

// The mirror of lowering_arithmetic.cpp: recognises what is written there, from its last node back.

namespace terse::onnx {
namespace {

/// A stored part, and the node that picks rows of it (null: the whole is read).
struct Part {
  ValueId stored = kNoValue;
  const Node* picker = nullptr;
};

/// What a chain of nodes unpacks: code number column / group of every row.
struct Unpacked {
  Part part;
  int bits = 8;
  int64_t columns = 0, group = 1;
};

bool is_last_axis(const Node& node) { return node.get_int("axis", 0) == -1; }

std::optional<Part> find_part(const RaiseContext& context, ValueId id) {
  if (context.tensor(id) != nullptr) {
    return Part{id, nullptr};
  }
  const Node* node = context.producer(id);
  const bool picks = node != nullptr && ((node->is("Gather") && node->get_int("axis", 0) == 0) ||
                                         (node->is("GatherND") && node->get_int("batch_dims", 0) == 0));
  return picks && context.tensor(node->input(0)) != nullptr ? std::optional(Part{node->input(0), node}) : std::nullopt;
}

/// Both read the whole, or the same rows.
bool same_rows(const Part& a, const Part& b) {
  if (a.picker == nullptr || b.picker == nullptr) {
    return a.picker == b.picker;
  }
  return a.picker->op_type == b.picker->op_type && a.picker->input(1) == b.picker->input(1);
}

ValueId behind_cast(const RaiseContext& context, ValueId id, DType to) {
  const Node* cast = context.producer(id, "Cast");
  return cast != nullptr && cast->get_int("to", 0) == get_data_type(to).number ? cast->input(0) : kNoValue;
}

/// The columns of `index` if it counts up by one every `group` of them.
std::optional<Unpacked> counted_columns(const std::vector<int64_t>& index) {
  Unpacked u{.columns = static_cast<int64_t>(index.size())};
  const auto second = std::find_if(index.begin(), index.end(), [](int64_t i) { return i != 0; });
  u.group = second - index.begin();
  for (size_t i = 0; i < index.size(); ++i) {
    if (u.group == 0 || index[i] != static_cast<int64_t>(i) / u.group) {
      return std::nullopt;
    }
  }
  return u;
}

/// Gather of columns' bytes, if there is one; else the stored codes are the columns.
std::optional<Unpacked> unpack_bytes(const RaiseContext& context, ValueId id, const std::vector<int64_t>* shifts,
                                     int bits) {
  const Node* gather = context.producer(id, "Gather");
  if (gather == nullptr || !is_last_axis(*gather)) {
    return std::nullopt;
  }
  auto index = context.ints(gather->input(1));
  const auto part = find_part(context, gather->input(0));
  if (!index || index->empty() || !part || context.tensor(part->stored)->rank() < 1 ||
      (shifts != nullptr && shifts->size() != index->size())) {
    return std::nullopt;
  }
  for (size_t i = 0; shifts != nullptr && i < index->size(); ++i) {
    const int64_t bit = (*index)[i] * 8 + (*shifts)[i];
    if ((*index)[i] < 0 || (*index)[i] > INT32_MAX || bit % bits != 0) {
      return std::nullopt;
    }
    (*index)[i] = bit / bits;
  }
  auto unpacked = counted_columns(*index);
  if (unpacked) {
    unpacked->part = *part;
    unpacked->bits = bits;
  }
  return unpacked;
}

std::optional<Unpacked> unpack(const RaiseContext& context, ValueId id) {
  if (const Node* mod = context.producer(id, "Mod")) {
    const Node* shift = context.producer(mod->input(0), "BitShift");
    const auto base = context.ints(mod->input(1));
    const auto shifts = shift == nullptr ? std::nullopt : context.ints(shift->input(1));
    const bool known = base && base->size() == 1 && ((*base)[0] == 4 || (*base)[0] == 16);
    if (!known || !shifts || shift->get_string("direction", "") != "RIGHT") {
      return std::nullopt;
    }
    return unpack_bytes(context, shift->input(0), &*shifts, (*base)[0] == 4 ? 2 : 4);
  }
  if (const auto bytes = unpack_bytes(context, id, nullptr, 8)) {
    return bytes;
  }
  const auto part = find_part(context, id);
  if (!part || context.tensor(part->stored)->rank() < 1) {
    return std::nullopt;
  }
  return Unpacked{*part, 8, context.tensor(part->stored)->shape().back(), 1};
}

/// Scales, one a column or one a row.
std::optional<Unpacked> find_scale(const RaiseContext& context, ValueId id) {
  int64_t columns = 0, group = 0;
  if (const Node* gather = context.producer(id, "Gather"); gather != nullptr && is_last_axis(*gather)) {
    const auto index = context.ints(gather->input(1));
    const auto counted = index ? counted_columns(*index) : std::nullopt;
    if (!counted) {
      return std::nullopt;
    }
    columns = counted->columns;
    group = counted->group;
    id = gather->input(0);
  }
  const ValueId narrow = behind_cast(context, id, DType::f32);
  const auto part = find_part(context, narrow == kNoValue ? id : narrow);
  return part ? std::optional(Unpacked{*part, 0, columns, group}) : std::nullopt;
}

/// [.., columns] for stored codes [.., bytes].
Shape weight_shape(const RaiseContext& context, const Unpacked& codes) {
  Shape shape = context.tensor(codes.part.stored)->shape();
  shape.back() = codes.columns;
  return shape;
}

struct Raised {
  ValueId weight = kNoValue;
  const Node* picker = nullptr;
};

/// Zero points: the middle, or codes of their own.
bool add_zero_points(const RaiseContext& context, ValueId id, const Unpacked& codes, AffineParts& parts) {
  if (context.scalar(id) == static_cast<float>(1 << (codes.bits - 1))) {
    return true;
  }
  const ValueId packed = behind_cast(context, id, DType::f32);
  const auto points = packed == kNoValue ? std::nullopt : unpack(context, packed);
  if (!points || points->bits != codes.bits || points->columns != codes.columns) {
    return false;
  }
  // Points that all rows share are not picked.
  if (points->part.picker != nullptr && !same_rows(points->part, codes.part)) {
    return false;
  }
  parts.zero_points = points->part.stored;
  if (parts.block == codes.columns) {
    parts.block = points->group;  // one scale a row, and its zero point repeated block by block
  }
  return parts.block == points->group;
}

Raised find_affine(RaiseContext& context, const Node& mul) {
  const Node* sub = context.producer(mul.input(0), "Sub");
  const ValueId integers = sub == nullptr ? kNoValue : behind_cast(context, sub->input(0), DType::f32);
  const auto codes = integers == kNoValue ? std::nullopt : unpack(context, integers);
  const auto scale = codes ? find_scale(context, mul.input(1)) : std::nullopt;
  if (!scale || codes->group != 1 || (scale->columns != 0 && scale->columns != codes->columns)) {
    return {};
  }
  if (scale->part.picker != nullptr && !same_rows(scale->part, codes->part)) {
    return {};
  }
  AffineParts parts{.codes = codes->part.stored,
                    .shape = weight_shape(context, *codes),
                    .bits = codes->bits,
                    .block = scale->columns == 0 ? codes->columns : scale->group,
                    .scales = scale->part.stored};
  if (!add_zero_points(context, sub->input(1), *codes, parts)) {
    return {};
  }
  return {context.constant(parts, DType::f32), codes->part.picker};
}

/// The stored codebooks behind what makes one of each row: Reshape, Expand, Reshape, Cast.
ValueId stored_codebook(const RaiseContext& context, ValueId id) {
  for (const Node* node = context.producer(id); node != nullptr; node = context.producer(id)) {
    if (!node->is("Reshape") && !node->is("Expand") && !node->is("Cast")) {
      return kNoValue;
    }
    id = node->input(0);
  }
  return id;
}

EncodingPtr codebook_encoding(const RaiseContext& context, const Unpacked& codes, ValueId books) {
  const Tensor* book = context.tensor(books);
  const bool usable = book != nullptr && (book->dtype() == DType::f32 || book->dtype() == DType::f16);
  const Shape shape = weight_shape(context, codes);
  const int64_t rows = checked_count(shape).value_or(0) / std::max<int64_t>(codes.columns, 1);
  if (!usable || book->rank() < 1 || book->count() == 0 || rows == 0) {
    return nullptr;
  }
  const int64_t centroids = book->shape().back();
  const int64_t groups = book->count() / centroids;
  CodebookEncoding encoding{.centroids = centroids, .group_rows = rows / groups, .centroid_dtype = book->dtype()};
  if (centroids < 2 || centroids > 256 || rows % groups != 0 || encoding.index_bits() != codes.bits) {
    return nullptr;
  }
  const auto packed =
      packed_rows(*context.tensor(codes.part.stored), rows, packed_row_bytes(codes.columns, codes.bits));
  if (!packed) {
    return nullptr;
  }
  encoding.codes = *packed;
  encoding.codebooks = book->reshaped({groups, centroids}).aligned();
  return std::make_shared<const Encoding>(Encoding{.shape = shape, .form = std::move(encoding)});
}

/// All codes name a centroid: a file may hold any.
bool codes_in_range(const CodebookEncoding& book) {
  if (book.centroids == 16 || book.centroids == 256) {
    return true;
  }
  std::vector<uint8_t> codes(static_cast<size_t>(book.codes.count() * 8 / book.index_bits()));
  unpack_codes(book.codes.values<uint8_t>(), book.index_bits(), codes);
  return std::all_of(codes.begin(), codes.end(), [&](uint8_t c) { return c < book.centroids; });
}

Raised find_codebook(RaiseContext& context, const Node& node) {
  const bool per_row = node.is("GatherElements");
  if (!per_row && node.get_int("axis", 0) != 0) {
    return {};
  }
  if (per_row && !is_last_axis(node)) {
    return {};
  }
  const ValueId integers = behind_cast(context, node.input(1), DType::i32);
  const auto codes = integers == kNoValue ? std::nullopt : unpack(context, integers);
  if (!codes || codes->group != 1) {
    return {};
  }
  ValueId books = node.input(0);
  if (per_row && codes->part.picker != nullptr) {
    const Node* picker = context.producer(books);
    if (picker == nullptr || !same_rows({kNoValue, picker}, codes->part)) {
      return {};
    }
    books = picker->input(0);
  }
  const EncodingPtr encoding = codebook_encoding(context, *codes, stored_codebook(context, books));
  const bool shared = encoding != nullptr && encoding->codebook()->group_rows >= encoding->rows();
  if (encoding == nullptr || !codes_in_range(*encoding->codebook()) || (!per_row && !shared)) {
    return {};
  }
  return {context.add_once(codes->part.stored, encoding), codes->part.picker};
}

}  // namespace

void raise_arithmetic(RaiseContext& context, Node& node) {
  Raised raised;
  if (node.is("Mul")) {
    raised = find_affine(context, node);
  } else if (node.is("GatherElements") || node.is("Gather")) {
    raised = find_codebook(context, node);
  }
  if (raised.weight == kNoValue) {
    return;
  }
  if (raised.picker == nullptr) {
    if (reads_as_it_stands(context, node.output(0))) {
      read_instead(context, node.output(0), raised.weight);
    }
    return;
  }
  const Node picker = *raised.picker;
  node.op_type = picker.op_type;
  node.attributes = picker.attributes;
  node.inputs = {raised.weight, picker.input(1)};
}

}  // namespace terse::onnx
