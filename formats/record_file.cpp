#include "formats/record_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "formats/byte_reader.h"
#include "formats/checksum.h"
#include "formats/error.h"

namespace terse {
namespace {

constexpr int64_t kAlignment = 64;
constexpr uint64_t kMostBlobs = 16;
constexpr int64_t kSecondsBetweenSyncs = 5;  // what a power failure may cost; a killed process loses nothing

using Blobs = std::span<const std::span<const std::byte>>;

int64_t round_up(int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Error io_error(const std::filesystem::path& path, std::string_view action) {
  return Error(Kind::io, "{}: cannot {}: {}", path.string(), action, std::strerror(errno));
}

void put(std::string& text, uint64_t number) { text.append(reinterpret_cast<const char*>(&number), sizeof(number)); }

std::string padding(int64_t position) { return std::string(static_cast<size_t>(round_up(position) - position), '\0'); }

/// Everything of a record in front of its blobs, padded.
std::string front_of(std::string_view head, Blobs blobs) {
  std::string checked;
  put(checked, head.size());
  put(checked, blobs.size());
  for (const auto& blob : blobs) {
    put(checked, blob.size());
    put(checked, checksum(blob));
  }
  checked += head;
  std::string front;
  put(front, checksum(std::as_bytes(std::span(checked))));
  front += checked;
  return front + padding(static_cast<int64_t>(front.size()));
}

std::string padded_magic(std::string_view magic) {
  std::string text(magic);
  text.resize(static_cast<size_t>(kAlignment), '\0');
  return text;
}

/// A record that begins at `offset`, or nothing if it is torn there. `*end` is where the next one would begin.
std::optional<Record> read_record(const std::shared_ptr<const MappedFile>& file, int64_t offset, int64_t* end) {
  ByteReader reader(file->bytes().subspan(static_cast<size_t>(offset)));
  const auto wanted = reader.number<uint64_t>();
  const auto checked_at = reader.position();
  const auto head_bytes = reader.number<uint64_t>(), count = reader.number<uint64_t>();
  if (count > kMostBlobs) {
    return std::nullopt;
  }
  std::vector<std::pair<uint64_t, uint64_t>> table(count);
  for (auto& [bytes, sum] : table) {
    bytes = reader.number<uint64_t>();
    sum = reader.number<uint64_t>();
  }
  Record record{.file = file, .head = reader.take(head_bytes), .blobs = {}};
  const auto checked = file->slice(offset + checked_at, reader.position() - checked_at);
  if (checksum(checked) != wanted) {
    return std::nullopt;
  }
  for (const auto& [bytes, sum] : table) {
    reader.take(static_cast<uint64_t>(round_up(reader.position()) - reader.position()));
    record.blobs.push_back(reader.take(bytes));
    if (checksum(record.blobs.back()) != sum) {
      return std::nullopt;
    }
    release_pages(record.blobs.back());
  }
  reader.take(static_cast<uint64_t>(round_up(reader.position()) - reader.position()));
  *end = offset + reader.position();
  return record;
}

}  // namespace

RecordFile RecordFile::create(const std::filesystem::path& path, std::string_view magic, std::string_view first) {
  write_text(path, padded_magic(magic) + front_of(first, {}));
  auto made = open(path, magic);
  if (!made) {
    throw Error(Kind::io, "{}: does not hold what was just written into it", path.string());
  }
  return *std::move(made);
}

std::optional<RecordFile> RecordFile::open(const std::filesystem::path& path, std::string_view magic) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) {
    throw io_error(path, "open");
  }
  RecordFile file(path, descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    throw Error(Kind::io, "{}: another process writes it", path.string());
  }
  file.read_records(magic);
  if (file.records_.empty()) {
    return std::nullopt;
  }
  if (::ftruncate(descriptor, file.end_) != 0) {
    throw io_error(path, "cut");
  }
  return file;
}

RecordFile::RecordFile(RecordFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      end_(other.end_),
      synced_(other.synced_),
      records_(std::move(other.records_)) {}

RecordFile::~RecordFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void RecordFile::read_records(std::string_view magic) {
  const auto file = MappedFile::open(path_);
  const auto bytes = file->bytes();
  const std::string wanted = padded_magic(magic);
  if (bytes.size() < wanted.size() || std::memcmp(bytes.data(), wanted.data(), wanted.size()) != 0) {
    return;
  }
  end_ = kAlignment;
  try {
    while (end_ < std::ssize(bytes)) {
      auto record = read_record(file, end_, &end_);
      if (!record) {
        return;
      }
      records_.push_back(*std::move(record));
    }
  } catch (const Error&) {
    return;  // it ends within a record
  }
}

Record RecordFile::append(std::string_view head, Blobs blobs) {
  const int64_t begin = end_;
  try {
    write_record(head, blobs);
    const auto file = MappedFile::open(path_, begin, end_ - begin);
    int64_t end = 0;
    auto record = read_record(file, 0, &end);
    if (!record) {
      throw Error(Kind::io, "{}: does not hold what was just written into it", path_.string());
    }
    sync_sometimes();
    return *std::move(record);
  } catch (const Error&) {
    end_ = begin;
    if (::ftruncate(descriptor_, begin) != 0) {
      throw io_error(path_, "cut");
    }
    throw;
  }
}

void RecordFile::write_record(std::string_view head, Blobs blobs) {
  const auto write = [&](std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), end_);
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count < 0) {
        throw io_error(path_, "write");
      }
      end_ += count;
      bytes = bytes.subspan(static_cast<size_t>(count));
    }
  };
  const auto write_text = [&](std::string_view text) { write(std::as_bytes(std::span(text))); };
  write_text(front_of(head, blobs));
  for (const auto& blob : blobs) {
    write(blob);
    write_text(padding(end_));
  }
}

void RecordFile::sync_sometimes() {
  const int64_t now = now_seconds();
  if (now - synced_ < kSecondsBetweenSyncs) {
    return;
  }
  if (::fdatasync(descriptor_) != 0) {
    throw io_error(path_, "write");
  }
  synced_ = now_seconds();
}

}  // namespace terse
