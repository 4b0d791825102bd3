#include "formats/pytorch/reader.h"

#include <algorithm>

#include "formats/error.h"
#include "formats/pytorch/state_dict.h"
#include "formats/pytorch/zip_directory.h"
#include "formats/shards.h"

// The layout of a file of torch.save, a zip archive (see zip_directory.h) of one folder of any name:
//
//   NAME/data.pkl    a pickle: an OrderedDict of name -> tensor, where
//                      tensor  = _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks), numbers in
//                                elements; _v3 has an element type more; within _rebuild_parameter(tensor, ...) or not
//                      storage = the persistent id ("storage", class, key, device, number of elements), where the class
//                                (torch.HalfStorage) says the element type
//   NAME/data/KEY    the elements of a storage, in the writer's byte order
//   NAME/byteorder   "little" or "big"; absent in older files, which are little endian
//   NAME/version     and what else there is, is not read

namespace terse::pytorch {
namespace {

using Bytes = std::span<const std::byte>;

std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// Before PyTorch 1.6 a file was a row of pickles, the first of them this number.
void check_not_legacy(Bytes file) {
  if (text_of(file).starts_with("\x80\x02\x8a\nl\xfc\x9c")) {
    throw Error(Kind::unsupported,
                "saved in the form before PyTorch 1.6: load it and save it again with a newer torch.save, or as "
                "safetensors");
  }
}

class Archive {
 public:
  explicit Archive(Bytes file) : entries_(read_zip_directory(file)) {
    constexpr std::string_view kPickle = "/data.pkl";
    const auto found = std::ranges::find_if(entries_, [&](const auto& entry) {
      return entry.first.ends_with(kPickle) && entry.first.find('/') == entry.first.size() - kPickle.size();
    });
    if (found == entries_.end()) {
      throw Error(Kind::input, "a zip archive without data.pkl, expected a file of torch.save");
    }
    folder_ = found->first.substr(0, found->first.find('/'));
  }

  const Bytes* find(std::string_view name) const {
    const auto found = entries_.find(fmt::format("{}/{}", folder_, name));
    return found == entries_.end() ? nullptr : &found->second;
  }

  Bytes get(std::string_view name) const {
    const Bytes* found = find(name);
    if (found == nullptr) {
      throw Error(Kind::input, "'{}/{}' is missing in the zip archive", folder_, name);
    }
    return *found;
  }

 private:
  std::map<std::string, Bytes, std::less<>> entries_;
  std::string folder_;
};

void check_byte_order(const Archive& archive) {
  const Bytes* order = archive.find("byteorder");
  if (order != nullptr && text_of(*order) != "little") {
    throw Error(Kind::unsupported, "byte order '{}', expected 'little'", text_of(*order).substr(0, 16));
  }
}

NamedTensors read_mapped(const std::shared_ptr<const MappedFile>& file) {
  check_not_pointer(file->bytes());
  check_not_legacy(file->bytes());
  const Archive archive(file->bytes());
  check_byte_order(archive);
  const Pickle pickle = read_pickle(archive.get("data.pkl"), is_known);
  const auto storage = [&](std::string_view key) { return archive.get(fmt::format("data/{}", key)); };
  return {.tensors = read_state_dict(pickle, storage, file),
          .metadata = {},
          .files = {file->path()},
          .file_bytes = std::ssize(file->bytes())};
}

}  // namespace

NamedTensors read(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  return with_context(path.string(), [&] { return read_mapped(file); });
}

NamedTensors read_sharded(const std::filesystem::path& index) { return read_shards(index, read); }

}  // namespace terse::pytorch
