#pragma once

#include <cstdint>
#include <string>

#include "formats/bytes.h"

namespace terse::onnx {

/// A ModelProto without its large numbers, small enough for libprotobuf, which would hold and copy them.
struct Skeleton {
  /// A ModelProto. A tensor whose raw_data was left out says where in the file it lies: segment {begin, end}, in bytes.
  /// (ONNX meant that field for tensors in pieces. Nothing writes it, and files that have it are refused.)
  std::string bytes;
  /// The fields of ModelProto that terse does not read, as they are.
  std::string opaque;
};

/// Walks the messages of a file. Errors: input if its structure is broken, unsupported for 2 GiB beside raw_data.
/// Cost:  touches no raw_data of more than kSmallBytes, and gives pages back as it goes (the system maps many around
/// the
///        one that is touched).
Skeleton make_skeleton(const MappedFile& file);

/// Numbers of at most so many bytes are copied rather than viewed in the file: an aligned copy costs less than the
/// bookkeeping of pages.
inline constexpr int64_t kSmallBytes = 1024;

}  // namespace terse::onnx
