#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/gguf/reader.h"
#include "formats/json_fields.h"

namespace terse::gguf {

// What llama.cpp makes of a Hugging Face checkpoint: the same weights under other names, the same numbers under other
// keys. A row a family, read in both directions. Sources: llama.cpp, conversion/, gguf-py/gguf/constants.py,
// src/llama-arch.cpp.

/// A module, whose tensors end in ".weight" and ".bias". "{}" stands for the layer's number; in a checkpoint's name of
/// an expert the second one for the expert's.
struct NameRow {
  std::string_view checkpoint;  ///< "model.layers.{}.self_attn.q_proj"
  std::string_view gguf;        ///< "blk.{}.attn_q"
  enum class Kind {
    weight,
    query,          ///< rows of rotary pairs are neighbours in GGUF, in as many heads as there are
    key,            ///< likewise, in as many heads as keys have
    float_table,    ///< a table that llama.cpp reads as f32 only
    norm_plus_one,  ///< a checkpoint has what is added to one, GGUF the sum
    scaled_norm,    ///< GGUF has it times FamilyRow::scale, which llama.cpp does not compute
    expert,         ///< GGUF has the matrices of all experts in one tensor, [E, out, in]
  } kind = Kind::weight;
  std::string_view second = {};  ///< what GGUF calls the lower half of the rows, where it is a module of its own
};

/// A number of the configuration.
struct KeyRow {
  std::string_view gguf;    ///< behind the architecture's name: "block_count"
  std::string_view config;  ///< "num_hidden_layers"
  enum class Type { integer, number } type = Type::integer;
  std::optional<double> fallback = std::nullopt;  ///< where the configuration, or the metadata, do not say it
};

/// What llama.cpp computes, whatever a configuration says: other values are refused.
struct FixedRow {
  std::string_view config;        ///< "hidden_act"
  std::string_view value;         ///< JSON: "\"silu\""
  std::string_view also = value;  ///< means the same, or nearly
  bool is_default = true;         ///< of the family, if the key is absent
};

/// What a configuration may ask for and a GGUF file of the family cannot say.
struct LostRow {
  std::string_view config;  ///< "sliding_window"
  std::string_view reason;  ///< part of a sentence, for users
};

/// Metadata of one architecture: keys get its name in front.
class ArchitectureKeys {
 public:
  ArchitectureKeys(Metadata& metadata, std::string_view architecture)
      : metadata_(&metadata), architecture_(architecture) {}

  void set(std::string_view key, MetadataValue value) { metadata_->set(full(key), std::move(value)); }
  std::optional<int64_t> find_integer(std::string_view key) const { return metadata_->find_integer(full(key)); }
  std::optional<double> find_number(std::string_view key) const { return metadata_->find_number(full(key)); }
  std::optional<std::string_view> find_string(std::string_view key) const { return metadata_->find_string(full(key)); }
  std::string full(std::string_view key) const { return std::string(architecture_) + "." + std::string(key); }
  Metadata& metadata() { return *metadata_; }

 private:
  Metadata* metadata_;
  std::string_view architecture_;
};

/// A tensor that no checkpoint has: f32, one-dimensional.
struct DerivedTensor {
  std::string name;
  std::vector<float> values;
};

struct FamilyRow {
  std::string_view model_type;    ///< of a row of architectures::families()
  std::string_view architecture;  ///< "general.architecture"
  /// The class that GGUF files of the family are. Checkpoints of others have parts that llama.cpp computes nothing
  /// with.
  std::string_view checkpoint_class;
  std::string_view signature;  ///< a tensor of this row's GGUF files alone, among those of one architecture and of one
                               ///< model_type; or empty
  std::span<const NameRow> names;
  std::span<const KeyRow> keys;
  std::span<const FixedRow> fixed;
  std::span<const std::string_view> left_out = {};  ///< beginnings of tensors that a GGUF file does without
  std::span<const LostRow> lost = {};
  /// What takes more than a row of a table, each way. `folder`: of the checkpoint, may be empty.
  void (*write)(const JsonField& config, const std::filesystem::path& folder, ArchitectureKeys& keys) = nullptr;
  void (*read)(const File& file, const ArchitectureKeys& keys, nlohmann::ordered_json& config) = nullptr;
  std::vector<DerivedTensor> (*derive)(const JsonField& config) = nullptr;
  float (*scale)(const JsonField& config) = nullptr;  ///< of rows of kind scaled_norm
};

std::span<const FamilyRow* const> families();

/// The row of a checkpoint by its family and tensors; error unsupported, saying which families llama.cpp has and which
/// targets do for others.
const FamilyRow& get_family(const Checkpoint& checkpoint);

/// The row of a file by its architecture and tensors. Error unsupported lists those known.
const FamilyRow& get_family(const File& file);

/// A name of a tensor in the other spelling, and the row that says so; nothing if no row does. Of experts the
/// checkpoint's name has a "{}" for the number still.
struct OtherName {
  std::string name;
  const NameRow* row = nullptr;
  int64_t expert = -1;  ///< of an expert's name in a checkpoint, else -1
};
std::optional<OtherName> find_gguf_name(const FamilyRow& family, std::string_view checkpoint_name);
std::optional<OtherName> find_checkpoint_name(const FamilyRow& family, std::string_view gguf_name);

// The same for modules that are the lower half of another's rows (NameRow::second).
std::optional<OtherName> find_second_gguf_name(const FamilyRow& family, std::string_view checkpoint_name);
std::optional<OtherName> find_second_checkpoint_name(const FamilyRow& family, std::string_view gguf_name);

/// GGUF's names of a checkpoint's tensors, by the names that they have in the graph; without those that GGUF files of
/// the family do without. Empty if llama.cpp does not have the family.
std::map<std::string, std::string> tensor_names(const Checkpoint& checkpoint);

}  // namespace terse::gguf
