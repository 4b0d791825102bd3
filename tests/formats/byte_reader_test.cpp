#include "formats/byte_reader.h"

#include <doctest/doctest.h>

#include "formats/error.h"

namespace terse {
namespace {

TEST_SUITE("formats/byte_reader") {
  TEST_CASE("numbers, texts and lines are read one after the other") {
    const std::string_view bytes(
        "\x01\x02\xff\xff\xff\xff\0\0\x80\x3f"
        "abline\n",
        17);
    ByteReader reader(std::as_bytes(std::span(bytes)));
    CHECK(reader.number<uint16_t>() == 0x0201);
    CHECK(reader.number<int32_t>() == -1);
    CHECK(reader.number<float>() == 1);
    CHECK(reader.text(2) == "ab");
    CHECK_FALSE(reader.at_end());
    CHECK(reader.line() == "line");
    CHECK(reader.position() == 17);
    CHECK(reader.at_end());
  }

  TEST_CASE("what is not there is an error that says where") {
    const std::string_view bytes = "abc";
    const auto message = [&](auto&& read) -> std::string {
      ByteReader reader(std::as_bytes(std::span(bytes)));
      reader.take(1);
      try {
        read(reader);
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    CHECK(message([](ByteReader& r) { r.number<uint32_t>(); }) == "4 bytes expected at byte 1 of 3, where 2 are left");
    CHECK(message([](ByteReader& r) { r.take(UINT64_MAX); }).find("where 2 are left") != std::string::npos);
    CHECK(message([](ByteReader& r) { r.line(); }) == "1 bytes expected at byte 3 of 3, where 0 are left");
    CHECK(message([](ByteReader& r) { r.text(2); }).empty());
  }
}

}  // namespace
}  // namespace terse
