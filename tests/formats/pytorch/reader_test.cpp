#include "formats/pytorch/reader.h"

#include <doctest/doctest.h>

#include <fstream>

#include "formats/error.h"
#include "tests/formats/pytorch/files.h"
#include "tests/temporary_folder.h"

namespace terse::pytorch {
namespace {

NamedTensors read_bytes(const std::string& bytes) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "w.bin") << bytes;  // not write_text, which waits for the disk
  return read(folder.path() / "w.bin");
}

std::string error_of(const std::string& bytes) {
  try {
    read_bytes(bytes);
  } catch (const Error& error) {
    CHECK(error.kind() != Kind::internal);
    CHECK(std::string_view(error.what()).find("w.bin: ") != std::string_view::npos);
    return error.what();
  }
  return "";
}

/// Six elements of two bytes.
std::string archive(const std::string& pickle, const std::string& byte_order = "little") {
  return zip_bytes({{"any/data.pkl", pickle},
                    {"any/byteorder", byte_order},
                    {"any/data/0", std::string("\0\0\1\0\2\0\3\0\4\0\5\0", 12)}});
}

std::string one(const std::string& tensor) { return archive(pickled_dict({{"w", tensor}})); }

const std::string kShorts = pickled_storage("ShortStorage", "0", 6);
const std::string kBytes = pickled_tuple({pickled_text("storage"), pickled_global("torch.storage", "UntypedStorage"),
                                          pickled_text("0"), pickled_text("cpu"), pickled_number(12)}) +
                           "Q";

/// A call of a function of torch._utils.
std::string rebuilt(const std::string& function, const std::vector<std::string>& arguments) {
  return pickled_global("torch._utils", function) + pickled_tuple(arguments) + "R";
}

/// The arguments of _rebuild_tensor_v3.
std::vector<std::string> typed(const std::string& type, const std::string& storage = kBytes) {
  return {storage, pickled_number(1), pickled_numbers({3}),         pickled_numbers({1}),
          "\x89",  ordered_dict(),    pickled_global("torch", type)};
}

TEST_SUITE("formats/pytorch/reader") {
  TEST_CASE("tensors are views of the file, tied ones of the same bytes") {
    const std::string whole = pickled_tensor(kShorts, 0, {2, 3}, {3, 1});
    const NamedTensors file = read_bytes(
        archive(pickled_dict({{"w", whole}, {"tied", whole}, {"row", pickled_tensor(kShorts, 3, {3}, {1})}})));
    CHECK(to_int64s(file.tensors.at("w")) == std::vector<int64_t>{0, 1, 2, 3, 4, 5});
    CHECK(file.tensors.at("w").shape() == Shape{2, 3});
    CHECK(file.tensors.at("tied").bytes().data() == file.tensors.at("w").bytes().data());
    CHECK(file.tensors.at("row").bytes().data() == file.tensors.at("w").bytes().data() + 6);
    CHECK(file.metadata.empty());
    CHECK(file.files.size() == 1);
  }

  TEST_CASE("a transposed tensor is copied, and tied ones share the copy") {
    const std::string turned = pickled_tensor(kShorts, 0, {3, 2}, {1, 3});
    const NamedTensors file = read_bytes(archive(pickled_dict({{"w", turned}, {"tied", turned}})));
    CHECK(to_int64s(file.tensors.at("w")) == std::vector<int64_t>{0, 3, 1, 4, 2, 5});
    CHECK(file.tensors.at("tied").bytes().data() == file.tensors.at("w").bytes().data());
  }

  TEST_CASE("parameters, plain dictionaries and element types without a storage are read") {
    CHECK(read_bytes(one(rebuilt("_rebuild_parameter", {pickled_tensor(kShorts, 0, {6}, {1}), "\x88", ordered_dict()})))
              .tensors.at("w")
              .dtype() == DType::i16);
    const NamedTensors file =
        read_bytes(archive("\x80\x02}" + pickled_text("w") + rebuilt("_rebuild_tensor_v3", typed("uint16")) + "s."));
    CHECK(file.tensors.at("w").dtype() == DType::u16);
    CHECK(to_int64s(file.tensors.at("w")) == std::vector<int64_t>{1, 2, 3});
  }

  TEST_CASE("the attributes of a state dict are not read") {
    const std::string dict = pickled_dict({{"w", pickled_tensor(kShorts, 0, {6}, {1})}});
    const std::string state = "}" + pickled_text("_metadata") + ordered_dict() + "sb.";
    CHECK(read_bytes(archive(dict.substr(0, dict.size() - 1) + state)).tensors.size() == 1);
  }

  TEST_CASE("every truncation is an error, and every changed byte is survived") {
    const std::string whole = one(pickled_tensor(kShorts, 0, {3, 2}, {1, 3}));
    for (size_t length = 0; length < whole.size(); ++length) {
      CAPTURE(length);
      CHECK_FALSE(error_of(whole.substr(0, length)).empty());
    }
    for (size_t at = 0; at < whole.size(); ++at) {
      CAPTURE(at);
      std::string broken = whole;
      broken[at] = static_cast<char>(broken[at] ^ 1 << at % 8);
      if (error_of(broken).empty()) {
        CHECK(read_bytes(broken).tensors.size() <= 1);
      }
    }
  }

  TEST_CASE("files of other forms are refused with the cure") {
    CHECK(
        error_of(std::string("\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 15)).find("before PyTorch 1.6: load it") !=
        std::string::npos);
    CHECK(error_of(archive("", "big")).find("byte order 'big', expected 'little'") != std::string::npos);
    CHECK(error_of(zip_bytes({{"data.pkl", ""}})).find("without data.pkl") != std::string::npos);
    CHECK(error_of(zip_bytes({{"a/b/data.pkl", ""}})).find("without data.pkl") != std::string::npos);
    CHECK(error_of("text").find("the end of a zip archive is missing") != std::string::npos);
  }

  TEST_CASE("what is no state dict, or does not fit its storages, is refused by name") {
    struct Row {
      std::string bytes;
      const char* message;
    };
    const std::string tensor = pickled_tensor(kShorts, 0, {6}, {1});
    std::vector<std::string> flagged = typed("uint16");
    flagged.push_back("}" + pickled_text("conj") + "\x88s");
    for (const Row& row : {
             Row{archive("N."), "the pickle holds None, expected a state dict"},
             Row{archive(tensor + "."), "an object of torch._utils._rebuild_tensor_v2, expected a state dict"},
             Row{archive("}NNs."), "the pickle holds None, expected a tensor's name"},
             Row{one("K\3"), "tensor 'w': the pickle holds an int, expected a tensor: save model.state_dict() alone"},
             Row{one(ordered_dict()), "tensor 'w': the pickle holds an object of collections.OrderedDict"},
             Row{archive(pickled_dict({{"w", tensor}, {"w", tensor}})), "tensor 'w': the name occurs twice"},
             Row{archive(pickled_dict({{"", tensor}})), "the name is empty"},
             Row{archive(pickled_dict({{"w", pickled_global("os", "system") + ")R"}})), "the pickle uses 'os.system'"},
             Row{one(pickled_tensor(pickled_storage("ShortStorage", "1", 6), 0, {6}, {1})), "'any/data/1' is missing"},
             Row{one(pickled_tensor(pickled_storage("ShortStorage", "0", 7), 0, {6}, {1})),
                 "storage '0' has 7 elements of 2 bytes, expected no more than its 12 bytes hold"},
             Row{one(pickled_tensor(pickled_storage("ShortStorage", "0", -1), 0, {6}, {1})), "has -1 elements"},
             Row{one(pickled_tensor(pickled_storage("uint16", "0", 6), 0, {6}, {1})), "'torch.uint16' is no storage's"},
             Row{one(pickled_tensor(kShorts, 1, {6}, {1})),
                 "offset 1, size [6], strides [1] lead out of the storage's 6"},
             Row{one(pickled_tensor(kShorts, 0, {65536, 65536}, {0, 0})), "repeat or overlap"},
             Row{one(pickled_tensor(kBytes, 0, {6}, {1})), "untyped bytes in _rebuild_tensor_v2"},
             Row{one(rebuilt("_rebuild_tensor_v3", typed("FloatStorage"))), "'torch.FloatStorage' is no element type"},
             Row{one(rebuilt("_rebuild_tensor_v3", flagged)), "a tensor with metadata"},
             Row{one(rebuilt("_rebuild_tensor", {kShorts})), "1 arguments of _rebuild_tensor, expected 4 to 4"},
             Row{one(rebuilt("_rebuild_parameter", {rebuilt("_rebuild_parameter", {"N", "N", "N"}), "N", "N"})),
                 "torch._utils._rebuild_parameter, expected a tensor"},
         }) {
      CAPTURE(row.message);
      const std::string error = error_of(row.bytes);
      CAPTURE(error);
      CHECK(error.find(row.message) != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace terse::pytorch
