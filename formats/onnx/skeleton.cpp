#include "formats/onnx/skeleton.h"

#include <algorithm>
#include <array>
#include <climits>

#include "formats/error.h"
#include "formats/onnx/wire.h"

namespace terse::onnx {
namespace {

enum class Message { leaf, model, graph, node, attribute, tensor, function };

/// Where messages that may hold tensors lie in each other. Sparse tensors are carried as they are, so are no such.
struct Nesting {
  Message outer;
  uint32_t field;
  Message inner;
};
constexpr std::array kNestings = {
    Nesting{Message::model, 7, Message::graph},         Nesting{Message::model, 25, Message::function},
    Nesting{Message::graph, 1, Message::node},          Nesting{Message::graph, 5, Message::tensor},
    Nesting{Message::node, 5, Message::attribute},      Nesting{Message::attribute, 5, Message::tensor},
    Nesting{Message::attribute, 6, Message::graph},     Nesting{Message::attribute, 10, Message::tensor},
    Nesting{Message::attribute, 11, Message::graph},    Nesting{Message::function, 7, Message::node},
    Nesting{Message::function, 11, Message::attribute},
};

constexpr std::array<uint32_t, 10> kModelFields = {1, 2, 3, 4, 5, 6, 7, 8, 14, 25};
constexpr uint32_t kSegment = 3;
constexpr uint32_t kRawData = 9;

constexpr int kMaxDepth = 100;         // libprotobuf's own limit
constexpr size_t kLengthBytes = 5;     // of a length that is patched: a varint with leading zeros
constexpr size_t kMaxBytes = INT_MAX;  // of a message that libprotobuf parses

constexpr std::ptrdiff_t kReleaseBytes = 1 << 20;  // fewer system calls

Message find_inner(Message outer, const wire::Field& field) {
  const auto* found = std::find_if(kNestings.begin(), kNestings.end(),
                                   [&](const Nesting& n) { return n.outer == outer && n.field == field.number; });
  return found == kNestings.end() || field.type != wire::Type::length_delimited ? Message::leaf : found->inner;
}

class Skimmer {
 public:
  explicit Skimmer(std::span<const std::byte> file) : file_(file), walked_(file.data()) {}

  Skeleton skim() {
    skim(file_, Message::model, 1);
    return std::move(skeleton_);
  }

 private:
  void skim(std::span<const std::byte> message, Message kind, int depth) {
    if (depth > kMaxDepth) {
      throw Error(Kind::input, "messages are nested deeper than {}", kMaxDepth);
    }
    wire::Cursor cursor(message);
    while (const auto field = cursor.next()) {
      if (const Message inner = find_inner(kind, *field); inner != Message::leaf) {
        skim_inner(*field, inner, depth);
      } else {
        copy(kind, *field);
      }
    }
  }

  void skim_inner(const wire::Field& field, Message kind, int depth) {
    std::string& out = skeleton_.bytes;
    wire::append_tag(out, field.number, field.type);
    const size_t begin = out.size() + kLengthBytes;
    out.resize(begin);
    skim(field.payload, kind, depth + 1);
    size_t length = out.size() - begin;
    for (size_t i = 0; i < kLengthBytes; ++i, length >>= 7) {
      out[begin - kLengthBytes + i] = static_cast<char>((length & 0x7f) | (i + 1 < kLengthBytes ? 0x80 : 0));
    }
  }

  void copy(Message kind, const wire::Field& field) {
    const bool is_known = std::find(kModelFields.begin(), kModelFields.end(), field.number) != kModelFields.end();
    if (kind == Message::model && !is_known) {
      append(skeleton_.opaque, field);
    } else if (kind == Message::tensor && field.number == kSegment) {
      throw Error(Kind::unsupported, "a tensor is stored in segments");
    } else if (kind == Message::tensor && field.number == kRawData && field.payload.size() > kSmallBytes) {
      note(field.payload);
    } else {
      append(skeleton_.bytes, field);
    }
  }

  void note(std::span<const std::byte> numbers) {
    const auto begin = static_cast<uint64_t>(numbers.data() - file_.data());
    std::string segment;
    wire::append_varint_field(segment, 1, begin);
    wire::append_varint_field(segment, 2, begin + numbers.size());
    wire::append_bytes_field(skeleton_.bytes, kSegment, segment);
    give_back(numbers.data() + numbers.size());
  }

  void give_back(const std::byte* walked) {
    if (walked - walked_ >= kReleaseBytes) {
      release_pages({walked_, walked});
      walked_ = walked;
    }
  }

  void append(std::string& out, const wire::Field& field) {
    if (field.record.size() > kMaxBytes - std::min(out.size(), kMaxBytes)) {
      throw Error(Kind::unsupported, "more than 2 GiB beside raw_data, expected weights in raw_data or external data");
    }
    out.append(reinterpret_cast<const char*>(field.record.data()), field.record.size());
  }

  std::span<const std::byte> file_;
  const std::byte* walked_;  ///< what lies before has been given back
  Skeleton skeleton_;
};

}  // namespace

Skeleton make_skeleton(const MappedFile& file) { return Skimmer(file.bytes()).skim(); }

}  // namespace terse::onnx
