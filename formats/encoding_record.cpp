#include "formats/encoding_record.h"

#include <algorithm>
#include <limits>

#include "formats/error.h"
#include "formats/overloaded.h"

namespace terse {
namespace {

constexpr int64_t kMostDimensions = 8;
constexpr int64_t kMostNumbers = int64_t{1} << 48;
constexpr int64_t kMostSize = std::numeric_limits<int32_t>::max();  // of a group

class Writer {
 public:
  Writer(std::string& head, std::vector<std::span<const std::byte>>& blobs) : head_(head), blobs_(blobs) {}

  template <typename... Numbers>
  void numbers(Numbers... number) {
    (put(static_cast<int64_t>(number)), ...);
  }

  void shape(const Shape& shape) {
    numbers(shape.size());
    for (const int64_t size : shape) {
      numbers(size);
    }
  }

  void tensor(const Tensor& tensor) {
    numbers(tensor.dtype());
    shape(tensor.shape());
    blobs_.push_back(tensor.bytes());
  }

 private:
  void put(int64_t number) { head_.append(reinterpret_cast<const char*>(&number), sizeof(number)); }

  std::string& head_;
  std::vector<std::span<const std::byte>>& blobs_;
};

class Reader {
 public:
  Reader(ByteReader& head, const Record& record) : head_(head), record_(record) {}

  int64_t number(int64_t least, int64_t most) {
    const auto number = head_.number<int64_t>();
    if (number < least || number > most) {
      throw Error(Kind::input, "found {}, expected a number from {} to {}", number, least, most);
    }
    return number;
  }

  DType float_type() {
    const auto dtype = static_cast<DType>(number(0, static_cast<int64_t>(DType::complex128)));
    if (!is_float(dtype)) {
      throw Error(Kind::input, "found {}, expected a type of floats", name(dtype));
    }
    return dtype;
  }

  Shape shape() {
    Shape shape(static_cast<size_t>(number(0, kMostDimensions)));
    int64_t count = 1;  // zeros apart: dimensions in front of one are multiplied too
    for (int64_t& size : shape) {
      size = number(0, kMostNumbers);
      if (count > kMostNumbers / std::max<int64_t>(size, 1)) {
        throw Error(Kind::input, "{} dimensions make more than {} numbers", shape.size(), kMostNumbers);
      }
      count *= std::max<int64_t>(size, 1);
    }
    return shape;
  }

  /// The next blob as a tensor, which must have this type and shape.
  Tensor tensor(DType dtype, const Shape& expected) {
    const auto found = static_cast<DType>(number(0, static_cast<int64_t>(DType::complex128)));
    if (const Shape stored = shape(); found != dtype || stored != expected) {
      throw Error(Kind::input, "found {} {}, expected {} {}", name(found), to_string(stored), name(dtype),
                  to_string(expected));
    }
    if (blob_ >= record_.blobs.size()) {
      throw Error(Kind::input, "{} tensors are missing", name(dtype));
    }
    return Tensor::mapped(dtype, expected, record_.blobs[blob_++], record_.file);
  }

 private:
  ByteReader& head_;
  const Record& record_;
  size_t blob_ = 0;
};

void write_form(const DenseEncoding& form, Writer& writer) {
  writer.numbers(form.dtype, form.transposed ? 1 : 0);
  writer.tensor(form.values);
}

void write_form(const AffineEncoding& form, Writer& writer) {
  writer.numbers(form.bits, form.group_rows, form.group_columns, form.scale_dtype, form.asymmetric ? 1 : 0);
  writer.tensor(form.codes);
  writer.tensor(form.scales);
  if (form.asymmetric) {
    writer.tensor(form.zero_points);
  }
}

void write_form(const CodebookEncoding& form, Writer& writer) {
  writer.numbers(form.centroids, form.group_rows, form.centroid_dtype);
  writer.tensor(form.codes);
  writer.tensor(form.codebooks);
}

void write_form(const BlockEncoding& form, Writer& writer) {
  writer.numbers(form.type);
  writer.tensor(form.blocks);
}

DenseEncoding read_dense(const Encoding& encoding, Reader& reader) {
  DenseEncoding form{.dtype = reader.float_type(), .transposed = reader.number(0, 1) != 0, .values = {}};
  if (form.transposed && encoding.shape.size() < 2) {
    throw Error(Kind::input, "shape {} has no two dimensions to turn", to_string(encoding.shape));
  }
  form.values = reader.tensor(form.dtype, form.transposed ? swap_last_two(encoding.shape) : encoding.shape);
  return form;
}

AffineEncoding read_affine(const Encoding& encoding, Reader& reader) {
  AffineEncoding form{.bits = static_cast<int>(reader.number(1, 8)),
                      .group_rows = reader.number(1, kMostSize),
                      .group_columns = reader.number(1, kMostSize),
                      .scale_dtype = reader.float_type(),
                      .asymmetric = reader.number(0, 1) != 0,
                      .codes = {},
                      .scales = {},
                      .zero_points = {}};
  if (8 % form.bits != 0 || form.bits == 1) {
    throw Error(Kind::input, "codes of {} bits, expected 2, 4 or 8", form.bits);
  }
  form.codes = reader.tensor(DType::u8, {encoding.rows(), packed_row_bytes(encoding.columns(), form.bits)});
  const Shape groups = {divide_up(encoding.rows(), form.group_rows), divide_up(encoding.columns(), form.group_columns)};
  form.scales = reader.tensor(form.scale_dtype, groups);
  if (form.asymmetric) {
    form.zero_points = reader.tensor(DType::u8, groups);
  }
  return form;
}

/// Codes that are no index into a table of `centroids`.
bool has_wild_codes(const Encoding& encoding, const CodebookEncoding& form) {
  if (encoding.rows() == 0) {
    return false;  // of a row that is not there nothing says how long it is
  }
  const auto codes = form.codes.values<uint8_t>();
  const int64_t row_bytes = packed_row_bytes(encoding.columns(), form.index_bits());
  std::vector<uint8_t> row(static_cast<size_t>(encoding.columns()));
  for (int64_t i = 0; i < encoding.rows(); ++i) {
    unpack_codes(codes.subspan(static_cast<size_t>(i * row_bytes), static_cast<size_t>(row_bytes)), form.index_bits(),
                 row);
    if (std::ranges::any_of(row, [&](uint8_t code) { return code >= form.centroids; })) {
      return true;
    }
  }
  return false;
}

CodebookEncoding read_codebook(const Encoding& encoding, Reader& reader) {
  CodebookEncoding form{.centroids = reader.number(2, 256),
                        .group_rows = reader.number(1, kMostSize),
                        .centroid_dtype = reader.float_type(),
                        .codes = {},
                        .codebooks = {}};
  form.codes = reader.tensor(DType::u8, {encoding.rows(), packed_row_bytes(encoding.columns(), form.index_bits())});
  form.codebooks = reader.tensor(form.centroid_dtype, {divide_up(encoding.rows(), form.group_rows), form.centroids});
  if (has_wild_codes(encoding, form)) {
    throw Error(Kind::input, "codes beyond a table of {} values", form.centroids);
  }
  return form;
}

BlockEncoding read_blocks(const Encoding& encoding, Reader& reader) {
  const auto type = find_block_type(static_cast<uint32_t>(reader.number(0, 255)));
  if (!type || !row(*type).can_decode() || encoding.columns() % row(*type).elements != 0) {
    throw Error(Kind::input, "blocks of no type that terse knows, or columns that are no whole blocks");
  }
  return {.type = *type,
          .blocks = reader.tensor(DType::u8, {encoding.rows(), block_row_bytes(*type, encoding.columns())})};
}

}  // namespace

void append_encoding(const Encoding& encoding, std::string& head, std::vector<std::span<const std::byte>>& blobs) {
  Writer writer(head, blobs);
  writer.shape(encoding.shape);
  writer.numbers(encoding.form.index());
  std::visit([&](const auto& form) { write_form(form, writer); }, encoding.form);
}

Encoding read_encoding(ByteReader& head, const Record& record) {
  Reader reader(head, record);
  Encoding encoding{.shape = reader.shape(), .form = {}};
  switch (reader.number(0, 3)) {
    case 0:
      encoding.form = read_dense(encoding, reader);
      break;
    case 1:
      encoding.form = read_affine(encoding, reader);
      break;
    case 2:
      encoding.form = read_codebook(encoding, reader);
      break;
    default:
      encoding.form = read_blocks(encoding, reader);
  }
  return encoding;
}

}  // namespace terse
