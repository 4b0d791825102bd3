#include "formats/safetensors/writer.h"

#include <doctest/doctest.h>

#include <array>

#include "formats/error.h"
#include "formats/safetensors/reader.h"
#include "tests/temporary_folder.h"

namespace terse::safetensors {
namespace {

namespace fs = std::filesystem;

/// Bytes that count upwards from `first`, but for booleans, which alternate.
Tensor counting(DType dtype, Shape shape, int first) {
  Tensor tensor = Tensor::uninitialized(dtype, std::move(shape));
  for (std::byte& b : tensor.mutable_bytes()) {
    b = static_cast<std::byte>(dtype == DType::boolean ? first++ & 1 : first++);
  }
  return tensor;
}

/// A tensor of every element type of the format.
std::vector<StoredTensor> every_type() {
  std::vector<StoredTensor> tensors;
  for (const DType dtype : {DType::f32,    DType::f16,        DType::bf16,    DType::f64,      DType::i8,
                            DType::i16,    DType::i32,        DType::i64,     DType::u8,       DType::u16,
                            DType::u32,    DType::u64,        DType::boolean, DType::f8e4m3fn, DType::f8e4m3fnuz,
                            DType::f8e5m2, DType::f8e5m2fnuz, DType::f8e8m0,  DType::f4e2m1,   DType::complex64}) {
    tensors.push_back(
        stored_tensor(std::string(name(dtype)), counting(dtype, {3, 2}, static_cast<int>(tensors.size()))));
  }
  return tensors;
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && std::ranges::equal(a.bytes(), b.bytes());
}

std::vector<StoredTensor> five_tensors() {
  std::vector<StoredTensor> tensors;
  for (const char* name : {"e", "d", "c", "b", "a"}) {
    tensors.push_back(stored_tensor(name, counting(DType::u8, {100}, *name)));
  }
  return tensors;
}

TEST_SUITE("formats/safetensors/writer") {
  TEST_CASE("every element type comes back equal and aligned, and metadata too") {
    const TemporaryFolder folder;
    const auto tensors = every_type();
    write_files(plan_files(tensors, {.metadata = {{"a", "\"\xc3\xa9\n"}}}), tensors, folder.path());
    const NamedTensors read_back = read(folder.path() / "model.safetensors");
    CHECK(read_back.tensors.size() == tensors.size());
    CHECK(read_back.metadata.at("a") == "\"\xc3\xa9\n");
    CHECK(read_back.metadata.at("format") == "pt");
    for (int i = 0; const StoredTensor& tensor : tensors) {
      CAPTURE(tensor.name);
      CHECK(equal(read_back.tensors.at(tensor.name), counting(tensor.dtype, tensor.shape, i++)));
      CHECK(read_back.tensors.at(tensor.name).is_aligned());
    }
  }

  TEST_CASE("the plan of a file is its bytes") {
    const TemporaryFolder folder;
    const std::vector<StoredTensor> tensors = {stored_tensor("b", Tensor::of<float>({1}, {1})),
                                               stored_tensor("a", Tensor::of<uint8_t>({}, {7})),
                                               stored_tensor("z", Tensor::of<int64_t>({1, 1}, {-1}))};
    const auto plan = plan_files(tensors, {});
    write_files(plan, tensors, folder.path());
    const std::string bytes = read_text(folder.path() / "model.safetensors");
    CHECK(plan.size() == 1);
    CHECK(plan[0].bytes == std::ssize(bytes));
    const std::string head =
        std::string("\xc8\0\0\0\0\0\0\0", 8) +
        R"({"__metadata__":{"format":"pt"},"z":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},)" +
        R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},)" +
        R"("a":{"dtype":"U8","shape":[],"data_offsets":[12,13]}}      )";
    CHECK(plan[0].head == head);
    CHECK(bytes == head + std::string("\xff\xff\xff\xff\xff\xff\xff\xff\0\0\x80\x3f\7", 13));
  }

  TEST_CASE("shards stay below the limit, in the order of the list, and are found by their index") {
    const TemporaryFolder folder;
    const auto tensors = five_tensors();
    constexpr int64_t kLimit = 600;  // two of them
    const auto plan = plan_files(tensors, {.largest_bytes = kLimit});
    write_files(plan, tensors, folder.path());
    CHECK(folder.count() == 4);
    const std::array names = {"model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                              "model-00003-of-00003.safetensors", "model.safetensors.index.json"};
    for (size_t i = 0; i < plan.size(); ++i) {
      CHECK(plan[i].name == names.at(i));
      CHECK(plan[i].bytes == static_cast<int64_t>(fs::file_size(folder.path() / plan[i].name)));
      CHECK(plan[i].bytes <= kLimit);
    }
    CHECK(read(folder.path() / names[0]).tensors.contains("e"));
    const NamedTensors all = read_sharded(folder.path() / names[3]);
    CHECK(all.tensors.size() == 5);
    CHECK(equal(all.tensors.at("a"), counting(DType::u8, {100}, 'a')));
  }

  TEST_CASE("a tensor above the limit has a shard of its own") {
    const auto tensors = five_tensors();
    CHECK(plan_files(tensors, {.largest_bytes = 1}).size() == 6);
    CHECK(plan_files({}, {.largest_bytes = 1}).size() == 1);
  }

  TEST_CASE("a plan touches no data") {
    const std::vector<StoredTensor> tensors = {{"w", DType::bf16, {1 << 20, 1 << 20}, nullptr}};
    const auto plan = plan_files(tensors, {});
    CHECK(plan[0].bytes == (int64_t{1} << 41) + std::ssize(plan[0].head));
  }

  TEST_CASE("what the format cannot hold is refused by name") {
    struct Row {
      std::vector<StoredTensor> tensors;
      const char* message;
    };
    for (const Row& row :
         {Row{{{"", DType::f32, {1}, nullptr}}, "cannot be called ''"},
          Row{{{"__metadata__", DType::f32, {1}, nullptr}}, "cannot be called '__metadata__'"},
          Row{{{"w", DType::f32, {1}, nullptr}, {"w", DType::f32, {1}, nullptr}}, "called 'w': another one is"},
          Row{{{"\xff", DType::f32, {1}, nullptr}}, "not UTF-8"},
          Row{{{"w", DType::i4, {2}, nullptr}}, "tensor 'w': element type i4"},
          Row{{{"w", DType::f4e2m1, {3}, nullptr}}, "tensor 'w': 3 elements of 4 bits"}}) {
      CAPTURE(row.message);
      CHECK_THROWS_WITH_AS(plan_files(row.tensors, {}), doctest::Contains(row.message), Error);
    }
  }

  TEST_CASE("a tensor that gives another number of bytes than planned leaves no file") {
    const TemporaryFolder folder;
    auto tensors = five_tensors();
    tensors[4].write = [](Sink& sink) { sink.write("short"); };
    CHECK_THROWS_WITH_AS(write_files(plan_files(tensors, {.largest_bytes = 1}), tensors, folder.path()),
                         doctest::Contains("tensor 'a' gave 5 bytes, planned were 100"), Error);
    CHECK(folder.count() == 0);
  }
}

}  // namespace
}  // namespace terse::safetensors
