#pragma once

#include <string>
#include <vector>

#include "formats/byte_reader.h"
#include "formats/encoding.h"
#include "formats/record_file.h"

namespace terse {

/// Appends what an encoding says beside its tensors to `head`, and its tensors' bytes to `blobs`: views that live as
/// long as the encoding. Precondition: not planned.
void append_encoding(const Encoding& encoding, std::string& head, std::vector<std::span<const std::byte>>& blobs);

/// The encoding that append_encoding wrote; `head` stands at its first byte. Its tensors are views of the record's
/// file. Error input for whatever is no encoding of floats that can be decoded.
Encoding read_encoding(ByteReader& head, const Record& record);

}  // namespace terse
