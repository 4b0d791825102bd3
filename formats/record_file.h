#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/bytes.h"

namespace terse {

/// A record as it lies in the file: a few bytes that say what it is, and large runs of bytes, each aligned to 64.
struct Record {
  std::shared_ptr<const MappedFile> file;  ///< holds the rest
  std::span<const std::byte> head;
  std::vector<std::span<const std::byte>> blobs;
};

/// A file of records that only grows, and that any end of the process or the machine leaves readable: what is torn at
/// its end is dropped.
///
///   file    magic, 64 bytes; records, each from a multiple of 64
///   record  u64 checksum of what follows up to the end of the head, u64 bytes of the head, u64 count of blobs;
///           a blob: u64 bytes, u64 checksum; the head; from multiples of 64 each blob
///
/// Numbers are little-endian. One writer at a time holds a lock. Not for several threads.
class RecordFile {
 public:
  /// A file with this magic (up to 64 bytes) and a first record without blobs: there in full or not at all. Error io.
  static RecordFile create(const std::filesystem::path& path, std::string_view magic, std::string_view first);

  /// Reads an existing file, and cuts off what follows its last whole record. Nothing if it does not begin with the
  /// magic, or has no whole record. Errors: io; also if another process has it open.
  static std::optional<RecordFile> open(const std::filesystem::path& path, std::string_view magic);

  ~RecordFile();
  RecordFile(RecordFile&& other) noexcept;
  RecordFile& operator=(RecordFile&&) = delete;

  const std::vector<Record>& records() const { return records_; }  ///< that were there when it was opened

  /// Appends a record, syncs if the last time is more than five seconds ago, and gives the record as it lies in the
  /// file. Error io; then nothing of the record is left.
  Record append(std::string_view head, std::span<const std::span<const std::byte>> blobs);

 private:
  RecordFile(std::filesystem::path path, int descriptor) : path_(std::move(path)), descriptor_(descriptor) {}
  void read_records(std::string_view magic);
  void write_record(std::string_view head, std::span<const std::span<const std::byte>> blobs);
  void sync_sometimes();

  std::filesystem::path path_;
  int descriptor_ = -1;
  int64_t end_ = 0;
  int64_t synced_ = 0;  ///< when, in seconds
  std::vector<Record> records_;
};

}  // namespace terse
