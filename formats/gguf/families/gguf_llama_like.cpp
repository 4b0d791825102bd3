#include "formats/gguf/families/gguf_llama_like.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/rope_metadata.h"

namespace terse::gguf {
namespace {

bool has_bias(const File& file, std::string_view module) {
  return file.find(fmt::format("blk.0.{}.bias", module)) != nullptr;
}

}  // namespace

int64_t head_size_of(const ArchitectureKeys& keys) {
  const int64_t heads = keys.find_integer("attention.head_count").value_or(0);
  const int64_t hidden = keys.find_integer("embedding_length").value_or(0);
  return keys.find_integer("attention.key_length").value_or(heads > 0 ? hidden / heads : 0);
}

void write_llama_like(const JsonField& config, const std::filesystem::path& /*folder*/, ArchitectureKeys& keys) {
  const HeadSizes heads = read_heads(config);
  keys.set("attention.head_count_kv", static_cast<uint32_t>(heads.kv_heads));
  if (config.find("head_dim")) {  // else it follows from the others
    keys.set("attention.key_length", static_cast<uint32_t>(heads.head_size));
    keys.set("attention.value_length", static_cast<uint32_t>(heads.head_size));
  }
  keys.set("vocab_size", static_cast<uint32_t>(get_size(config, "vocab_size")));
  write_rope(read_rope(config), heads.head_size, keys);
}

void read_llama_like(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) {
  const int64_t heads = keys.find_integer("attention.head_count").value_or(1), head_size = head_size_of(keys);
  if (const auto values = keys.find_integer("attention.value_length").value_or(head_size); values != head_size) {
    throw Error(Kind::unsupported, "metadata '{}' is {}, expected {} as keys have", keys.full("attention.value_length"),
                values, head_size);
  }
  config["num_key_value_heads"] = keys.find_integer("attention.head_count_kv").value_or(heads);
  config["head_dim"] = head_size;
  config["attention_bias"] = has_bias(file, "attn_q");
  config["mlp_bias"] = has_bias(file, "ffn_up");
  read_rope(file, keys, head_size, config);
}

std::vector<DerivedTensor> derive_llama_like(const JsonField& config) {
  return rope_tensors(read_rope(config), read_heads(config).head_size);
}

}  // namespace terse::gguf
