#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace terse {

/// A file mapped read-only. Share it by shared_ptr: tensors are views of it. All of its functions may be called from
/// any thread.
class MappedFile {
 public:
  /// Error io if the file cannot be opened or is no regular file.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  /// Of such a file bytes [offset, offset + length) alone, which must be there.
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path, int64_t offset, int64_t length);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::byte> bytes() const { return {data_ + skipped_, size_ - skipped_}; }
  const std::filesystem::path& path() const { return path_; }

  /// bytes [offset, offset + length). Error input if they are not inside the file.
  std::span<const std::byte> slice(int64_t offset, int64_t length) const;

 private:
  MappedFile() = default;
  static std::shared_ptr<MappedFile> map(const std::filesystem::path& path, int64_t offset,
                                         std::optional<int64_t> length);
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;     ///< mapped: whole pages at the front
  size_t skipped_ = 0;  ///< of them
};

/// Gives the whole pages inside `bytes` back to the system. They must be part of a mapped file: other memory would lose
/// its contents.
void release_pages(std::span<const std::byte> bytes);

/// Where writers put their bytes.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void write(std::span<const std::byte> bytes) = 0;
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
};

/// A file that is complete or absent: bytes go to a temporary file beside it, `commit` syncs and renames. Without a
/// commit the temporary file is removed. Error io (with the path) for whatever the system refuses.
class AtomicFile : public Sink {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile() override;
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  using Sink::write;
  void write(std::span<const std::byte> bytes) override;
  int64_t written_bytes() const { return written_; }
  void commit();

 private:
  void flush();
  std::filesystem::path path_, temporary_;
  std::string buffer_;
  int descriptor_ = -1;
  int64_t written_ = 0;
};

/// A folder that is complete or absent: its files are written into `temporary()`, which lies beside it (as AtomicFiles,
/// so that they are on disk), `commit` renames it. Whatever bears the folder's name then is replaced and removed; where
/// the system can exchange two names there is no moment without a complete folder. Without a commit the temporary one
/// is removed. Error io (with the path) for whatever the system refuses.
class AtomicFolder {
 public:
  explicit AtomicFolder(std::filesystem::path path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;

  const std::filesystem::path& temporary() const { return temporary_; }
  void commit();

 private:
  void replace_old();
  std::filesystem::path path_, temporary_;
};

/// Removes what AtomicFiles and AtomicFolders of this process have begun in `folder` and not committed: for the end by
/// a signal, when no destructor runs. Reports nothing.
void remove_temporaries(const std::filesystem::path& folder) noexcept;

/// A whole small text file. Error io.
std::string read_text(const std::filesystem::path& path);

/// Writes `text` atomically. Error io.
void write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace terse
