#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace terse::pytorch {

/// A little-endian number.
template <typename T>
std::string bytes_of(T number) {
  return {reinterpret_cast<const char*>(&number), sizeof(number)};
}

struct ZipEntry {
  std::string name, data;
  uint16_t method = 0, flags = 0;
};

inline std::string local_header(const ZipEntry& entry) {
  return "PK\3\4" + std::string(22, '\0') + bytes_of(static_cast<uint16_t>(entry.name.size())) + bytes_of(uint16_t{3}) +
         entry.name + "pad";
}

inline std::string directory_entry(const ZipEntry& entry, uint64_t offset, bool zip64) {
  const uint64_t size = entry.data.size();
  const std::string wide =
      bytes_of(uint16_t{1}) + bytes_of(uint16_t{24}) + bytes_of(size) + bytes_of(size) + bytes_of(offset);
  const auto narrow = [&](uint64_t number) { return bytes_of(zip64 ? UINT32_MAX : static_cast<uint32_t>(number)); };
  return "PK\1\2" + std::string(4, '\0') + bytes_of(entry.flags) + bytes_of(entry.method) + std::string(8, '\0') +
         narrow(size) + narrow(size) + bytes_of(static_cast<uint16_t>(entry.name.size())) +
         bytes_of(static_cast<uint16_t>(zip64 ? wide.size() : 0)) + bytes_of(uint16_t{0}) + std::string(8, '\0') +
         narrow(offset) + entry.name + (zip64 ? wide : "");
}

inline std::string zip64_end(uint64_t entries, uint64_t directory_bytes, uint64_t directory) {
  return "PK\6\6" + std::string(28, '\0') + bytes_of(entries) + bytes_of(directory_bytes) + bytes_of(directory) +
         "PK\6\7" + std::string(4, '\0') + bytes_of(directory + directory_bytes) + std::string(4, '\0');
}

/// A zip archive of stored entries.
inline std::string zip_bytes(const std::vector<ZipEntry>& entries, bool zip64 = false,
                             const std::string& comment = "") {
  std::string bytes, directory;
  for (const ZipEntry& entry : entries) {
    directory += directory_entry(entry, bytes.size(), zip64);
    bytes += local_header(entry) + entry.data;
  }
  const size_t offset = bytes.size();
  bytes += directory;
  if (zip64) {
    bytes += zip64_end(entries.size(), directory.size(), offset);
  }
  const auto narrow = [&](size_t number) { return bytes_of(zip64 ? UINT32_MAX : static_cast<uint32_t>(number)); };
  return bytes + "PK\5\6" + std::string(6, '\0') + bytes_of(static_cast<uint16_t>(entries.size())) +
         narrow(directory.size()) + narrow(offset) + bytes_of(static_cast<uint16_t>(comment.size())) + comment;
}

inline std::string pickled_text(const std::string& text) {
  return "X" + bytes_of(static_cast<uint32_t>(text.size())) + text;
}
inline std::string pickled_global(const std::string& module, const std::string& name) {
  return "c" + module + "\n" + name + "\n";
}
inline std::string pickled_number(int32_t number) { return "J" + bytes_of(number); }
inline std::string pickled_tuple(const std::vector<std::string>& items) {
  std::string bytes = "(";
  for (const std::string& item : items) {
    bytes += item;
  }
  return bytes + "t";
}
inline std::string pickled_numbers(const std::vector<int32_t>& numbers) {
  std::vector<std::string> items;
  items.reserve(numbers.size());
  for (const int32_t number : numbers) {
    items.push_back(pickled_number(number));
  }
  return pickled_tuple(items);
}
inline std::string ordered_dict() { return pickled_global("collections", "OrderedDict") + ")R"; }

inline std::string pickled_storage(const std::string& type, const std::string& key, int32_t count) {
  return pickled_tuple({pickled_text("storage"), pickled_global("torch", type), pickled_text(key), pickled_text("cpu"),
                        pickled_number(count)}) +
         "Q";
}

inline std::string pickled_tensor(const std::string& storage, int32_t offset, const std::vector<int32_t>& sizes,
                                  const std::vector<int32_t>& strides) {
  return pickled_global("torch._utils", "_rebuild_tensor_v2") +
         pickled_tuple({storage, pickled_number(offset), pickled_numbers(sizes), pickled_numbers(strides), "\x89",
                        ordered_dict()}) +
         "R";
}

/// A pickle of a dictionary of text -> what the second text makes.
inline std::string pickled_dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string bytes = "\x80\x02" + ordered_dict() + "(";
  for (const auto& [name, value] : items) {
    bytes += pickled_text(name) + value;
  }
  return bytes + "u.";
}

}  // namespace terse::pytorch
