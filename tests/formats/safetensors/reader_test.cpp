#include "formats/safetensors/reader.h"

#include <doctest/doctest.h>

#include <fstream>

#include "formats/error.h"
#include "tests/formats/safetensors/files.h"
#include "tests/temporary_folder.h"

namespace terse::safetensors {
namespace {

namespace fs = std::filesystem;

NamedTensors read_bytes(std::string_view bytes) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "m.safetensors") << bytes;  // not write_text, which waits for the disk
  return read(folder.path() / "m.safetensors");
}

std::string error_of(std::string_view bytes) {
  try {
    read_bytes(bytes);
  } catch (const Error& error) {
    CHECK(error.kind() != Kind::internal);
    CHECK(std::string_view(error.what()).find("m.safetensors: ") != std::string_view::npos);
    return error.what();
  }
  return "";
}

/// A file of one tensor "w" of four bytes.
std::string one_tensor(std::string_view entry) { return safetensors_bytes(fmt::format("{{\"w\":{}}}", entry), "1234"); }

std::string two_tensors(std::string_view first, std::string_view second) {
  constexpr const char* kHeader =
      R"({{"a":{{"dtype":"U8","shape":[2],"data_offsets":[{}]}},"b":{{"dtype":"U8","shape":[2],"data_offsets":[{}]}}}})";
  return safetensors_bytes(fmt::format(fmt::runtime(kHeader), first, second), "1234");
}

/// A small file that has everything: metadata, several types, a scalar, a tensor without elements, padding.
std::string valid_file() {
  return safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
      R"("s":{"dtype":"I16","shape":[],"data_offsets":[8,10]},"e":{"dtype":"F16","shape":[3,0],"data_offsets":[10,10]},)"
      R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[10,12]}}   )",
      std::string_view("\0\0\x80\x3f\0\0\0\x40\x05\0\x02\0", 12));
}

TEST_SUITE("formats/safetensors/reader") {
  TEST_CASE("tensors and metadata are what the header says") {
    const NamedTensors file = read_bytes(valid_file());
    CHECK(file.tensors.size() == 4);
    CHECK(file.metadata.at("format") == "pt");
    CHECK(file.file_bytes == std::ssize(valid_file()));
    const Tensor w = file.tensors.at("w").aligned();
    CHECK(w.shape() == Shape{2, 1});
    CHECK(w.values<float>()[0] == 1);
    CHECK(w.values<float>()[1] == 2);
    CHECK(file.tensors.at("s").shape().empty());
    CHECK(to_int64s(file.tensors.at("s")) == std::vector<int64_t>{5});
    CHECK(file.tensors.at("e").shape() == Shape{3, 0});
    CHECK(file.tensors.at("b").values<bool>()[0]);
    CHECK_FALSE(file.tensors.at("b").values<bool>()[1]);
  }

  TEST_CASE("bytes that are not aligned for their type are read all the same") {
    const NamedTensors file = read_bytes(safetensors_bytes(
        R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"F64","shape":[1],"data_offsets":[1,9]}})",
        std::string_view("\1\0\0\0\0\0\0\xf8\x3f", 9)));
    CHECK(file.tensors.at("w").aligned().values<double>()[0] == 1.5);
  }

  TEST_CASE("every element type that the format and terse share is read") {
    struct Row {
      const char* name;
      DType dtype;
    };
    for (const Row& row : {Row{"F64", DType::f64},
                           Row{"F32", DType::f32},
                           Row{"F16", DType::f16},
                           Row{"BF16", DType::bf16},
                           Row{"I64", DType::i64},
                           Row{"I32", DType::i32},
                           Row{"I16", DType::i16},
                           Row{"I8", DType::i8},
                           Row{"U64", DType::u64},
                           Row{"U32", DType::u32},
                           Row{"U16", DType::u16},
                           Row{"U8", DType::u8},
                           Row{"BOOL", DType::boolean},
                           Row{"F8_E4M3", DType::f8e4m3fn},
                           Row{"F8_E5M2", DType::f8e5m2},
                           Row{"F8_E8M0", DType::f8e8m0},
                           Row{"F4", DType::f4e2m1},
                           Row{"F8_E4M3FNUZ", DType::f8e4m3fnuz},
                           Row{"F8_E5M2FNUZ", DType::f8e5m2fnuz},
                           Row{"C64", DType::complex64}}) {
      CAPTURE(row.name);
      const int64_t bytes = packed_bytes(row.dtype, 2);
      const auto header = fmt::format(R"({{"w":{{"dtype":"{}","shape":[2],"data_offsets":[0,{}]}}}})", row.name, bytes);
      const NamedTensors file = read_bytes(safetensors_bytes(header, std::string(static_cast<size_t>(bytes), '\1')));
      CHECK(file.tensors.at("w").dtype() == row.dtype);
    }
  }

  TEST_CASE("every truncation of a file is an error") {
    const std::string whole = valid_file();
    for (size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      CHECK_FALSE(error_of(whole.substr(0, length)).empty());
    }
    CHECK_FALSE(error_of(whole + "x").empty());
  }

  TEST_CASE("every changed byte of length and header is an error or leaves tensors inside the file") {
    const std::string whole = valid_file();
    for (size_t at = 0; at < whole.size() - 12; ++at) {
      CAPTURE(at);
      std::string broken = whole;
      broken[at] = static_cast<char>(broken[at] ^ 1 << at % 8);
      if (!error_of(broken).empty()) {
        continue;
      }
      int64_t bytes = 0;
      for (const auto& [name, tensor] : read_bytes(broken).tensors) {
        bytes += std::ssize(tensor.bytes());
      }
      CHECK(bytes == 12);
    }
  }

  TEST_CASE("what breaks the format's rules is refused") {
    struct Row {
      std::string bytes;
      const char* message;
    };
    for (const Row& row : {
             Row{"", "0 bytes, expected at least the 8"},
             Row{std::string(8, '\xff'), "a header of 18446744073709551615 bytes, expected at most 100000000"},
             Row{safetensors_bytes(" {}", ""), "does not begin with '{'"},
             Row{safetensors_bytes("[]", ""), "does not begin with '{'"},
             Row{safetensors_bytes("{}", "x"), "1 bytes of data, but the tensors end at byte 0"},
             Row{safetensors_bytes("{} {}", ""), "parse error"},
             Row{safetensors_bytes("{\"\xff\":0}", ""), "parse error"},
             Row{safetensors_bytes(R"({"a":[[[0]]]})", ""), "more than 3 objects and arrays"},
             Row{safetensors_bytes(R"({"a":0,"a":0})", ""), "'a' occurs twice in one object"},
             Row{safetensors_bytes(R"({"__metadata__":{"a":1}})", ""), "__metadata__.a: found a number"},
             Row{safetensors_bytes(R"({"__metadata__":[]})", ""), "__metadata__: found an array, expected an object"},
             Row{safetensors_bytes(R"({"w":3})", ""), "tensor 'w': found a number"},
             Row{safetensors_bytes(R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", ""), "name is empty"},
             Row{one_tensor(R"({"shape":[4],"data_offsets":[0,4]})"), "tensor 'w': 'dtype' is missing"},
             Row{one_tensor(R"({"dtype":"F6_E2M3","shape":[4],"data_offsets":[0,4]})"),
                 "dtype 'F6_E2M3', expected one"},
             Row{one_tensor(R"({"dtype":"F4","shape":[7],"data_offsets":[0,4]})"), "7 elements of 4 bits"},
             Row{one_tensor(R"({"dtype":"U8","dtype":"U8","shape":[4],"data_offsets":[0,4]})"), "'dtype' occurs twice"},
             Row{one_tensor(R"({"dtype":"U8","shape":[-4],"data_offsets":[0,4]})"), "shape[0]: -4 is not from 0"},
             Row{one_tensor(R"({"dtype":"U8","shape":[4.0],"data_offsets":[0,4]})"), "shape[0]: found a number"},
             Row{one_tensor(R"({"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,4]})"), "too large"},
             Row{one_tensor(R"({"dtype":"U8","shape":[3],"data_offsets":[0,4]})"), "4 bytes of data, expected 3"},
             Row{one_tensor(R"({"dtype":"U8","shape":[4],"data_offsets":[0]})"), "data_offsets [0], expected a begin"},
             Row{one_tensor(R"({"dtype":"U8","shape":[4],"data_offsets":[0,5]})"), "inside the 4 bytes of data"},
             Row{one_tensor(R"({"dtype":"U8","shape":[4],"data_offsets":[4,0]})"), "data_offsets [4,0]"},
             Row{one_tensor(R"({"dtype":"U8","shape":[4],"data_offsets":[0,99999999999999999999]})"), "found a number"},
             Row{two_tensors("0,2", "1,3"),
                 "tensor 'b' begins at byte 1 of the data, expected 2, the end of tensor 'a'"},
             Row{two_tensors("0,2", "0,2"), "tensor 'b' begins at byte 0 of the data, expected 2"},
             Row{two_tensors("2,4", "1,3"),
                 "tensor 'b' begins at byte 1 of the data, expected 0, the end of the header"},
         }) {
      CAPTURE(row.bytes);
      const std::string error = error_of(row.bytes);
      CAPTURE(error);
      CHECK(error.find(row.message) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace terse::safetensors
