#include "formats/pytorch/zip_directory.h"

#include <algorithm>
#include <cstdint>

#include "formats/byte_reader.h"
#include "formats/error.h"

namespace terse::pytorch {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kDirectoryEntry = 0x02014b50;
constexpr uint32_t kZip64End = 0x06064b50;
constexpr uint32_t kZip64Locator = 0x07064b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr size_t kEndBytes = 22, kLocatorBytes = 20, kLargestComment = 0xffff;
constexpr uint32_t kIn64Bits = 0xffffffff;  // the number stands elsewhere

Bytes slice(Bytes archive, uint64_t offset, uint64_t length, const char* what) {
  if (offset > archive.size() || length > archive.size() - offset) {
    throw Error(Kind::input, "zip archive: {} at offset {} + {} bytes is past the end of the file ({} bytes)", what,
                offset, length, archive.size());
  }
  return archive.subspan(offset, length);
}

void expect_signature(ByteReader& reader, uint32_t signature, const char* what) {
  if (const auto found = reader.number<uint32_t>(); found != signature) {
    throw Error(Kind::input, "zip archive: {} begins with {:#010x}, expected {:#010x}", what, found, signature);
  }
}

struct Directory {
  uint64_t entries = 0, bytes = 0, offset = 0;
};

/// The end record is the last thing of the file but for its comment.
size_t find_end(Bytes archive) {
  for (size_t comment = 0; comment <= kLargestComment && comment + kEndBytes <= archive.size(); ++comment) {
    const size_t offset = archive.size() - comment - kEndBytes;
    ByteReader reader(archive.subspan(offset));
    if (reader.number<uint32_t>() == kEnd) {
      reader.take(kEndBytes - 6);
      if (reader.number<uint16_t>() == comment) {
        return offset;
      }
    }
  }
  throw Error(Kind::input, "the end of a zip archive is missing: the file is cut off, or no zip archive");
}

Directory read_zip64_end(Bytes archive, uint64_t offset) {
  ByteReader reader(slice(archive, offset, 56, "the zip64 end"));
  expect_signature(reader, kZip64End, "the zip64 end");
  reader.take(28);  // its size, versions, disks, entries on this disk
  return {
      .entries = reader.number<uint64_t>(), .bytes = reader.number<uint64_t>(), .offset = reader.number<uint64_t>()};
}

Directory find_directory(Bytes archive) {
  const size_t end = find_end(archive);
  if (end >= kLocatorBytes) {
    ByteReader locator(archive.subspan(end - kLocatorBytes, kLocatorBytes));
    if (locator.number<uint32_t>() == kZip64Locator) {
      locator.take(4);
      return read_zip64_end(archive, locator.number<uint64_t>());
    }
  }
  ByteReader reader(archive.subspan(end));
  reader.take(10);  // signature, disks, entries on this disk
  return {
      .entries = reader.number<uint16_t>(), .bytes = reader.number<uint32_t>(), .offset = reader.number<uint32_t>()};
}

struct Entry {
  std::string_view name;
  uint64_t offset = 0;  ///< of the local header
  uint64_t stored_bytes = 0, bytes = 0;
};

/// Replaces the numbers that stand in the extra field, which is a list of {u16 id, u16 length, length bytes}.
void read_zip64_field(Bytes extra, Entry& entry) {
  constexpr uint16_t kZip64Field = 1;
  ByteReader reader(extra);
  while (!reader.at_end()) {
    const auto id = reader.number<uint16_t>();
    ByteReader field(reader.take(reader.number<uint16_t>()));
    if (id != kZip64Field) {
      continue;
    }
    for (uint64_t* number : {&entry.bytes, &entry.stored_bytes, &entry.offset}) {
      if (*number == kIn64Bits) {
        *number = field.number<uint64_t>();
      }
    }
  }
}

void check_method(uint16_t flags, uint16_t method, const Entry& entry) {
  constexpr uint16_t kEncrypted = 1, kStored = 0;
  if ((flags & kEncrypted) != 0 || method != kStored) {
    throw Error(Kind::unsupported, "zip entry '{}' is {}, expected plain bytes as torch.save writes them", entry.name,
                method != kStored ? "compressed" : "encrypted");
  }
  if (entry.stored_bytes != entry.bytes) {
    throw Error(Kind::input, "zip entry '{}' has {} stored bytes, expected {}", entry.name, entry.stored_bytes,
                entry.bytes);
  }
}

Entry read_entry(ByteReader& reader) {
  expect_signature(reader, kDirectoryEntry, "an entry of the directory");
  reader.take(4);  // versions
  const auto flags = reader.number<uint16_t>();
  const auto method = reader.number<uint16_t>();
  reader.take(8);  // time, date, checksum
  Entry entry;
  entry.stored_bytes = reader.number<uint32_t>();
  entry.bytes = reader.number<uint32_t>();
  const auto name_bytes = reader.number<uint16_t>();
  const auto extra_bytes = reader.number<uint16_t>();
  const auto comment_bytes = reader.number<uint16_t>();
  reader.take(8);  // disk, attributes
  entry.offset = reader.number<uint32_t>();
  entry.name = reader.text(name_bytes);
  read_zip64_field(reader.take(extra_bytes), entry);
  reader.take(comment_bytes);
  check_method(flags, method, entry);
  return entry;
}

Bytes data_of(Bytes archive, const Entry& entry) {
  constexpr uint64_t kFixedBytes = 30;
  ByteReader header(slice(archive, entry.offset, kFixedBytes, "a local header"));
  expect_signature(header, kLocalHeader, "a local header");
  header.take(22);
  const auto name_bytes = header.number<uint16_t>();
  const auto extra_bytes = header.number<uint16_t>();
  ByteReader rest(archive.subspan(entry.offset + kFixedBytes));
  if (const std::string_view name = rest.text(name_bytes); name != entry.name) {
    throw Error(Kind::input, "zip entry '{}' is called '{}' in its local header", entry.name, name);
  }
  return slice(archive, entry.offset + kFixedBytes + name_bytes + extra_bytes, entry.bytes, "data");
}

}  // namespace

std::map<std::string, Bytes, std::less<>> read_zip_directory(Bytes archive) {
  const Directory directory = find_directory(archive);
  ByteReader reader(slice(archive, directory.offset, directory.bytes, "the directory"));
  std::map<std::string, Bytes, std::less<>> entries;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    const Entry entry = read_entry(reader);
    if (!entries.emplace(entry.name, data_of(archive, entry)).second) {
      throw Error(Kind::input, "zip entry '{}' occurs twice", entry.name);
    }
  }
  return entries;
}

}  // namespace terse::pytorch
