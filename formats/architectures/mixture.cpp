#include "formats/architectures/mixture.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "formats/architectures/architecture.h"
#include "formats/checkpoint_weights.h"
#include "formats/error.h"
#include "formats/json_fields.h"

namespace terse::architectures {
namespace {

constexpr std::array<std::string_view, 2> kCountKeys = {"num_local_experts", "num_experts"};
constexpr std::string_view kWeight = ".weight";

const ExpertNames* find_names(const Checkpoint& checkpoint) { return get_family(checkpoint.family).experts; }

const Checkpoint& get_checkpoint(const Model& model) {
  if (model.checkpoint == nullptr) {
    throw Error(Kind::unsupported, "a graph does not say which experts it has: give the checkpoint");
  }
  if (find_names(*model.checkpoint) == nullptr) {
    throw Error(Kind::unsupported, "models of family {} have no experts", model.checkpoint->family);
  }
  return *model.checkpoint;
}

/// Rows of a float matrix.
EncodingPtr pick_rows(const Encoding& weight, const std::vector<int64_t>& rows) {
  Tensor picked = Tensor::uninitialized(DType::f32, {std::ssize(rows), weight.columns()});
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto columns = static_cast<size_t>(weight.columns());
    decode_rows(weight, rows[i], 1, picked.mutable_values<float>().subspan(i * columns, columns));
  }
  return make_dense(from_f32(picked, compute_dtype(weight)));
}

class Smaller {
 public:
  Smaller(const Model& model, const KeptExperts& kept)
      : model_(model), checkpoint_(get_checkpoint(model)), kept_(kept) {
    const ExpertCounts counts = count_experts(model);
    count_ = kept.empty() ? counts.all : std::ssize(kept.begin()->second);
    for (const auto& [layer, experts] : kept) {
      if (std::ssize(experts) != count_ || count_ < counts.chosen) {
        throw Error(Kind::input, "layer {} would keep {} experts, expected {} as the others, at least {}", layer,
                    experts.size(), count_, counts.chosen);
      }
    }
  }

  Model make() {
    NamedTensors tensors{.file_bytes = model_.file_bytes, .rotary_rows = rotary_rows()};
    for (const ValueId id : find_checkpoint_weights(model_)) {
      add(model_.graph.value(id), tensors);
    }
    Model smaller = build(checkpoint_.folder, config(), std::move(tensors), {.cache = cache()});
    assign_roles(smaller.graph);
    smaller.path = model_.path;
    smaller.format = model_.format;
    smaller.metadata = model_.metadata;
    smaller.checkpoint = std::make_shared<const Checkpoint>(describe(*smaller.checkpoint));
    return smaller;
  }

 private:
  void add(const Value& value, NamedTensors& tensors) {
    const auto place = find_expert(checkpoint_, value.name);
    const auto kept = place ? kept_.find(place->layer) : kept_.end();
    if (kept == kept_.end()) {
      put(value.name, value.name, value.constant, tensors);
    } else if (place->part == ExpertPart::router) {
      put(value.name, value.name, pick_rows(*value.constant, kept->second), tensors);
    } else if (const auto at = std::ranges::find(kept->second, place->expert); at != kept->second.end()) {
      put(renumbered(value.name, *place, at - kept->second.begin()), value.name, value.constant, tensors);
    }
  }

  void put(const std::string& name, const std::string& before, EncodingPtr weight, NamedTensors& tensors) {
    before_[name] = before;
    const DenseEncoding* dense = weight->dense();
    if (dense != nullptr && !dense->transposed) {
      tensors.tensors.emplace(name, dense->values);
    } else {
      tensors.encoded.emplace(name, std::move(weight));
    }
  }

  /// The name in the file, which may lack the standard one's prefix.
  std::string renumbered(const std::string& name, const ExpertPlace& place, int64_t expert) const {
    const ExpertNames& names = *find_names(checkpoint_);
    const std::string_view pattern = place.part == ExpertPart::gate ? names.gate
                                     : place.part == ExpertPart::up ? names.up
                                                                    : names.down;
    const std::string end = numbered(pattern, static_cast<size_t>(place.expert)) + std::string(kWeight);
    return name.substr(0, name.size() - end.size()) + numbered(pattern, static_cast<size_t>(expert)) +
           std::string(kWeight);
  }

  std::string config() const {
    auto document = nlohmann::ordered_json::parse(checkpoint_.config);
    for (const std::string_view key : kCountKeys) {
      if (document.contains(key)) {
        document[std::string(key)] = count_;
      }
    }
    return document.dump(2) + "\n";
  }

  RotaryRows rotary_rows() const {
    const bool any =
        std::ranges::any_of(checkpoint_.stored, [](const auto& entry) { return entry.second.neighbour_heads > 0; });
    return any ? RotaryRows::neighbours : RotaryRows::as_published;
  }

  KeyValueCache cache() const {
    const auto is_cache = [&](ValueId id) { return model_.graph.value(id).name.starts_with("past_key_values."); };
    return std::ranges::any_of(model_.graph.main.inputs, is_cache) ? KeyValueCache::inputs_and_outputs
                                                                   : KeyValueCache::none;
  }

  /// What the files had of the weights, under their new names.
  Checkpoint describe(Checkpoint checkpoint) const {
    for (auto& [name, form] : checkpoint.stored) {
      const StoredForm& before = checkpoint_.stored.at(before_.at(name));
      form.dtype = before.dtype;
      form.in_out = before.in_out;
      form.neighbour_heads = before.neighbour_heads;
    }
    checkpoint.unused = checkpoint_.unused;
    if (checkpoint_.metadata != nullptr) {
      gguf::Metadata metadata = *checkpoint_.metadata;
      const std::string architecture(metadata.find_string("general.architecture").value_or(""));
      metadata.set(architecture + ".expert_count", static_cast<uint32_t>(count_));
      checkpoint.metadata = std::make_shared<const gguf::Metadata>(std::move(metadata));
    }
    return checkpoint;
  }

  const Model& model_;
  const Checkpoint& checkpoint_;
  const KeptExperts& kept_;
  int64_t count_ = 0;
  std::map<std::string, std::string> before_;  ///< names, by the new ones
};

}  // namespace

std::optional<ExpertPlace> find_expert(const Checkpoint& checkpoint, std::string_view tensor) {
  const ExpertNames* names = find_names(checkpoint);
  const auto stored = checkpoint.stored.find(tensor);
  if (names == nullptr || stored == checkpoint.stored.end()) {
    return std::nullopt;
  }
  const std::string_view name = stored->second.standard_name;
  const std::string router = "." + std::string(names->router) + std::string(kWeight);
  if (name.ends_with(router)) {
    return ExpertPlace{.layer = std::string(name.substr(0, name.size() - router.size() + 1))};
  }
  for (const auto& [pattern, part] : {std::pair(names->gate, ExpertPart::gate), std::pair(names->up, ExpertPart::up),
                                      std::pair(names->down, ExpertPart::down)}) {
    if (const auto found = match_numbered(name, std::string(pattern) + std::string(kWeight))) {
      return ExpertPlace{.layer = found->layer, .part = part, .expert = found->number};
    }
  }
  return std::nullopt;
}

ExpertCounts count_experts(const Model& model) {
  const Checkpoint& checkpoint = get_checkpoint(model);
  return with_context("config.json", [&] {
    const nlohmann::json document = parse_json(checkpoint.config);
    const JsonField config(document, "");
    const auto local = config.find(kCountKeys[0]);
    return ExpertCounts{.all = (local ? *local : config.get(kCountKeys[1])).whole(1, INT32_MAX),
                        .chosen = config.get("num_experts_per_tok").whole(1, INT32_MAX)};
  });
}

Model keep_experts(const Model& model, const KeptExperts& kept) { return Smaller(model, kept).make(); }

}  // namespace terse::architectures
