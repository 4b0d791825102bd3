#include "calibration/npy.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "formats/error.h"

namespace terse::calibration {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMaxRank = 32;  // NumPy's own limit

struct TypeRow {
  std::string_view code;  ///< of descr, behind the byte order
  DType dtype;
};

constexpr std::array<TypeRow, 12> kTypes = {{
    {"f4", DType::f32},
    {"f2", DType::f16},
    {"f8", DType::f64},
    {"i1", DType::i8},
    {"i2", DType::i16},
    {"i4", DType::i32},
    {"i8", DType::i64},
    {"u1", DType::u8},
    {"u2", DType::u16},
    {"u4", DType::u32},
    {"u8", DType::u64},
    {"b1", DType::boolean},
}};

struct Header {
  DType dtype = DType::undefined;
  bool big_endian = false;
  bool fortran_order = false;
  Shape shape;
};

/// Reads the header's dictionary. Strict: exactly what NumPy writes, in any order of keys.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text) : text_(text) {}

  Header parse() {
    Header header;
    std::string seen;
    expect('{');
    while (!take('}')) {
      const std::string_view key = quoted();
      expect(':');
      read_member(key, header);
      seen += key.front();
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    std::sort(seen.begin(), seen.end());
    if (seen != "dfs") {
      fail("expected descr, fortran_order and shape once each");
    }
    skip_space();
    if (!text_.empty()) {
      fail("text behind the dictionary");
    }
    return header;
  }

 private:
  [[noreturn]] static void fail(std::string_view why) { throw Error(Kind::input, "bad .npy header: {}", why); }

  void skip_space() { text_.remove_prefix(std::min(text_.find_first_not_of(" \t\n"), text_.size())); }

  bool take(char c) {
    skip_space();
    const bool found = text_.starts_with(c);
    text_.remove_prefix(found ? 1 : 0);
    return found;
  }

  void expect(char c) {
    if (!take(c)) {
      throw Error(Kind::input, "bad .npy header: expected '{}' at '{}'", c, text_.substr(0, 20));
    }
  }

  std::string_view quoted() {
    const char quote = take('"') ? '"' : '\'';
    if (quote == '\'') {
      expect(quote);
    }
    const size_t end = text_.find(quote);
    if (end == std::string_view::npos || end == 0) {
      fail("expected a quoted word");
    }
    const std::string_view word = text_.substr(0, end);
    text_.remove_prefix(end + 1);
    return word;
  }

  void read_member(std::string_view key, Header& header) {
    if (key == "descr") {
      read_type(header);
    } else if (key == "fortran_order") {
      header.fortran_order = boolean();
    } else if (key == "shape") {
      header.shape = shape();
    } else {
      throw Error(Kind::input, "bad .npy header: unknown key '{}'", key);
    }
  }

  void read_type(Header& header) {
    skip_space();
    if (text_.starts_with('[')) {
      throw Error(Kind::unsupported, "the array has a structured type, expected plain numbers");
    }
    const std::string_view descr = quoted();
    const bool has_order = std::string_view("<>|=").find(descr.front()) != std::string_view::npos;
    const std::string_view code = descr.substr(has_order ? 1 : 0);
    const auto* row = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& r) { return r.code == code; });
    if (row == kTypes.end()) {
      throw Error(Kind::unsupported, "the array has elements of type '{}', expected integers, floats or bool", descr);
    }
    header.dtype = row->dtype;
    header.big_endian = descr.front() == '>';
  }

  bool boolean() {
    skip_space();
    for (const std::string_view word : {"True", "False"}) {
      if (text_.starts_with(word)) {
        text_.remove_prefix(word.size());
        return word == "True";
      }
    }
    fail("fortran_order is neither True nor False");
  }

  Shape shape() {
    Shape dimensions;
    expect('(');
    while (!take(')')) {
      dimensions.push_back(dimension());
      if (dimensions.size() > kMaxRank) {
        fail("more than 32 dimensions");
      }
      if (!take(',')) {
        expect(')');
        break;
      }
    }
    return dimensions;
  }

  int64_t dimension() {
    skip_space();
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), number);
    if (error != std::errc() || number < 0) {
      fail("a dimension is no whole number from 0 on");
    }
    text_.remove_prefix(static_cast<size_t>(end - text_.data()));
    return number;
  }

  std::string_view text_;
};

/// The header's text; `bytes` becomes what lies behind it.
std::string_view take_header(std::span<const std::byte>& bytes) {
  const auto* data = reinterpret_cast<const char*>(bytes.data());
  if (bytes.size() < 10 || std::string_view(data, kMagic.size()) != kMagic) {
    throw Error(Kind::input, "not a .npy file: it does not start with \\x93NUMPY");
  }
  const int version = std::to_integer<int>(bytes[6]);
  if (version < 1 || version > 3) {
    throw Error(Kind::unsupported, ".npy version {}, expected 1 to 3", version);
  }
  const size_t prefix = version == 1 ? 10 : 12;
  uint32_t length = 0;
  if (bytes.size() >= prefix) {
    std::memcpy(&length, data + 8, prefix - 8);
  }
  if (bytes.size() < prefix || length > bytes.size() - prefix) {
    throw Error(Kind::input, "bad .npy header: its {} bytes are past the end of the file ({} bytes)", length,
                bytes.size());
  }
  bytes = bytes.subspan(prefix + length);
  return {data + prefix, length};
}

Tensor swap_bytes(const Tensor& tensor) {
  Tensor swapped = Tensor::uninitialized(tensor.dtype(), tensor.shape());
  const auto width = static_cast<size_t>(row(tensor.dtype()).bits / 8);
  const auto out = swapped.mutable_bytes();
  std::copy(tensor.bytes().begin(), tensor.bytes().end(), out.begin());
  for (size_t i = 0; i < out.size(); i += width) {
    std::reverse(out.begin() + static_cast<ptrdiff_t>(i), out.begin() + static_cast<ptrdiff_t>(i + width));
  }
  return swapped;
}

/// A column-major array of `shape` as a row-major one.
Tensor from_fortran_order(const Tensor& stored) {
  const Shape& shape = stored.shape();
  Tensor ordered = Tensor::uninitialized(stored.dtype(), shape);
  const auto width = static_cast<size_t>(row(stored.dtype()).bits / 8);
  Shape strides(shape.size()), index(shape.size());
  for (size_t d = 0, stride = 1; d < shape.size(); ++d) {
    strides[d] = static_cast<int64_t>(stride);
    stride *= static_cast<size_t>(shape[d]);
  }
  std::byte* out = ordered.mutable_bytes().data();
  for (int64_t i = 0, offset = 0; i < stored.count(); ++i, out += width) {
    std::memcpy(out, stored.bytes().data() + static_cast<size_t>(offset) * width, width);
    for (size_t d = shape.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < shape[d]) {
        break;
      }
      offset -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return ordered;
}

void check_booleans(const Tensor& tensor) {
  const auto is_bool = [](std::byte b) { return b == std::byte{0} || b == std::byte{1}; };
  if (!std::all_of(tensor.bytes().begin(), tensor.bytes().end(), is_bool)) {
    throw Error(Kind::input, "a bool is neither 0 nor 1");
  }
}

std::string header_text(DType dtype, const Shape& shape) {
  const auto* type = std::find_if(kTypes.begin(), kTypes.end(), [&](const TypeRow& r) { return r.dtype == dtype; });
  if (type == kTypes.end()) {
    throw Error(Kind::unsupported, "NumPy has no element type {}", name(dtype));
  }
  const char order = row(dtype).bits == 8 ? '|' : '<';
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{}), }}", order, type->code,
                                 fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  constexpr size_t kPrefix = 10, kAlignment = 64;
  const size_t end = (kPrefix + text.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  text.append(end - kPrefix - text.size() - 1, ' ');
  return text + "\n";
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, std::shared_ptr<const void> owner) {
  const Header header = HeaderParser(take_header(bytes)).parse();
  Tensor tensor = Tensor::view(header.dtype, header.shape, bytes, std::move(owner));
  if (header.dtype == DType::boolean) {
    check_booleans(tensor);
  }
  if (header.big_endian) {
    tensor = swap_bytes(tensor);
  }
  return header.fortran_order && tensor.rank() > 1 ? from_fortran_order(tensor) : tensor.aligned();
}

Tensor read_npy(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return with_context(path.string(), [&] { return parse_npy(file->bytes(), file); });
}

void write_npy(Sink& sink, const Tensor& tensor) {
  const Tensor known = tensor.dtype() == DType::bf16 ? to_f32(tensor) : tensor;
  const std::string header = header_text(known.dtype(), known.shape());
  const auto length = static_cast<uint16_t>(header.size());
  sink.write(kMagic);
  sink.write(std::string_view("\x01\x00", 2));
  sink.write(std::as_bytes(std::span(&length, 1)));
  sink.write(header);
  sink.write(known.bytes());
}

}  // namespace terse::calibration
