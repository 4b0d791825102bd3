#include "calibration/npy.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse::calibration {
namespace {

struct StringSink : Sink {
  using Sink::write;
  void write(std::span<const std::byte> bytes) override {
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
  std::string text;
};

std::string npy(const std::string& header, const std::string& data, char version = 1) {
  std::string text = std::string("\x93NUMPY") + version + '\0';
  text += static_cast<char>(header.size() & 0xff);
  text += static_cast<char>(header.size() >> 8);
  text += version > 1 ? std::string(2, '\0') : "";
  return text + header + data;
}

Tensor parse(const std::string& text) {
  const auto owner = std::make_shared<const std::string>(text);
  return parse_npy(std::as_bytes(std::span(*owner)), owner);
}

std::string written(const Tensor& tensor) {
  StringSink sink;
  write_npy(sink, tensor);
  return sink.text;
}

TEST_SUITE("calibration/npy") {
  TEST_CASE("what is written reads back, for every element type and rank") {
    for (const DType dtype : {DType::f32, DType::f16, DType::f64, DType::i8, DType::i16, DType::i32, DType::i64,
                              DType::u8, DType::u16, DType::u32, DType::u64, DType::boolean}) {
      for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 3}, Shape{0, 4}, Shape{2, 1, 3}}) {
        CAPTURE(name(dtype));
        CAPTURE(to_string(shape));
        Tensor tensor = Tensor::make(dtype, shape);
        if (tensor.count() > 0) {
          tensor.mutable_bytes()[0] = std::byte{1};
        }
        const std::string text = written(tensor);
        CHECK(text.size() % 64 == tensor.bytes().size());
        const Tensor back = parse(text);
        CHECK(back.dtype() == dtype);
        CHECK(back.shape() == shape);
        CHECK(std::equal(back.bytes().begin(), back.bytes().end(), tensor.bytes().begin(), tensor.bytes().end()));
      }
    }
  }

  TEST_CASE("the header is NumPy's own text") {
    // np.save of np.zeros((2, 3), "f4") and of np.zeros(5, "u1") in NumPy 2.4
    CHECK(
        written(Tensor::make(DType::f32, {2, 3})).find("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }") ==
        10);
    CHECK(written(Tensor::make(DType::u8, {5})).find("{'descr': '|u1', 'fortran_order': False, 'shape': (5,), }") ==
          10);
  }

  TEST_CASE("Fortran order, big-endian numbers, later versions and any order of keys are understood") {
    // [[1, 2, 3], [4, 5, 6]] stored column by column
    const std::string columns = "{'fortran_order': True, 'shape': (2, 3), 'descr': '|i1'}\n";
    for (const char version : {'\1', '\2', '\3'}) {
      const Tensor t = parse(npy(columns, "\x01\x04\x02\x05\x03\x06", version));
      CHECK(to_int64s(t) == std::vector<int64_t>{1, 2, 3, 4, 5, 6});
    }
    const Tensor big =
        parse(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}", std::string("\0\x07\x01\0", 4)));
    CHECK(to_int64s(big) == std::vector<int64_t>{7, 256});
  }

  TEST_CASE("bf16 is widened to f32") {
    const Tensor back = parse(written(Tensor::of<BFloat16>({1}, {to_bfloat16(1.5F)})));
    CHECK(back.values<float>()[0] == 1.5F);
  }

  TEST_CASE("hostile headers are errors") {
    const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}";
    CHECK(parse(npy(good, "abcd")).count() == 1);
    for (const std::string header :
         {"", "{", "}", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False, 'shape': (1,)} x",
          "{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (1,}", "{'descr': '<f4', 'descr': '<f4', 'shape': (1,)}",
          "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
          "{'descr': '<c8', 'fortran_order': False, 'shape': (1,)}",
          "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}",
          "{'descr': '', 'fortran_order': False, 'shape': (1,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4611686018427387904)}",
          "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
          "{'descr': '|b1', 'fortran_order': False, 'shape': (4,)}"}) {
      CAPTURE(header);
      CHECK_THROWS_AS(parse(npy(header, "abcd")), Error);
    }
    std::string many = "{'descr': '<f4', 'fortran_order': False, 'shape': (";
    for (int i = 0; i < 40; ++i) {
      many += "1,";
    }
    CHECK_THROWS_AS(parse(npy(many + ")}", "abcd")), Error);
  }

  TEST_CASE("every truncation and every flipped byte of a small file is an error or another array") {
    const std::string text = written(Tensor::of<int16_t>({2, 2}, {1, 2, 3, 4}));
    for (size_t size = 0; size < text.size(); ++size) {
      CHECK_THROWS_AS(parse(text.substr(0, size)), Error);
    }
    int survived = 0;
    for (size_t i = 0; i < text.size(); ++i) {
      for (const int bit : {0, 3, 7}) {
        std::string flipped = text;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        try {
          survived += parse(flipped).count() >= 0 ? 1 : 0;
        } catch (const Error&) {
        }
      }
    }
    CHECK(survived >= 24);  // at least the elements' own bytes may hold anything
  }

  TEST_CASE("errors of files name the file") {
    const TemporaryFolder folder;
    const auto path = folder.path() / "x.npy";
    write_text(path, "no array");
    CHECK_THROWS_WITH_AS(read_npy(path),
                         (path.string() + ": not a .npy file: it does not start with \\x93NUMPY").c_str(), Error);
  }
}

}  // namespace
}  // namespace terse::calibration
