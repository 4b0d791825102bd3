#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>

namespace terse::pytorch {

// The layout of a zip archive, as far as it is read; all numbers are little endian:
//
//   local header   of an entry: "PK\3\4", 22 bytes that the directory repeats, the lengths of name and extra field,
//   both data           of that entry
//   ...            more of these
//   directory      an entry: "PK\1\2", flags, method, sizes, lengths, the local header's offset, name, extra field
//                  (where numbers of 64 bits stand, if one of 32 is all ones), comment
//   zip64 end      "PK\6\6": number of entries, the directory's size and offset in 64 bits; may be absent
//   zip64 locator  "PK\6\7": the offset of the zip64 end; present with it
//   end            "PK\5\6": number of entries, the directory's size and offset, comment

/// The entries of a zip archive by name, each a view of `archive`. Checksums are not compared, since that would read
/// all of it. Errors: input if the archive is broken or an entry occurs twice; unsupported for compressed or encrypted
/// entries.
std::map<std::string, std::span<const std::byte>, std::less<>> read_zip_directory(std::span<const std::byte> archive);

}  // namespace terse::pytorch
