#include "formats/gguf/config_metadata.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/tokenizer_writer.h"
#include "formats/safetensors/config_text.h"

namespace terse::gguf {
namespace {

using OrderedJson = nlohmann::ordered_json;

constexpr std::string_view kTokens = "token_embd.weight", kHead = "output.weight";

void write_key(const KeyRow& row, const JsonField& config, ArchitectureKeys& keys) {
  const auto field = row.fallback ? config.find(row.config) : std::optional(config.get(row.config));
  if (row.type == KeyRow::Type::integer) {
    keys.set(row.gguf,
             static_cast<uint32_t>(field ? field->whole(0, UINT32_MAX) : static_cast<int64_t>(*row.fallback)));
  } else {
    keys.set(row.gguf, static_cast<float>(field ? field->number() : *row.fallback));
  }
}

void check_fixed(const FixedRow& row, const JsonField& config) {
  const auto field = config.find(row.config);
  if (!field) {
    return;
  }
  const std::string found = field->value().dump();
  if (found != row.value && found != row.also) {
    throw Error(Kind::unsupported, "{} is {}, llama.cpp computes this family with {} only: onnx can hold it",
                field->where(), found, row.value);
  }
}

/// What people call the model: the last part of its origin, else its folder's name.
std::string name_of(const Checkpoint& checkpoint, const JsonField& config) {
  const std::filesystem::path origin = config.text_or("_name_or_path", "");
  const std::filesystem::path folder = std::filesystem::absolute(checkpoint.folder);
  const std::filesystem::path& path = origin.filename().empty() ? folder : origin;
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

/// The shortest decimal number that is this f32: 1e-05, not 9.999999747378752e-06.
double shortest(double number) { return std::stod(fmt::format("{}", static_cast<float>(number))); }

void read_key(const KeyRow& row, const ArchitectureKeys& keys, OrderedJson& config) {
  const std::string key(row.config);
  if (row.type == KeyRow::Type::integer) {
    if (const auto value = keys.find_integer(row.gguf)) {
      config[key] = *value;
    }
  } else if (const auto value = keys.find_number(row.gguf)) {
    config[key] = shortest(*value);
  }
  if (!config.contains(key) && !row.fallback) {
    throw Error(Kind::input, "metadata '{}' is missing", keys.full(row.gguf));
  }
}

struct TokenRow {
  std::string_view gguf, config;
};
constexpr std::array kTokenIds = {
    TokenRow{"tokenizer.ggml.bos_token_id", "bos_token_id"},
    TokenRow{"tokenizer.ggml.eos_token_id", "eos_token_id"},
    TokenRow{"tokenizer.ggml.padding_token_id", "pad_token_id"},
};

/// The type of most numbers of matrices without codes, else f16, in which codes have their scales.
DType dtype_of(const File& file) {
  std::map<DType, int64_t> counts;
  for (const FileTensor& tensor : file.tensors) {
    if (tensor.shape.size() > 1) {
      const DType dtype = row(tensor.type).dtype;
      counts[is_float(dtype) ? dtype : DType::f16] += checked_count(tensor.shape).value_or(0);
    }
  }
  const auto most = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
  return most == counts.end() ? DType::f32 : most->first;
}

}  // namespace

Metadata make_metadata(const Checkpoint& checkpoint, const FamilyRow& family, std::vector<std::string>& notes) {
  if (checkpoint.metadata != nullptr) {
    return *checkpoint.metadata;
  }
  Metadata metadata;
  with_context("config.json", [&] {
    const nlohmann::json document = parse_json(checkpoint.config);
    const JsonField config(document, "");
    ArchitectureKeys keys(metadata, family.architecture);
    metadata.set("general.architecture", std::string(family.architecture));
    metadata.set("general.type", std::string("model"));
    metadata.set("general.name", name_of(checkpoint, config));
    for (const KeyRow& row : family.keys) {
      write_key(row, config, keys);
    }
    for (const FixedRow& row : family.fixed) {
      check_fixed(row, config);
    }
    if (family.write != nullptr) {
      family.write(config, checkpoint.folder, keys);
    }
    notes = write_tokenizer(checkpoint.folder, config, get_size(config, "vocab_size"), metadata);
  });
  return metadata;
}

std::string make_config(const File& file, const FamilyRow& family) {
  Metadata metadata = file.metadata;
  const ArchitectureKeys keys(metadata, family.architecture);
  OrderedJson config = {{"architectures", {family.checkpoint_class}}, {"model_type", family.model_type}};
  const FileTensor* tokens = file.find(kTokens);
  config["vocab_size"] = tokens == nullptr || tokens->shape.empty() ? 0 : tokens->shape.front();
  for (const KeyRow& row : family.keys) {
    read_key(row, keys, config);
  }
  for (const FixedRow& row : family.fixed) {
    config[std::string(row.config)] = OrderedJson::parse(row.value);
  }
  if (family.read != nullptr) {
    family.read(file, keys, config);
  }
  for (const TokenRow& row : kTokenIds) {
    if (const auto id = metadata.find_integer(row.gguf)) {
      config[std::string(row.config)] = *id;
    }
  }
  if (find_checkpoint_name(family, kHead)) {
    config["tie_word_embeddings"] = file.find(kHead) == nullptr;
  }
  config["torch_dtype"] = safetensors::name_of_type(dtype_of(file));
  return config.dump(2) + "\n";
}

}  // namespace terse::gguf
