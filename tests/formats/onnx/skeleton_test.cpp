#include "formats/onnx/skeleton.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "formats/onnx/wire.h"
#include "tests/formats/onnx/text_model.h"

namespace terse::onnx {
namespace {

std::string field(uint32_t number, std::string_view payload) {
  std::string out;
  wire::append_bytes_field(out, number, payload);
  return out;
}

Skeleton skeleton_of(std::string_view bytes) {
  const TemporaryFolder folder;
  write_text(folder.path() / "model.onnx", bytes);
  return make_skeleton(*MappedFile::open(folder.path() / "model.onnx"));
}

/// A tensor of 1 KiB and 4 bytes.
::onnx::TensorProto large_tensor(const std::string& name) {
  auto tensor = from_text<::onnx::TensorProto>("data_type: 1 dims: 257 name: \"" + name + "\"");
  tensor.set_raw_data(name + std::string(1028 - name.size(), '\1'));
  return tensor;
}

/// A model with a tensor of 1 KiB and 4 bytes wherever one can lie.
::onnx::ModelProto model_with_tensors() {
  auto proto = from_text(R"(ir_version: 10 opset_import { version: 20 }
    functions { domain: "l" name: "F" output: "b" node { op_type: "Constant" output: "b" attribute { name: "value" type: TENSOR } } }
    graph { output { name: "y" }
      node { domain: "l" op_type: "F" output: "f" }
      node { op_type: "Constant" output: "c" attribute { name: "value" type: TENSOR } }
      node { op_type: "If" input: "c" output: "y" attribute { name: "then_branch" type: GRAPH g { output { name: "s" } } } }
    })");
  auto* graph = proto.mutable_graph();
  *graph->add_initializer() = large_tensor("W");
  *graph->mutable_node(1)->mutable_attribute(0)->mutable_t() = large_tensor("c");
  *graph->mutable_node(2)->mutable_attribute(0)->mutable_g()->add_initializer() = large_tensor("s");
  *proto.mutable_functions(0)->mutable_node(0)->mutable_attribute(0)->mutable_t() = large_tensor("f");
  return proto;
}

/// All positions of a file but those deep inside of a tensor's numbers, which are alike.
std::vector<size_t> positions(const std::string& bytes) {
  const std::string numbers(16, '\1');
  std::vector<size_t> list;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i < 8 || bytes.compare(i - 8, numbers.size(), numbers) != 0) {
      list.push_back(i);
    }
  }
  return list;
}

/// What a broken file may do: be refused by an Error, or be read.
void read_whatever(const TemporaryFolder& folder, const std::string& bytes) {
  try {
    read_bytes(bytes, folder);
  } catch (const Error& error) {
    CHECK(error.kind() != Kind::internal);
    CHECK(std::string_view(error.what()).find("model.onnx: ") != std::string_view::npos);
  }
}

TEST_SUITE("formats/onnx/skeleton") {
  TEST_CASE("large numbers stay out of the skeleton and are views of the file, wherever they lie") {
    const auto proto = model_with_tensors();
    const Skeleton skeleton = skeleton_of(proto.SerializeAsString());
    CHECK(skeleton.bytes.size() < 700);
    const Model model = read_bytes(proto.SerializeAsString());
    for (const char* name : {"W", "c", "s", "f"}) {
      CAPTURE(name);
      const Tensor& tensor = model.graph.value(model.graph.find(name).value()).constant->dense()->values;
      CHECK(tensor.shape() == Shape{257});
      CHECK(static_cast<char>(tensor.bytes()[0]) == name[0]);
    }
  }

  TEST_CASE("numbers of up to 1 KiB stay in the skeleton") {
    auto proto = from_text("graph { initializer { name: \"W\" data_type: 2 dims: 1024 } }");
    proto.mutable_graph()->mutable_initializer(0)->set_raw_data(std::string(1024, 'x'));
    ::onnx::ModelProto parsed;
    REQUIRE(parsed.ParseFromString(skeleton_of(proto.SerializeAsString()).bytes));
    CHECK(parsed.SerializeAsString() == proto.SerializeAsString());
  }

  TEST_CASE("a file cut off anywhere is an error or a model") {
    const TemporaryFolder folder;
    const std::string bytes = model_with_tensors().SerializeAsString();
    for (const size_t length : positions(bytes)) {
      CAPTURE(length);
      read_whatever(folder, bytes.substr(0, length));
    }
  }

  TEST_CASE("a file with any byte changed is an error or a model") {
    const TemporaryFolder folder;
    const std::string bytes = model_with_tensors().SerializeAsString();
    for (const size_t i : positions(bytes)) {
      for (const int mask : {0x01, 0x80, 0xff}) {
        CAPTURE(i);
        std::string changed = bytes;
        changed[i] = static_cast<char>(changed[i] ^ mask);
        read_whatever(folder, changed);
      }
    }
  }

  TEST_CASE("broken structure is an error") {
    struct Row {
      std::string bytes;
      const char* message;
    };
    for (const Row& row : {
             Row{"", "not an ONNX model, or a damaged one"},
             Row{"\x3a\x05"
                 "ab",
                 "a protobuf field of 5 bytes is cut off: 2 bytes are left"},
             Row{"\x3a\xff\xff\xff\xff\x07", "a protobuf field of 2147483647 bytes is cut off: 0 bytes are left"},
             Row{"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
                 "a protobuf field of 18446744073709551615 bytes is cut off: 0 bytes are left"},
             Row{"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a protobuf number is longer than 10 bytes"},
             Row{"\x3b", "protobuf field 7 has wire type 3, expected 0, 1, 2 or 5"},
             Row{"\x02", "a protobuf field has the tag 2, which is none"},
             Row{field(7, field(1, "\xff")), "a protobuf field of 1 bytes is cut off: 0 bytes are left"},
             Row{field(7, field(11, "\xff")), "not an ONNX model, or a damaged one"},
         }) {
      CAPTURE(row.message);
      CHECK(error_of(row.bytes) == row.message);
    }
  }

  TEST_CASE("graphs nested without end are refused") {
    std::string graph;
    for (int depth = 0; depth < 10000; ++depth) {
      graph = field(1, field(5, field(6, graph)));
    }
    CHECK(error_of(field(7, graph)) == "messages are nested deeper than 100");
  }

  TEST_CASE("a file of more than 2 GiB is read") {
    const TemporaryFolder folder;
    const int64_t count = int64_t{5} << 29;  // 2.5 GiB of uint8, which the file system need not store
    std::string head = from_text<::onnx::TensorProto>("name: \"W\" data_type: 2").SerializeAsString();
    wire::append_varint_field(head, 1, static_cast<uint64_t>(count));
    wire::append_tag(head, 9, wire::Type::length_delimited);
    wire::append_varint(head, static_cast<uint64_t>(count));
    std::string graph = field(12, field(1, "W"));
    wire::append_tag(graph, 5, wire::Type::length_delimited);
    wire::append_varint(graph, head.size() + static_cast<uint64_t>(count));
    graph += head;
    std::string model;
    wire::append_tag(model, 7, wire::Type::length_delimited);
    wire::append_varint(model, graph.size() + static_cast<uint64_t>(count));
    model += graph;
    write_text(folder.path() / "model.onnx", model);
    std::filesystem::resize_file(folder.path() / "model.onnx", model.size() + static_cast<uint64_t>(count));

    const Model read_model = read(folder.path() / "model.onnx");
    const Value& weight = read_model.graph.value(read_model.graph.main.outputs.at(0));
    CHECK(weight.constant->shape == Shape{count});
    CHECK(weight.constant->dense()->values.bytes().back() == std::byte{0});
  }
}

}  // namespace
}  // namespace terse::onnx
