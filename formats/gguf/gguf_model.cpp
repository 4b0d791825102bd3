#include "formats/gguf/gguf_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "formats/architectures/architecture.h"
#include "formats/error.h"
#include "formats/gguf/config_metadata.h"
#include "formats/gguf/family.h"
#include "formats/gguf/rope_metadata.h"
#include "formats/row_slices.h"
#include "formats/safetensors/config_text.h"
#include "formats/source_notes.h"

namespace terse::gguf {
namespace {

constexpr std::string_view kOurs = "terse.";  // keys that say what terse did

/// llama.cpp has vectors and small tables in f32, whatever the model's type: in that type again if it holds them.
Tensor narrowed(const Tensor& tensor, DType dtype) {
  const Tensor narrow = from_f32(tensor.aligned(), dtype);
  return std::ranges::equal(to_f32(narrow).bytes(), tensor.bytes()) ? narrow : tensor;
}

/// What a checkpoint has where GGUF has `change` of it: `undo` of that, in the model's type if the same comes out.
template <typename Undo, typename Change>
Tensor undone(const Tensor& tensor, DType dtype, const Undo& undo, const Change& change) {
  const Tensor changed = tensor.aligned();
  Tensor original = Tensor::uninitialized(DType::f32, tensor.shape());
  std::ranges::transform(changed.values<float>(), original.mutable_values<float>().begin(), undo);
  const Tensor narrow = from_f32(original, dtype), wide = to_f32(narrow);
  const bool is_exact = std::ranges::equal(wide.values<float>(), changed.values<float>(),
                                           [&](float x, float expected) { return change(x) == expected; });
  return is_exact ? narrow : original;
}

/// How the numbers of a file become those of a checkpoint.
struct Numbers {
  DType dtype = DType::f32;  ///< the model's
  float scale = 1;           ///< FamilyRow::scale
};

Tensor unwidened(const FileTensor& tensor, const NameRow& row, const Numbers& numbers) {
  switch (row.kind) {
    case NameRow::Kind::norm_plus_one:
      return undone(
          tensor.data, numbers.dtype, [](float x) { return x - 1; }, [](float x) { return x + 1; });
    case NameRow::Kind::scaled_norm:
      return undone(
          tensor.data, numbers.dtype, [&](float x) { return x / numbers.scale; },
          [&](float x) { return x * numbers.scale; });
    default:
      return narrowed(tensor.data, numbers.dtype);
  }
}

bool is_widened(const FileTensor& tensor, const NameRow& row) {
  const bool is_changed = row.kind == NameRow::Kind::norm_plus_one || row.kind == NameRow::Kind::scaled_norm;
  if (is_changed && tensor.type != BlockType::f32) {
    throw Error(Kind::unsupported, "tensor {}: type {}, expected f32", tensor.name, terse::row(tensor.type).name);
  }
  return tensor.type == BlockType::f32 && (tensor.shape.size() < 2 || row.kind == NameRow::Kind::float_table);
}

/// Two matrices of one type, as one: the second's rows below the first's.
EncodingPtr join(const FileTensor& upper, const FileTensor& lower) {
  if (upper.shape.size() != 2 || upper.shape != lower.shape || upper.type != lower.type) {
    throw Error(Kind::unsupported, "tensors {} and {} are {} {} and {} {}, expected two alike: they are one in folders",
                upper.name, lower.name, row(upper.type).name, to_string(upper.shape), row(lower.type).name,
                to_string(lower.shape));
  }
  FileTensor joined = upper;
  joined.shape[0] *= 2;
  Shape stored = upper.data.shape();
  stored[0] *= 2;
  joined.data = Tensor::uninitialized(upper.data.dtype(), stored);
  const auto middle = std::ranges::copy(upper.data.bytes(), joined.data.mutable_bytes().begin()).out;
  std::ranges::copy(lower.data.bytes(), middle);
  return make_encoding(joined);
}

/// Puts what GGUF has as two tensors into one.
void join_halves(const File& file, const FamilyRow& family, NamedTensors& named) {
  for (const FileTensor& lower : file.tensors) {
    const auto other = find_second_checkpoint_name(family, lower.name);
    const auto upper_name = other ? find_gguf_name(family, other->name) : std::nullopt;
    if (!upper_name) {
      continue;
    }
    const FileTensor* upper = file.find(upper_name->name);
    if (upper == nullptr) {
      throw Error(Kind::input, "tensor {} is missing: {} is there", upper_name->name, lower.name);
    }
    named.encoded.insert_or_assign(other->name, join(*upper, lower));
  }
}

/// A matrix an expert, in place of the stack of all.
void add_experts(const FileTensor& tensor, const std::string& name, NamedTensors& named) {
  if (tensor.shape.size() != 3) {
    throw Error(Kind::input, "tensor {}: shape {}, expected the matrices of all experts, [E, out, in]", tensor.name,
                to_string(tensor.shape));
  }
  const EncodingPtr stack = make_encoding(tensor);
  for (int64_t expert = 0; expert < tensor.shape[0]; ++expert) {
    named.encoded.emplace(architectures::numbered(name, static_cast<size_t>(expert)),
                          slice_rows(stack, expert * tensor.shape[1], tensor.shape[1]));
  }
}

Numbers numbers_of(const FamilyRow& family, const std::string& config) {
  const nlohmann::json document = parse_json(config);
  return {.dtype = safetensors::find_dtype_of_config(config).value_or(DType::f32),
          .scale = family.scale == nullptr ? 1 : family.scale(JsonField(document, ""))};
}

/// Under the names of folders. Matrices have their logical shape in GGUF, whatever a folder's files have.
NamedTensors name_tensors(const File& file, const FamilyRow& family, const Numbers& form) {
  NamedTensors named{.files = file.files, .file_bytes = file.file_bytes};
  for (const FileTensor& tensor : file.tensors) {
    if (tensor.name == kRotaryFactors || tensor.name == kLongFactors || tensor.name == kShortFactors ||
        find_second_checkpoint_name(family, tensor.name)) {
      continue;
    }
    const auto other = find_checkpoint_name(family, tensor.name);
    if (!other) {
      throw Error(Kind::unsupported, "tensor {}: no model of architecture {} that this version knows has one",
                  tensor.name, family.architecture);
    }
    if (other->row->kind == NameRow::Kind::query || other->row->kind == NameRow::Kind::key) {
      named.rotary_rows = RotaryRows::neighbours;
    }
    if (other->row->kind == NameRow::Kind::expert) {
      add_experts(tensor, other->name, named);
      continue;
    }
    const bool is_wide = is_widened(tensor, *other->row);
    const Tensor numbers = is_wide ? unwidened(tensor, *other->row, form) : tensor.data;
    if (tensor.shape.size() < 2) {
      named.tensors.emplace(other->name, numbers);
    } else {
      named.encoded.emplace(other->name, is_wide ? make_dense(numbers) : make_encoding(tensor));
    }
  }
  join_halves(file, family, named);
  return named;
}

/// Notes which rows lie otherwise than in folders.
void note_row_order(const FamilyRow& family, const ArchitectureKeys& keys, Checkpoint& checkpoint) {
  const auto heads_of = [&](std::string_view key) { return keys.find_integer(key).value_or(0); };
  for (auto& [name, form] : checkpoint.stored) {
    const auto other = find_gguf_name(family, form.standard_name);
    const auto kind = other ? other->row->kind : NameRow::Kind::weight;
    if (kind == NameRow::Kind::query) {
      form.neighbour_heads = heads_of("attention.head_count");
    } else if (kind == NameRow::Kind::key) {
      form.neighbour_heads = keys.find_integer("attention.head_count_kv").value_or(heads_of("attention.head_count"));
    }
  }
}

/// Takes what terse wrote into a file out of its metadata.
std::vector<std::pair<std::string, std::string>> take_notes(Metadata& metadata) {
  std::vector<std::pair<std::string, std::string>> notes;
  for (const auto& [key, value] : metadata.entries) {
    if (const auto* text = std::get_if<std::string>(&value); text != nullptr && key.starts_with(kOurs)) {
      notes.emplace_back(key, *text);
    }
  }
  for (const auto& [key, text] : notes) {
    metadata.erase(key);
  }
  return notes;
}

}  // namespace

Model open(const std::filesystem::path& path, const OpenOptions& options) {
  File file = read(path);
  return with_context(path.string(), [&] {
    const FamilyRow& family = get_family(file);
    const std::string config = make_config(file, family);
    Model model = architectures::build({}, config, name_tensors(file, family, numbers_of(family, config)), options);
    assign_roles(model.graph);
    model.metadata = take_notes(file.metadata);
    Checkpoint checkpoint = *model.checkpoint;
    note_row_order(family, ArchitectureKeys(file.metadata, family.architecture), checkpoint);
    checkpoint.metadata = std::make_shared<const Metadata>(std::move(file.metadata));
    model.checkpoint = std::make_shared<const Checkpoint>(std::move(checkpoint));
    model.path = path;
    model.format = "gguf";
    return model;
  });
}

Layout layout(const Model& model, const std::filesystem::path& path, const WriteOptions& /*options*/) {
  const LoweredFile lowered = lower(model);
  const FileLayout places = layout(lowered.metadata, lowered.tensors);
  const std::string name = path.filename().string();
  Layout layout{.files = {{name, places.total_bytes}}, .entries = {}, .notes = lowered.notes};
  std::ranges::move(source_notes(model), std::back_inserter(layout.notes));
  for (size_t i = 0; i < lowered.tensors.size(); ++i) {
    for (const ValueId source : lowered.sources[i]) {
      layout.entries.push_back({source, name, places.tensors[i].bytes / std::ssize(lowered.sources[i])});
    }
  }
  return layout;
}

void write(const Model& model, const std::filesystem::path& path, const WriteOptions& /*options*/) {
  const LoweredFile lowered = lower(model);
  write(lowered.metadata, lowered.tensors, path);
}

}  // namespace terse::gguf
