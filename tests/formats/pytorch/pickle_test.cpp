#include "formats/pytorch/pickle.h"

#include <doctest/doctest.h>

#include "formats/error.h"
#include "tests/formats/pytorch/files.h"

namespace terse::pytorch {
namespace {

bool only_good(const Global& global) { return global.module == "good"; }

Pickle read(std::string_view bytes) { return read_pickle(std::as_bytes(std::span(bytes)), only_good); }

/// A value as Python would print it.
std::string show(const Pickle& pickle, Ref ref);

std::string show_all(const Pickle& pickle, const std::vector<Ref>& items) {
  std::string text;
  for (const Ref item : items) {
    text += show(pickle, item) + ",";
  }
  return text;
}

std::string show_items(const Pickle& pickle, const Dict& dict) {
  std::string text;
  for (const auto& [key, value] : dict.items) {
    text += show(pickle, key) + ":" + show(pickle, value) + ",";
  }
  return text;
}

struct Show {
  const Pickle& pickle;
  std::string operator()(None) const { return "None"; }
  std::string operator()(bool value) const { return value ? "True" : "False"; }
  std::string operator()(int64_t value) const { return fmt::format("{}", value); }
  std::string operator()(double value) const { return fmt::format("{}", value); }
  std::string operator()(std::string_view value) const { return fmt::format("'{}'", value); }
  std::string operator()(const Tuple& value) const { return "(" + show_all(pickle, value.items) + ")"; }
  std::string operator()(const List& value) const { return "[" + show_all(pickle, value.items) + "]"; }
  std::string operator()(const Dict& value) const { return "{" + show_items(pickle, value) + "}"; }
  std::string operator()(const Global& value) const { return fmt::format("{}.{}", value.module, value.name); }
  std::string operator()(const Object& value) const {
    return show(pickle, value.callee) + show(pickle, value.arguments) + "{" + show_items(pickle, value.added) + "}";
  }
  std::string operator()(const Persistent& value) const { return "@" + show(pickle, value.id); }
};

std::string show(const Pickle& pickle, Ref ref) { return std::visit(Show{pickle}, pickle.values.at(ref)); }

std::string shown(std::string_view bytes) {
  const Pickle pickle = read(bytes);
  return show(pickle, pickle.root);
}

/// What a broken pickle may do.
bool survives(std::string_view bytes) {
  try {
    const Pickle pickle = read(bytes);
    return pickle.root < pickle.values.size();
  } catch (const Error& error) {
    return error.kind() != Kind::internal;
  }
}

/// A program of every opcode but PROTO.
const std::string kEveryOpcode =
    "\x95" + std::string(8, '\0') +  // FRAME
    "(N\x88\x89" + pickled_number(-5) + "K\x07" + std::string("M\0\1", 3) + "\x8a\x02\xff\xff" +
    std::string("G\x3f\xf8\0\0\0\0\0\0", 9) + pickled_text("text") + "\x8c\x01s" + "\x8d" + bytes_of(uint64_t{1}) +
    "l" + ")" + "N\x85" + "NN\x86" + "NNN\x87" + "t" +  // all so far is a tuple
    "q\x01" + "0h\x01" + std::string("r\2\0\0\0", 5) + "0j" + bytes_of(2) + "](K\1K\2eK\3a" + "\x86" + "\x94" + "20" +
    "(NN1" + "}(" + pickled_text("a") + "N" + "u" + pickled_text("b") + "Ns" + "\x86" +
    "\x8c\x04good\x8c\x01"
    "f\x93" +
    ")R" + pickled_text("k") + "Ns" + "}b" + "\x86" + pickled_global("good", "C") + "Q" + "\x86" + ".";

TEST_SUITE("formats/pytorch/pickle") {
  TEST_CASE("every opcode makes what Python's unpickler makes") {
    CHECK(shown("\x80\x02" + kEveryOpcode) ==
          "(((((None,True,False,-5,7,256,-1,1.5,'text','s','l',(),(None,),(None,None,),(None,None,None,),),"
          "[1,2,3,],),{'a':None,'b':None,},),good.f(){'k':None,},),@good.C,)");
  }

  TEST_CASE("a pickle refers to a value by its number in the memo") {
    CHECK(shown(std::string("N\x94K\1\x94h\1h\0\x86.", 11)) == "(1,None,)");
    CHECK(shown("Nr" + bytes_of(uint32_t{1} << 31) + "0j" + bytes_of(uint32_t{1} << 31) + ".") == "None");
  }

  TEST_CASE("values that contain themselves are held") {
    const Pickle pickle = read("]q\1h\1a.");
    CHECK(std::get<List>(pickle.values.at(pickle.root)).items == std::vector<Ref>{pickle.root});
  }

  TEST_CASE("every truncation is an error, and every flipped bit is survived") {
    for (size_t length = 0; length < kEveryOpcode.size(); ++length) {
      CAPTURE(length);
      CHECK_THROWS_AS(read(std::string_view(kEveryOpcode).substr(0, length)), Error);
    }
    for (size_t at = 0; at < kEveryOpcode.size() * 8; ++at) {
      std::string broken = kEveryOpcode;
      broken[at / 8] = static_cast<char>(broken[at / 8] ^ 1 << at % 8);
      CHECK(survives(broken));
    }
  }

  TEST_CASE("what could do more than describe data is refused by name") {
    struct Row {
      std::string bytes;
      const char* message;
    };
    for (const Row& row : {
             Row{pickled_global("os", "system") + pickled_tuple({pickled_text("echo harm")}) + "R.", "'os.system'"},
             Row{"\x8c\x08"
                 "builtins\x8c\x04"
                 "eval\x93.",
                 "'builtins.eval'"},
             Row{pickled_global("good", "f") + ")\x81.", "pickle opcode 0x81 (NEWOBJ) at byte 9"},
             Row{"(ios\nsystem\n.", "0x69 (INST)"},
             Row{"(o.", "0x6f (OBJ)"},
             Row{"\x82\1.", "0x82 (EXT1)"},
             Row{"Pid\n.", "0x50 (PERSID)"},
             Row{"\xfe.", "pickle opcode 0xfe at byte 0"},
             Row{"\x80\x01N.", "pickle protocol 1, expected 2 to 5"},
             Row{"\x80\x06N.", "pickle protocol 6"},
         }) {
      CAPTURE(row.message);
      CHECK_THROWS_WITH_AS(read(row.bytes), doctest::Contains(row.message), Error);
    }
  }

  TEST_CASE("a program that does not fit its stack is refused") {
    for (const std::string bytes : {".", "a.", "Na.", "NNa.", "t.", "(NN\x87.", "(Nu.", "}(Nu.", "N(R.", "NNR.", "NNb.",
                                    "0.", "2.", "Q.", "h\1.", "q\1.", "(.", "NN\x93."}) {
      CAPTURE(bytes);
      CHECK_THROWS_WITH_AS(read(bytes), doctest::Contains("the pickle is broken before byte"), Error);
    }
    CHECK_THROWS_WITH_AS(read("\x8a\x09" + std::string(9, '\1') + "."), doctest::Contains("an integer of 64 bits"),
                         Error);
  }
}

}  // namespace
}  // namespace terse::pytorch
