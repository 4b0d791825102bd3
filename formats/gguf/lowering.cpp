#include "formats/gguf/lowering.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <ranges>

#include "formats/blocks/affine_blocks.h"
#include "formats/checkpoint_weights.h"
#include "formats/config.h"
#include "formats/error.h"
#include "formats/gguf/config_metadata.h"
#include "formats/gguf/family.h"
#include "formats/row_order.h"
#include "formats/stream.h"

namespace terse::gguf {
namespace {

constexpr uint32_t kQuantizationVersion = 2;  // GGML_QNT_VERSION

/// llama.cpp's name for a whole file. Source: include/llama.h, enum llama_ftype.
struct FileTypeRow {
  BlockType type;
  uint32_t file_type;
};
constexpr std::array kFileTypes = {
    FileTypeRow{BlockType::f32, 0},     FileTypeRow{BlockType::f16, 1},     FileTypeRow{BlockType::q4_0, 2},
    FileTypeRow{BlockType::q4_1, 3},    FileTypeRow{BlockType::q8_0, 7},    FileTypeRow{BlockType::q5_0, 8},
    FileTypeRow{BlockType::q5_1, 9},    FileTypeRow{BlockType::q2_k, 10},   FileTypeRow{BlockType::q3_k, 12},
    FileTypeRow{BlockType::q4_k, 15},   FileTypeRow{BlockType::q5_k, 17},   FileTypeRow{BlockType::q6_k, 18},
    FileTypeRow{BlockType::iq4_nl, 25}, FileTypeRow{BlockType::iq4_xs, 30}, FileTypeRow{BlockType::bf16, 32},
    FileTypeRow{BlockType::mxfp4, 38},
};

/// The type that most numbers have.
uint32_t file_type(std::span<const OutputTensor> tensors) {
  std::map<BlockType, int64_t> counts;
  for (const OutputTensor& tensor : tensors) {
    counts[tensor.type] += checked_count(tensor.shape).value_or(0);
  }
  const auto most = std::ranges::max_element(counts, {}, [](const auto& count) { return count.second; });
  const auto* found = std::ranges::find(kFileTypes, most->first, &FileTypeRow::type);
  return found == kFileTypes.end() ? 0 : found->file_type;
}

/// The block type that holds just these numbers; nothing if there is none.
std::optional<BlockType> find_type(const Encoding& encoding) {
  if (const DenseEncoding* dense = encoding.dense()) {
    return dense->dtype == DType::f64 ? std::nullopt : find_block_type(dense->dtype);
  }
  if (const BlockEncoding* blocks = encoding.blocks()) {
    return blocks->type;
  }
  return equal_block_type(encoding);
}

void stream_as_floats(const Encoding& encoding, Sink& sink) {
  constexpr int64_t kTileNumbers = int64_t{1} << 20;
  const int64_t step = std::max<int64_t>(kTileNumbers / std::max<int64_t>(encoding.columns(), 1), 1);
  std::vector<float> tile;
  for (int64_t row = 0; row < encoding.rows(); row += step) {
    const int64_t rows = std::min(step, encoding.rows() - row);
    tile.resize(static_cast<size_t>(rows * encoding.columns()));
    decode_rows(encoding, row, rows, tile);
    sink.write(std::as_bytes(std::span(tile)));
  }
}

/// `change`: of one number.
template <typename Change>
void stream_changed(const Encoding& encoding, Sink& sink, const Change& change) {
  const Tensor numbers = decode(encoding);
  std::vector<float> changed(static_cast<size_t>(numbers.count()));
  std::ranges::transform(numbers.values<float>(), changed.begin(), change);
  sink.write(std::as_bytes(std::span(changed)));
}

void stream_weight(const EncodingPtr& encoding, Sink& sink) {
  if (encoding->dense() != nullptr) {
    stream_dense(*encoding, MatrixOrder::out_in, sink);
  } else if (const BlockEncoding* blocks = encoding->blocks()) {
    stream_bytes(blocks->blocks, sink);
  } else {
    stream_bytes(to_blocks(*encoding).blocks()->blocks, sink);
  }
}

/// Some of a matrix's rows.
void stream_rows(const EncodingPtr& encoding, int64_t first, int64_t rows, Sink& sink) {
  if (const DenseEncoding* dense = encoding->dense()) {
    Tensor part = Tensor::uninitialized(DType::f32, {rows, encoding->columns()});
    decode_rows(*encoding, first, rows, part.mutable_values<float>());
    sink.write(from_f32(part, dense->dtype).bytes());
    return;
  }
  const Encoding blocks = encoding->blocks() != nullptr ? *encoding : to_blocks(*encoding);
  const int64_t stride = block_row_bytes(blocks.blocks()->type, blocks.columns());
  sink.write(
      blocks.blocks()->blocks.bytes().subspan(static_cast<size_t>(first * stride), static_cast<size_t>(rows * stride)));
}

using WeightStream = std::function<void(const EncodingPtr&, Sink&)>;
using Stack = std::map<int64_t, ValueId>;  ///< by the expert's number

class Lowering {
 public:
  Lowering(const Model& model, const FamilyRow& family)
      : model_(model), family_(family), document_(parse_json(model.checkpoint->config)) {}

  LoweredFile lower(std::vector<ValueId> weights) {
    lowered_.metadata = make_metadata(*model_.checkpoint, family_, lowered_.notes);
    std::ranges::sort(weights);  // as the model is built: the table, layer by layer, the head
    for (const ValueId id : weights) {
      add(id);
    }
    add_stacks();
    add_derived();
    set_types();
    add_notes();
    return std::move(lowered_);
  }

 private:
  bool is_left_out(std::string_view name) const {
    return std::ranges::any_of(family_.left_out, [&](std::string_view part) { return name.starts_with(part); });
  }

  void add(ValueId id) {
    const Value& value = model_.graph.value(id);
    const StoredForm& form = model_.checkpoint->stored.at(value.name);
    if (is_left_out(form.standard_name)) {
      left_out_.push_back(value.name);
      return;
    }
    auto name = find_gguf_name(family_, form.standard_name);
    if (!name) {
      throw Error(Kind::unsupported, "tensor {}: a gguf file of family {} has no place for it: llama.cpp runs {} only",
                  value.name, family_.model_type, family_.checkpoint_class);
    }
    if (!name->row->second.empty()) {
      add_halves(id, form.standard_name);
      return;
    }
    if (name->row->kind == NameRow::Kind::expert) {
      add_expert(*name, id);
      return;
    }
    lowered_.tensors.push_back(with_context(fmt::format("tensor {}", value.name),
                                            [&] { return store(*name, value.constant, form.neighbour_heads > 0); }));
    lowered_.sources.push_back({id});
  }

  /// Notes an expert's matrix; tensors of all stand behind the others, in the order of their first ones.
  void add_expert(const OtherName& name, ValueId id) {
    Stack& stack = stacks_[name.name];
    if (stack.empty()) {
      stack_order_.push_back(name.name);
    }
    stack.emplace(name.expert, id);
  }

  void add_stacks() {
    for (const std::string& name : stack_order_) {
      const Stack& stack = stacks_.at(name);
      lowered_.tensors.push_back(with_context(fmt::format("tensor {}", name), [&] { return store(name, stack); }));
      lowered_.sources.emplace_back();
      std::ranges::copy(stack | std::views::values, std::back_inserter(lowered_.sources.back()));
    }
  }

  /// The matrices of all experts, one behind the other.
  OutputTensor store(const std::string& name, const Stack& stack) const {
    std::vector<EncodingPtr> experts;
    for (const ValueId id : stack | std::views::values) {
      experts.push_back(model_.graph.value(id).constant);
    }
    const EncodingPtr& first = experts.front();
    for (const EncodingPtr& expert : experts) {
      if (get_type(*expert) != get_type(*first) || expert->shape != first->shape) {
        throw Error(Kind::unsupported, "experts are {} {} and {} {}: a gguf file holds those of a layer in one type",
                    describe(*first), to_string(first->shape), describe(*expert), to_string(expert->shape));
      }
    }
    return {.name = name,
            .type = get_type(*first),
            .shape = {std::ssize(experts), first->rows(), first->columns()},
            .write = [experts](Sink& sink) {
              for (const EncodingPtr& expert : experts) {
                stream_weight(expert, sink);
              }
            }};
  }

  /// A matrix whose halves are tensors of their own.
  void add_halves(ValueId id, const std::string& standard_name) {
    const EncodingPtr& encoding = model_.graph.value(id).constant;
    const int64_t rows = encoding->rows() / 2;
    const BlockType type =
        with_context(fmt::format("tensor {}", model_.graph.value(id).name), [&] { return get_type(*encoding); });
    const std::array names = {find_gguf_name(family_, standard_name), find_second_gguf_name(family_, standard_name)};
    for (size_t half = 0; half < names.size(); ++half) {
      const int64_t first = static_cast<int64_t>(half) * rows;
      lowered_.tensors.push_back(
          {.name = names.at(half)->name, .type = type, .shape = {rows, encoding->columns()}, .write = [=](Sink& sink) {
             stream_rows(encoding, first, rows, sink);
           }});
      lowered_.sources.push_back({id});
    }
  }

  OutputTensor store(const OtherName& name, const EncodingPtr& encoding, bool is_in_order) const {
    OutputTensor tensor{.name = name.name, .type = BlockType::f32, .shape = encoding->shape, .write = {}};
    WeightStream stream = stream_weight;
    if (encoding->shape.size() < 2 || name.row->kind == NameRow::Kind::float_table) {
      check_floats(*encoding);
      stream = floats_stream(name.row->kind);
    } else {
      tensor.type = get_type(*encoding);
    }
    const int64_t heads = is_in_order ? 0 : rotary_heads(name.row->kind);
    tensor.write = [=](Sink& sink) {
      stream(heads == 0 ? encoding : reorder_rows(encoding, heads, RowOrder::neighbours), sink);
    };
    return tensor;
  }

  WeightStream floats_stream(NameRow::Kind kind) const {
    switch (kind) {
      case NameRow::Kind::norm_plus_one:
        return
            [](const EncodingPtr& weight, Sink& sink) { stream_changed(*weight, sink, [](float x) { return x + 1; }); };
      case NameRow::Kind::scaled_norm:
        return [scale = family_.scale(JsonField(document_, ""))](const EncodingPtr& weight, Sink& sink) {
          stream_changed(*weight, sink, [=](float x) { return x * scale; });
        };
      default:
        return [](const EncodingPtr& weight, Sink& sink) { stream_as_floats(*weight, sink); };
    }
  }

  static void check_floats(const Encoding& encoding) {
    if (encoding.dense() == nullptr) {
      throw Error(Kind::unsupported, "has encoding {}, llama.cpp reads this one as f32 only: leave it out of the pass",
                  describe(encoding));
    }
  }

  static BlockType get_type(const Encoding& encoding) {
    const auto type = find_type(encoding);
    if (!type || encoding.columns() % row(*type).elements != 0) {
      throw Error(Kind::unsupported, "has encoding {}, gguf can hold {}{}", describe(encoding), kEncodings,
                  encoding.dense() == nullptr ? "; convert --dtype f16 makes floats of it" : "");
    }
    return *type;
  }

  /// In how many heads rows are to be reordered; 0: not at all.
  int64_t rotary_heads(NameRow::Kind kind) const {
    const JsonField config(document_, "");
    switch (kind) {
      case NameRow::Kind::query:
        return read_heads(config).heads;
      case NameRow::Kind::key:
        return read_heads(config).kv_heads;
      default:
        return 0;
    }
  }

  void add_derived() {
    if (family_.derive == nullptr) {
      return;
    }
    for (const DerivedTensor& derived : family_.derive(JsonField(document_, ""))) {
      lowered_.tensors.push_back(
          {.name = derived.name,
           .type = BlockType::f32,
           .shape = {std::ssize(derived.values)},
           .write = [values = derived.values](Sink& sink) { sink.write(std::as_bytes(std::span(values))); }});
      lowered_.sources.emplace_back();
    }
  }

  void set_types() {
    lowered_.metadata.set("general.file_type", file_type(lowered_.tensors));
    lowered_.metadata.set("general.quantization_version", kQuantizationVersion);
    for (const auto& [key, value] : model_.metadata) {
      lowered_.metadata.set(key, value);
    }
  }

  void add_notes() {
    if (!left_out_.empty()) {
      lowered_.notes.push_back(fmt::format("{} tensors left out, which llama.cpp computes nothing with: {} and so on",
                                           left_out_.size(), left_out_.front()));
    }
    for (const LostRow& lost : family_.lost) {
      if (const auto field = JsonField(document_, "").find(lost.config)) {
        lowered_.notes.push_back(fmt::format("{} {} left out: {}", lost.config, field->value().dump(), lost.reason));
      }
    }
  }

  const Model& model_;
  const FamilyRow& family_;
  nlohmann::json document_;
  LoweredFile lowered_;
  std::map<std::string, Stack> stacks_;   ///< by GGUF's names
  std::vector<std::string> stack_order_;  ///< of their first experts
  std::vector<std::string> left_out_;
};

}  // namespace

LoweredFile lower(const Model& model) {
  std::vector<ValueId> weights = find_checkpoint_weights(model);
  return Lowering(model, get_family(*model.checkpoint)).lower(std::move(weights));
}

}  // namespace terse::gguf
