#include "formats/pytorch/pickle.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <unordered_map>

#include "formats/byte_reader.h"
#include "formats/error.h"

namespace terse::pytorch {
namespace {

/// Python's name, pickletools' spelling.
enum Opcode : uint8_t {
  kProto = 0x80,
  kFrame = 0x95,
  kStop = '.',
  kMark = '(',
  kPop = '0',
  kPopMark = '1',
  kDup = '2',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kBinUnicode = 'X',
  kShortBinUnicode = 0x8c,
  kBinUnicode8 = 0x8d,
  kEmptyTuple = ')',
  kTuple = 't',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kAppend = 'a',
  kAppends = 'e',
  kEmptyDict = '}',
  kSetItem = 's',
  kSetItems = 'u',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
  kMemoize = 0x94,
  kGlobal = 'c',
  kStackGlobal = 0x93,
  kReduce = 'R',
  kBuild = 'b',
  kBinPersId = 'Q',
};

struct OpcodeName {
  uint8_t opcode;
  const char* name;
};

/// Those that are refused and that a person may know; most of them make objects of any class.
constexpr OpcodeName kRefused[] = {
    {'P', "PERSID"},
    {'i', "INST"},
    {'o', "OBJ"},
    {0x81, "NEWOBJ"},
    {0x92, "NEWOBJ_EX"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {'I', "INT"},
    {'L', "LONG"},
    {0x8b, "LONG4"},
    {'F', "FLOAT"},
    {'S', "STRING"},
    {'T', "BINSTRING"},
    {'U', "SHORT_BINSTRING"},
    {'V', "UNICODE"},
    {'B', "BINBYTES"},
    {'C', "SHORT_BINBYTES"},
    {0x8e, "BINBYTES8"},
    {0x96, "BYTEARRAY8"},
    {0x8f, "EMPTY_SET"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {'l', "LIST"},
    {'d', "DICT"},
    {'g', "GET"},
    {'p', "PUT"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
};

/// The machine that a pickle is a program for: a stack, marks on it, and a memo of values by number.
class Machine {
 public:
  Machine(std::span<const std::byte> bytes, bool (*is_known)(const Global&)) : reader_(bytes), is_known_(is_known) {}

  Pickle run() {
    for (;;) {
      const auto opcode = reader_.number<uint8_t>();
      if (opcode == kStop) {
        pickle_.root = pop();
        return std::move(pickle_);
      }
      if (!make_atom(opcode) && !make_text(opcode) && !move(opcode) && !make_container(opcode) && !remember(opcode) &&
          !make_object(opcode)) {
        refuse(opcode);
      }
    }
  }

 private:
  bool make_atom(uint8_t opcode) {
    switch (opcode) {
      case kNone:
        return push(None{});
      case kNewTrue:
        return push(true);
      case kNewFalse:
        return push(false);
      case kBinInt:
        return push(int64_t{reader_.number<int32_t>()});
      case kBinInt1:
        return push(int64_t{reader_.number<uint8_t>()});
      case kBinInt2:
        return push(int64_t{reader_.number<uint16_t>()});
      case kLong1:
        return push(long_integer(reader_.number<uint8_t>()));
      case kBinFloat:
        return push(std::bit_cast<double>(__builtin_bswap64(reader_.number<uint64_t>())));
      default:
        return false;
    }
  }

  bool make_text(uint8_t opcode) {
    switch (opcode) {
      case kShortBinUnicode:
        return push(reader_.text(reader_.number<uint8_t>()));
      case kBinUnicode:
        return push(reader_.text(reader_.number<uint32_t>()));
      case kBinUnicode8:
        return push(reader_.text(reader_.number<uint64_t>()));
      default:
        return false;
    }
  }

  /// What changes only the stack, or nothing.
  bool move(uint8_t opcode) {
    switch (opcode) {
      case kProto:
        return check_protocol(reader_.number<uint8_t>());
      case kFrame:
        reader_.number<uint64_t>();
        return true;
      case kMark:
        marks_.push_back(stack_.size());
        return true;
      case kPop:
        pop();
        return true;
      case kPopMark:
        pop_to_mark();
        return true;
      case kDup:
        stack_.push_back(top());
        return true;
      default:
        return false;
    }
  }

  bool make_container(uint8_t opcode) {
    switch (opcode) {
      case kEmptyTuple:
        return push(Tuple{});
      case kTuple1:
      case kTuple2:
      case kTuple3:
        return push(Tuple{pop(size_t{1} + opcode - kTuple1)});
      case kTuple:
        return push(Tuple{pop_to_mark()});
      case kEmptyList:
        return push(List{});
      case kAppend:
        return append(pop(1));
      case kAppends:
        return append(pop_to_mark());
      case kEmptyDict:
        return push(Dict{});
      case kSetItem:
        return set_items(pop(2));
      case kSetItems:
        return set_items(pop_to_mark());
      default:
        return false;
    }
  }

  bool remember(uint8_t opcode) {
    switch (opcode) {
      case kBinPut:
        memo_[reader_.number<uint8_t>()] = top();
        return true;
      case kLongBinPut:
        memo_[reader_.number<uint32_t>()] = top();
        return true;
      case kMemoize:
        memo_[static_cast<uint32_t>(memo_.size())] = top();
        return true;
      case kBinGet:
        return recall(reader_.number<uint8_t>());
      case kLongBinGet:
        return recall(reader_.number<uint32_t>());
      default:
        return false;
    }
  }

  bool make_object(uint8_t opcode) {
    switch (opcode) {
      case kGlobal: {
        const std::string_view module = reader_.line();
        return push_global({module, reader_.line()});
      }
      case kStackGlobal: {
        const auto names = pop(2);
        return push_global({text(names[0]), text(names[1])});
      }
      case kReduce: {
        const auto call = pop(2);
        expect(std::holds_alternative<Global>(value(call[0])) && std::holds_alternative<Tuple>(value(call[1])),
               "a call of a global with a tuple of arguments");
        return push(Object{.callee = call[0], .arguments = call[1], .added = {}});
      }
      case kBuild:  // attributes, of which state dicts have none that matter: _metadata
        pop();
        expect(std::holds_alternative<Object>(value(top())), "an object that gets attributes");
        return true;
      case kBinPersId:
        return push(Persistent{pop()});
      default:
        return false;
    }
  }

  /// Two's complement, little endian.
  int64_t long_integer(size_t size) {
    const auto bytes = reader_.take(size);
    expect(size <= sizeof(int64_t), "an integer of 64 bits");
    uint64_t bits = 0;
    std::memcpy(&bits, bytes.data(), size);
    const int unused = static_cast<int>(64 - 8 * size);
    return size == 0 ? 0 : static_cast<int64_t>(bits << unused) >> unused;
  }

  bool check_protocol(int protocol) const {
    constexpr int kOldest = 2, kNewest = 5;
    if (protocol < kOldest || protocol > kNewest) {
      throw Error(Kind::unsupported, "pickle protocol {}, expected {} to {}", protocol, kOldest, kNewest);
    }
    return true;
  }

  bool push_global(Global global) {
    if (!is_known_(global)) {
      throw Error(Kind::unsupported,
                  "the pickle uses '{}.{}', which a state dict does not need: save model.state_dict() alone",
                  global.module, global.name);
    }
    return push(global);
  }

  bool append(const std::vector<Ref>& items) {
    auto* list = std::get_if<List>(&value(top()));
    expect(list != nullptr, "a list to append to");
    list->items.insert(list->items.end(), items.begin(), items.end());
    return true;
  }

  bool set_items(const std::vector<Ref>& items) {
    Value& target = value(top());
    auto* object = std::get_if<Object>(&target);
    auto* dict = object != nullptr ? &object->added : std::get_if<Dict>(&target);
    expect(dict != nullptr && items.size() % 2 == 0, "a dictionary and pairs to add to it");
    for (size_t i = 0; i < items.size(); i += 2) {
      dict->items.emplace_back(items[i], items[i + 1]);
    }
    return true;
  }

  bool recall(uint32_t number) {
    const auto found = memo_.find(number);
    expect(found != memo_.end(), "a value that was put into the memo before");
    stack_.push_back(found->second);
    return true;
  }

  bool push(Value value) {
    stack_.push_back(static_cast<Ref>(pickle_.values.size()));
    pickle_.values.push_back(std::move(value));
    return true;
  }

  /// The lowest place of the stack that may be taken without a mark.
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  Ref top() const {
    expect(stack_.size() > floor(), "a value on the stack");
    return stack_.back();
  }

  Ref pop() {
    const Ref ref = top();
    stack_.pop_back();
    return ref;
  }

  std::vector<Ref> pop(size_t count) {
    expect(stack_.size() - floor() >= count, "more values on the stack");
    std::vector<Ref> items(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
    stack_.resize(stack_.size() - count);
    return items;
  }

  std::vector<Ref> pop_to_mark() {
    expect(!marks_.empty(), "a mark on the stack");
    auto items = pop(stack_.size() - floor());
    marks_.pop_back();
    return items;
  }

  Value& value(Ref ref) { return pickle_.values[ref]; }

  std::string_view text(Ref ref) {
    const auto* found = std::get_if<std::string_view>(&value(ref));
    expect(found != nullptr, "a text");
    return *found;
  }

  void expect(bool right, const char* expected) const {
    if (!right) {
      throw Error(Kind::input, "the pickle is broken before byte {}: expected {}", reader_.position(), expected);
    }
  }

  [[noreturn]] void refuse(uint8_t opcode) const {
    const auto* found = std::ranges::find(kRefused, opcode, &OpcodeName::opcode);
    throw Error(Kind::unsupported, "pickle opcode {:#04x}{} at byte {}, which a state dict does not need", opcode,
                found == std::end(kRefused) ? "" : fmt::format(" ({})", found->name), reader_.position() - 1);
  }

  ByteReader reader_;
  bool (*is_known_)(const Global&);
  Pickle pickle_;
  std::vector<Ref> stack_;
  std::vector<size_t> marks_;  ///< heights of the stack
  std::unordered_map<uint32_t, Ref> memo_;
};

}  // namespace

Pickle read_pickle(std::span<const std::byte> bytes, bool (*is_known)(const Global& global)) {
  constexpr size_t kLargestBytes = 32 << 20;  // 200,000 tensors; bounds what a pickle of tiny values can cost
  if (bytes.size() > kLargestBytes) {
    throw Error(Kind::unsupported, "a pickle of {} bytes, expected at most {}", bytes.size(), kLargestBytes);
  }
  return Machine(bytes, is_known).run();
}

}  // namespace terse::pytorch
