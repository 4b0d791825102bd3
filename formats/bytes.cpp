#include "formats/bytes.h"

#include <fcntl.h>
#include <stdio.h>  // NOLINT(modernize-deprecated-headers): renameat2, which <cstdio> does not promise
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "formats/error.h"

namespace terse {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;  // fewer system calls; larger ones gain nothing

Error io_error(const std::filesystem::path& path, std::string_view action) {
  return Error(Kind::io, "{}: cannot {}: {}", path.string(), action, std::strerror(errno));
}

void write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw io_error(path, "write");
    }
    bytes = bytes.subspan(static_cast<size_t>(count));
  }
}

/// How the temporary files of this process are called, between the name of the file to be and a number.
std::string temporary_mark() { return fmt::format(".tmp-{}-", ::getpid()); }

/// Two files of one process may share a name in different folders, or follow one another.
std::filesystem::path temporary_beside(std::filesystem::path path) {
  static std::atomic<int> counter = 0;
  path += temporary_mark() + std::to_string(counter++);
  return path;
}

/// A rename is durable once its folder is synced. Some file systems cannot sync folders: that is no error.
void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) {
    return;
  }
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

std::shared_ptr<MappedFile> MappedFile::map(const std::filesystem::path& path, int64_t offset,
                                            std::optional<int64_t> length) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw io_error(path, "open");
  }
  struct stat status = {};
  const bool regular = ::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode);
  const bool inside = !length || (offset >= 0 && *length >= 0 && *length <= status.st_size - offset);
  const auto size = static_cast<size_t>(length.value_or(status.st_size));
  void* data = regular && inside && size > 0
                   ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, static_cast<off_t>(offset))
                   : nullptr;
  const Error map_error = io_error(path, "map");
  ::close(descriptor);
  if (!regular || !inside) {
    throw Error(Kind::io, "{}: {}", path.string(), regular ? "has become shorter" : "not a regular file");
  }
  if (data == MAP_FAILED) {
    throw map_error;
  }

  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  file->data_ = static_cast<const std::byte*>(data);
  file->size_ = size;
  return file;
}

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path) {
  return map(path, 0, std::nullopt);
}

std::shared_ptr<const MappedFile> MappedFile::open(const std::filesystem::path& path, int64_t offset, int64_t length) {
  const int64_t skipped = offset % ::sysconf(_SC_PAGESIZE);
  const auto file = map(path, offset - skipped, length + skipped);
  file->skipped_ = static_cast<size_t>(skipped);
  return file;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) {
    ::munmap(const_cast<std::byte*>(data_), size_);
  }
}

std::span<const std::byte> MappedFile::slice(int64_t offset, int64_t length) const {
  const auto size = static_cast<int64_t>(bytes().size());
  if (offset < 0 || length < 0 || offset > size || length > size - offset) {
    throw Error(Kind::input, "{}: offset {} + {} bytes is past the end of the file ({} bytes)", path_.string(), offset,
                length, size);
  }
  return bytes().subspan(static_cast<size_t>(offset), static_cast<size_t>(length));
}

void release_pages(std::span<const std::byte> bytes) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto address = reinterpret_cast<uintptr_t>(bytes.data());
  const uintptr_t begin = (address + page - 1) / page * page;
  const uintptr_t end = (address + bytes.size()) / page * page;
  if (end > begin) {
    ::madvise(const_cast<std::byte*>(bytes.data()) + (begin - address), end - begin, MADV_DONTNEED);
  }
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  temporary_ = temporary_beside(path_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor_ < 0) {
    throw io_error(path_, "create");
  }
  buffer_.reserve(kBufferBytes);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) {
    return;
  }
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  written_ += static_cast<int64_t>(bytes.size());
  if (buffer_.size() + bytes.size() > kBufferBytes) {
    flush();
  }
  if (bytes.size() >= kBufferBytes) {
    write_all(descriptor_, bytes, path_);
  } else {
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }
}

void AtomicFile::flush() {
  write_all(descriptor_, std::as_bytes(std::span(buffer_)), path_);
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) {
    throw io_error(path_, "write");
  }
  const int descriptor = std::exchange(descriptor_, -1);
  if (::close(descriptor) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Error error = io_error(path_, "write");
    ::unlink(temporary_.c_str());
    throw error;
  }
  sync_folder(path_.parent_path());
}

AtomicFolder::AtomicFolder(std::filesystem::path path) : path_(std::move(path)), temporary_(temporary_beside(path_)) {
  if (::mkdir(temporary_.c_str(), 0777) != 0) {
    throw io_error(path_, "create");
  }
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  sync_folder(temporary_);
  if (std::filesystem::exists(path_)) {
    replace_old();
  } else if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    throw io_error(path_, "write");
  }
  sync_folder(path_.parent_path());
}

/// Leaves the old folder under the temporary name, which the destructor removes.
void AtomicFolder::replace_old() {
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_EXCHANGE) == 0) {
    return;
  }
  if (errno != EINVAL && errno != ENOSYS) {
    throw io_error(path_, "replace");
  }
  std::filesystem::path old = path_;  // of another kind than temporary names: an interrupt is not to remove it
  old += fmt::format(".old-{}", ::getpid());
  if (::rename(path_.c_str(), old.c_str()) != 0) {
    throw io_error(path_, "replace");
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const Error error = io_error(path_, "replace");
    ::rename(old.c_str(), path_.c_str());
    throw error;
  }
  std::error_code ignored;
  std::filesystem::remove_all(old, ignored);
}

void remove_temporaries(const std::filesystem::path& folder) noexcept {
  const std::string mark = temporary_mark();
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
    if (entry.path().filename().native().find(mark) != std::string::npos) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }
}

std::string read_text(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return {reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()};
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace terse
