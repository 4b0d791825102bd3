#include "calibration/npz.h"

#include <zip.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "calibration/npy.h"
#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kSuffix = ".npy";
constexpr size_t kPieceBytes = size_t{1} << 20;
constexpr uint64_t kMaxInflation = 1032;  // deflate cannot do more: a larger claim is false

struct ArchiveDeleter {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct EntryDeleter {
  void operator()(zip_file_t* entry) const { zip_fclose(entry); }
};
using Archive = std::unique_ptr<zip_t, ArchiveDeleter>;
using Entry = std::unique_ptr<zip_file_t, EntryDeleter>;

Archive open_archive(const std::filesystem::path& path) {
  int code = 0;
  Archive archive(zip_open(path.c_str(), ZIP_RDONLY, &code));
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Error(Kind::input, "not a .npz file: {}", why);
  }
  return archive;
}

void check_claims(const zip_stat_t& stat) {
  constexpr uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_NAME;
  if ((stat.valid & kNeeded) != kNeeded) {
    throw Error(Kind::input, "an entry without name or size");
  }
  if (stat.size / kMaxInflation > stat.comp_size) {
    throw Error(Kind::input, "{} compressed bytes claim to hold {}", stat.comp_size, stat.size);
  }
}

/// Reads piece by piece, so that memory grows with what is really there.
std::shared_ptr<std::vector<std::byte>> read_entry(zip_t* archive, zip_uint64_t index, uint64_t size) {
  const Entry entry(zip_fopen_index(archive, index, 0));
  if (entry == nullptr) {
    throw Error(Kind::input, "cannot read: {}", zip_strerror(archive));
  }
  auto bytes = std::make_shared<std::vector<std::byte>>();
  while (bytes->size() < size) {
    const size_t begin = bytes->size();
    bytes->resize(begin + std::min<size_t>(kPieceBytes, size - begin));
    const zip_int64_t count = zip_fread(entry.get(), bytes->data() + begin, bytes->size() - begin);
    if (count <= 0) {
      throw Error(Kind::input, "cannot read: {}", count < 0 ? zip_file_strerror(entry.get()) : "it ends early");
    }
    bytes->resize(begin + static_cast<size_t>(count));
  }
  return bytes;
}

Tensor read_array(zip_t* archive, zip_uint64_t index, const zip_stat_t& stat) {
  const auto bytes = read_entry(archive, index, stat.size);
  return parse_npy(*bytes, bytes);
}

std::map<std::string, Tensor, std::less<>> read_arrays(zip_t* archive) {
  std::map<std::string, Tensor, std::less<>> arrays;
  for (zip_int64_t i = 0; i < zip_get_num_entries(archive, 0); ++i) {
    const auto index = static_cast<zip_uint64_t>(i);
    zip_stat_t stat;
    if (zip_stat_index(archive, index, 0, &stat) != 0) {
      throw Error(Kind::input, "entry {}: {}", i, zip_strerror(archive));
    }
    check_claims(stat);
    std::string name = stat.name;
    if (!name.ends_with(kSuffix)) {
      throw Error(Kind::input, "'{}' is no array, expected only .npy entries", name);
    }
    name.resize(name.size() - kSuffix.size());
    Tensor array = with_context(name, [&] { return read_array(archive, index, stat); });
    if (!arrays.emplace(name, std::move(array)).second) {
      throw Error(Kind::input, "array '{}' is there twice", name);
    }
  }
  return arrays;
}

}  // namespace

std::map<std::string, Tensor, std::less<>> read_npz(const std::filesystem::path& path) {
  MappedFile::open(path);  // for its errors: libzip's do not say what the system refused
  return with_context(path.string(), [&] { return read_arrays(open_archive(path).get()); });
}

}  // namespace terse::calibration
