#include "formats/onnx/tensors.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/formats/onnx/text_model.h"

namespace terse::onnx {
namespace {

/// A reader beside a model file of no interest.
struct Fixture {
  Fixture() { write_text(folder.path() / "model.onnx", "x"); }

  Tensor read(const std::string& text) const {
    return TensorReader(MappedFile::open(folder.path() / "model.onnx")).read(from_text<::onnx::TensorProto>(text));
  }

  std::string error_of(const std::string& text) const {
    try {
      read(text);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder;
};

std::string bytes_of(const Tensor& tensor) {
  return {reinterpret_cast<const char*>(tensor.bytes().data()), tensor.bytes().size()};
}

TEST_SUITE("formats/onnx/tensors") {
  TEST_CASE_FIXTURE(Fixture, "numbers in typed fields and in raw_data are the same tensors") {
    struct Row {
      DType dtype;
      std::string head;
      std::string typed;
      std::string raw;
    };
    // As onnx.helper.make_tensor spells them (raw=False and raw=True); number 10 of the type where not said otherwise.
    for (const Row& row : {
             Row{DType::f32, "data_type: 1 dims: 1", "float_data: 10", R"(\000\000\040\101)"},
             Row{DType::u8, "data_type: 2 dims: 1", "int32_data: 200", R"(\310)"},
             Row{DType::i8, "data_type: 3 dims: 1", "int32_data: -2", R"(\376)"},
             Row{DType::u16, "data_type: 4 dims: 1", "int32_data: 65535", R"(\377\377)"},
             Row{DType::i16, "data_type: 5 dims: 1", "int32_data: -2", R"(\376\377)"},
             Row{DType::i32, "data_type: 6 dims: 1", "int32_data: -2", R"(\376\377\377\377)"},
             Row{DType::i64, "data_type: 7 dims: 1", "int64_data: -2", R"(\376\377\377\377\377\377\377\377)"},
             Row{DType::boolean, "data_type: 9 dims: 2", "int32_data: [0, 1]", R"(\000\001)"},
             Row{DType::f16, "data_type: 10 dims: 1", "int32_data: 18688", R"(\000\111)"},
             Row{DType::f64, "data_type: 11 dims: 1", "double_data: 10", R"(\000\000\000\000\000\000\044\100)"},
             Row{DType::u32, "data_type: 12 dims: 1", "uint64_data: 10", R"(\012\000\000\000)"},
             Row{DType::u64, "data_type: 13 dims: 1", "uint64_data: 10", R"(\012\000\000\000\000\000\000\000)"},
             Row{DType::complex64, "data_type: 14 dims: 1", "float_data: [10, 0]",
                 R"(\000\000\040\101\000\000\000\000)"},
             Row{DType::complex128, "data_type: 15 dims: 1", "double_data: [10, 0]",
                 R"(\000\000\000\000\000\000\044\100\000\000\000\000\000\000\000\000)"},
             Row{DType::bf16, "data_type: 16 dims: 1", "int32_data: 16672", R"(\040\101)"},
             Row{DType::f8e4m3fn, "data_type: 17 dims: 1", "int32_data: 82", R"(\122)"},
             Row{DType::u4, "data_type: 21 dims: 3", "int32_data: [33, 3]", R"(\041\003)"},   // 1, 2, 3
             Row{DType::i4, "data_type: 22 dims: 3", "int32_data: [225, 3]", R"(\341\003)"},  // 1, -2, 3
             Row{DType::f4e2m1, "data_type: 23 dims: 2", "int32_data: 33", R"(\041)"},
             Row{DType::u2, "data_type: 25 dims: 5", "int32_data: [228, 1]", R"(\344\001)"},  // 0, 1, 2, 3, 1
         }) {
      CAPTURE(row.typed);
      const Tensor typed = read(row.head + " " + row.typed);
      const Tensor raw = read(row.head + " raw_data: \"" + row.raw + "\"");
      CHECK(typed.dtype() == row.dtype);
      CHECK(raw.dtype() == row.dtype);
      CHECK(typed.shape() == raw.shape());
      CHECK(bytes_of(typed) == bytes_of(raw));
    }
  }

  TEST_CASE_FIXTURE(Fixture, "strings and scalars") {
    CHECK(read(R"(data_type: 8 dims: 2 string_data: "a" string_data: "b")").string_values() ==
          std::vector<std::string>{"a", "b"});
    CHECK(read("data_type: 1 float_data: 2.5").values<float>()[0] == 2.5F);
    CHECK(read("data_type: 1 dims: 0").count() == 0);
  }

  TEST_CASE_FIXTURE(Fixture, "booleans become 0 or 1") {
    CHECK(bytes_of(read(R"(data_type: 9 dims: 3 raw_data: "\000\001\377")")) == std::string("\0\1\1", 3));
  }

  TEST_CASE_FIXTURE(Fixture, "small tensors are aligned copies") {
    const Tensor tensor = read(R"(data_type: 1 dims: 1 raw_data: "\000\000\200\077")");
    CHECK(reinterpret_cast<uintptr_t>(tensor.bytes().data()) % 64 == 0);
    CHECK(tensor.values<float>()[0] == 1.0F);
  }

  TEST_CASE_FIXTURE(Fixture, "a tensor that cannot be is an error") {
    struct Row {
      const char* text;
      const char* message;
    };
    for (const Row& row : {
             Row{"dims: 1", "element type 0 is not known"},
             Row{"data_type: 99 dims: 1", "element type 99 is not known"},
             Row{"data_type: 1 dims: -1", "shape [-1] is negative or too large"},
             Row{"data_type: 1 dims: [4294967296, 4294967296]",
                 "shape [4294967296,4294967296] is negative or too large"},
             Row{"data_type: 1 dims: [2, 3]", "0 numbers, expected 6 for f32 [2,3]"},
             Row{"data_type: 1 dims: 536870912 float_data: 1", "1 numbers, expected 536870912 for f32 [536870912]"},
             Row{R"(data_type: 1 dims: 536870912 raw_data: "1234")",
                 "4 bytes of data, expected 2147483648 for f32 [536870912]"},
             Row{"data_type: 7 dims: 1 float_data: 1", "0 numbers, expected 1 for i64 [1]"},
             Row{"data_type: 8 dims: 1", "0 strings, expected 1 for shape [1]"},
             Row{R"(data_type: 8 dims: 1 raw_data: "a")", "strings are stored as raw bytes, expected string_data"},
             Row{"data_type: 22 dims: 3 int32_data: 1", "1 numbers, expected 2 for i4 [3]"},
         }) {
      CAPTURE(row.text);
      CHECK(error_of(row.text) == row.message);
    }
  }
}

}  // namespace
}  // namespace terse::onnx
