#include "formats/bytes.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <string>

#include "formats/error.h"
#include "tests/temporary_folder.h"

namespace terse {
namespace {

TEST_SUITE("formats/bytes") {
  TEST_CASE("a committed file holds what was written, small and large pieces alike") {
    const TemporaryFolder folder;
    const std::string large(3 << 20, 'x');
    AtomicFile file(folder.path() / "a");
    file.write("head");
    file.write(large);
    file.write("tail");
    CHECK_FALSE(std::filesystem::exists(folder.path() / "a"));
    file.commit();
    CHECK(read_text(folder.path() / "a") == "head" + large + "tail");
    CHECK(folder.count() == 1);
  }

  TEST_CASE("a file that is not committed leaves nothing behind") {
    const TemporaryFolder folder;
    { AtomicFile(folder.path() / "a").write("lost"); }
    CHECK(folder.count() == 0);
  }

  TEST_CASE("a folder appears whole, or not at all") {
    const TemporaryFolder folder;
    {
      const AtomicFolder lost(folder.path() / "a");
      write_text(lost.temporary() / "file", "lost");
    }
    CHECK(folder.count() == 0);
    AtomicFolder made(folder.path() / "a");
    write_text(made.temporary() / "file", "kept");
    CHECK_FALSE(std::filesystem::exists(folder.path() / "a"));
    made.commit();
    CHECK(read_text(folder.path() / "a" / "file") == "kept");
    CHECK(folder.count() == 1);
  }

  TEST_CASE("a folder replaces an older one as a whole") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder.path() / "a");
    write_text(folder.path() / "a" / "old", "old");
    {
      AtomicFolder made(folder.path() / "a");
      write_text(made.temporary() / "new", "new");
      CHECK(std::filesystem::exists(folder.path() / "a" / "old"));
      made.commit();
      CHECK(read_text(folder.path() / "a" / "new") == "new");
      CHECK_FALSE(std::filesystem::exists(folder.path() / "a" / "old"));
    }
    CHECK(folder.count() == 1);
  }

  TEST_CASE("folders that are begun can be removed from outside, with all that is in them") {
    const TemporaryFolder folder;
    const AtomicFolder begun(folder.path() / "begun");
    write_text(begun.temporary() / "file", "lost");
    remove_temporaries(folder.path());
    CHECK(folder.count() == 0);
    CHECK_THROWS_AS(AtomicFolder("/nowhere/x"), Error);
  }

  TEST_CASE("files that are begun and not committed can be removed from outside") {
    const TemporaryFolder folder;
    write_text(folder.path() / "done", "kept");
    AtomicFile begun(folder.path() / "begun");
    CHECK(folder.count() == 2);
    remove_temporaries(folder.path());
    CHECK(folder.count() == 1);
    remove_temporaries(folder.path() / "absent");
  }

  TEST_CASE("what cannot be opened or created is an io error that names it") {
    const TemporaryFolder folder;
    CHECK_THROWS_WITH_AS(MappedFile::open("/nowhere/x"), "/nowhere/x: cannot open: No such file or directory", Error);
    CHECK_THROWS_AS(MappedFile::open(folder.path()), Error);
    CHECK_THROWS_AS(AtomicFile("/nowhere/x"), Error);
    if (::access("/dev/full", W_OK) == 0) {
      CHECK_THROWS_AS(write_text("/dev/full/x", "text"), Error);
    }
  }

  TEST_CASE("slices stay inside the file") {
    const TemporaryFolder folder;
    write_text(folder.path() / "a", "0123456789");
    const auto file = MappedFile::open(folder.path() / "a");
    CHECK(file->slice(2, 3).size() == 3);
    CHECK(file->slice(10, 0).empty());
    for (const auto& [offset, length] :
         {std::pair<int64_t, int64_t>{8, 3}, {-1, 1}, {0, -1}, {11, 0}, {1, INT64_MAX}}) {
      CAPTURE(offset);
      CHECK_THROWS_AS((void)file->slice(offset, length), Error);
    }
    release_pages(file->bytes());
    CHECK(static_cast<char>(file->bytes()[9]) == '9');
  }

  TEST_CASE("an empty file maps to no bytes") {
    const TemporaryFolder folder;
    write_text(folder.path() / "a", "");
    CHECK(MappedFile::open(folder.path() / "a")->bytes().empty());
  }
}

}  // namespace
}  // namespace terse
