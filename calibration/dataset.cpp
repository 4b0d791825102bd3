#include "calibration/dataset.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "calibration/inputs.h"
#include "calibration/labels.h"
#include "calibration/npy.h"
#include "calibration/npz.h"
#include "calibration/text_samples.h"
#include "formats/documents.h"
#include "formats/error.h"
#include "formats/onnx/tensor_file.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kLabels = "labels";
constexpr std::string_view kTestData = "test_data_set_";

constexpr int64_t kTextSamples = 128;
constexpr int64_t kWindowTokens = 512;

/// One file's reading: where the samples go, and how many are still wanted.
struct Reading {
  const Model& model;
  const DataOptions& options;
  int64_t most;  ///< samples; 0: all
  Dataset& data;
  std::optional<TextReader> text;  ///< opened for the first text

  bool is_full() const { return most > 0 && std::ssize(data.samples) >= most; }
};

std::string input_names(const Graph& graph) {
  std::vector<std::string_view> names;
  for (const ValueId id : real_inputs(graph)) {
    names.push_back(graph.value(id).name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

/// The declared rank of graph input `name`, if the graph says one.
std::optional<int64_t> declared_rank(const Graph& graph, std::string_view name) {
  const auto id = graph.find(name);
  const auto inputs = real_inputs(graph);
  if (!id || std::find(inputs.begin(), inputs.end(), *id) == inputs.end()) {
    throw Error(Kind::input, "the model has no input '{}', expected one of {}", name, input_names(graph));
  }
  const Value& value = graph.value(*id);
  if (!value.type || !value.type->shape) {
    return std::nullopt;
  }
  return std::ssize(*value.type->shape);
}

/// Elements [begin, begin + count) of a tensor as another shape; shares the bytes.
Tensor slice(const Tensor& tensor, int64_t begin, Shape shape) {
  const int64_t bits = row(tensor.dtype()).bits;
  const auto bytes = tensor.bytes().subspan(static_cast<size_t>(begin * bits / 8),
                                            static_cast<size_t>(packed_bytes(tensor.dtype(), *checked_count(shape))));
  return Tensor::view(tensor.dtype(), std::move(shape), bytes, std::make_shared<Tensor>(tensor)).aligned();
}

/// Sample `index` of an array whose leading axis counts samples.
Tensor sample_of(const Tensor& array, int64_t index, std::optional<int64_t> rank) {
  Shape shape(array.shape().begin() + 1, array.shape().end());
  const int64_t count = *checked_count(shape);
  if (rank.value_or(array.rank()) == array.rank()) {
    shape.insert(shape.begin(), 1);
  }
  return slice(array, index * count, std::move(shape));
}

void check_leading_axes(const std::map<std::string, Tensor, std::less<>>& arrays) {
  const auto& [first, model_array] = *arrays.begin();
  for (const auto& [name, array] : arrays) {
    if (array.rank() == 0) {
      throw Error(Kind::input, "array '{}' is a single number, expected an axis that counts samples", name);
    }
    if (array.shape()[0] != model_array.shape()[0]) {
      throw Error(Kind::input, "array '{}' has {} samples, '{}' has {}", name, array.shape()[0], first,
                  model_array.shape()[0]);
    }
  }
}

std::vector<int64_t> labels_of(const Tensor& array) {
  if (array.rank() != 1 || !is_integer(array.dtype())) {
    throw Error(Kind::input, "'labels' is {} {}, expected a whole number a sample", name(array.dtype()),
                to_string(array.shape()));
  }
  return to_int64s(array);
}

/// Expected outputs may lie beside the inputs; they are not looked at.
void drop_outputs(const Graph& graph, std::map<std::string, Tensor, std::less<>>& arrays) {
  for (const ValueId id : graph.main.outputs) {
    arrays.erase(graph.value(id).name);
  }
}

void add_arrays(Reading& reading, std::map<std::string, Tensor, std::less<>> arrays) {
  drop_outputs(reading.model.graph, arrays);
  if (arrays.empty()) {
    throw Error(Kind::input, "no arrays for the inputs {}", input_names(reading.model.graph));
  }
  check_leading_axes(arrays);
  const int64_t count = arrays.begin()->second.shape()[0];
  std::vector<int64_t> labels;
  if (const auto found = arrays.find(kLabels); found != arrays.end() && !reading.model.graph.find(kLabels)) {
    labels = labels_of(found->second);
    arrays.erase(found);
  }
  std::map<std::string, std::optional<int64_t>, std::less<>> ranks;
  for (const auto& [name, array] : arrays) {
    ranks[name] = declared_rank(reading.model.graph, name);
  }
  for (int64_t i = 0; i < count && !reading.is_full(); ++i) {
    Sample sample;
    for (const auto& [name, array] : arrays) {
      sample.emplace(name, sample_of(array, i, ranks[name]));
    }
    with_context(fmt::format("sample {}", i), [&] { complete_sample(reading.model, sample); });
    reading.data.samples.push_back(std::move(sample));
    if (!labels.empty()) {
      reading.data.labels.push_back(labels[static_cast<size_t>(i)]);
    }
  }
}

void add_npz(Reading& reading, const std::filesystem::path& path) {
  auto arrays = read_npz(path);
  with_context(path.string(), [&] { add_arrays(reading, std::move(arrays)); });
}

/// Windows without overlap, as the rows of an array [windows, seq_len].
Tensor cut_windows(const Tensor& tokens, int64_t seq_len) {
  const int64_t windows = tokens.count() / seq_len;
  if (windows == 0) {
    throw Error(Kind::input, "{} tokens are less than one window of {}", tokens.count(), seq_len);
  }
  return slice(tokens, 0, {windows, seq_len});
}

/// The input that an array without a name is for.
std::string main_input(const Graph& graph) {
  std::vector<std::string> without_default;
  for (const ValueId id : real_inputs(graph)) {
    if (!has_default(graph.value(id).name)) {
      without_default.push_back(graph.value(id).name);
    }
  }
  if (without_default.size() != 1) {
    throw Error(Kind::usage, "a .npy file serves models with one input, this one has {}: give a .npz file",
                input_names(graph));
  }
  return without_default.front();
}

void add_npy(Reading& reading, const std::filesystem::path& path) {
  const std::string name = main_input(reading.model.graph);
  Tensor array = read_npy(path);
  with_context(path.string(), [&] {
    if (array.rank() == 1 && declared_rank(reading.model.graph, name) == 2 && is_integer(array.dtype())) {
      array = cut_windows(array, reading.options.seq_len.value_or(kWindowTokens));
    }
    add_arrays(reading, {{name, array}});
  });
}

/// The number that ends a name such as "test_data_set_10", so that 2 comes before 10.
std::pair<int64_t, std::string> by_number(const std::filesystem::path& path) {
  const std::string name = path.stem().string();
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  int64_t number = -1;
  std::from_chars(name.data() + digits, name.data() + name.size(), number);
  return {number, name};
}

/// What lies in `folder` under a name with this beginning, by number.
std::vector<std::filesystem::path> find_numbered(const std::filesystem::path& folder, std::string_view prefix) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().filename().string().starts_with(prefix)) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return by_number(a) < by_number(b); });
  return found;
}

/// One sample: input_N.pb is the N-th input unless the tensor has the name of another.
void add_test_data_set(Reading& reading, const std::filesystem::path& folder) {
  const Graph& graph = reading.model.graph;
  const auto inputs = real_inputs(graph);
  Sample sample;
  for (const auto& path : find_numbered(folder, "input_")) {
    auto [name, tensor] = onnx::read_tensor(path);
    const auto id = graph.find(name);
    const bool is_input = id && std::find(inputs.begin(), inputs.end(), *id) != inputs.end();
    const int64_t index = by_number(path).first;
    if (!is_input && (index < 0 || index >= std::ssize(inputs))) {
      throw Error(Kind::input, "{}: the model has {} inputs: {}", path.string(), inputs.size(), input_names(graph));
    }
    sample[is_input ? name : graph.value(inputs[static_cast<size_t>(index)]).name] = std::move(tensor);
  }
  with_context(folder.string(), [&] { complete_sample(reading.model, sample); });
  reading.data.samples.push_back(std::move(sample));
}

void add_folder(Reading& reading, const std::filesystem::path& folder) {
  if (!find_numbered(folder, "input_").empty()) {
    add_test_data_set(reading, folder);
    return;
  }
  const auto sets = find_numbered(folder, kTestData);
  if (sets.empty()) {
    throw Error(Kind::input, "{}: no input_*.pb and no test_data_set_* inside", folder.string());
  }
  for (const auto& set : sets) {
    if (!reading.is_full()) {
      add_test_data_set(reading, set);
    }
  }
}

void add_text(Reading& reading, const std::filesystem::path& path) {
  if (!reading.text) {
    if (reading.options.tokenizer.empty()) {
      throw Error(Kind::usage, "{}: text needs a tokenizer", path.string());
    }
    reading.text.emplace(reading.model,
                         TextOptions{.tokenizer = reading.options.tokenizer, .seq_len = reading.options.seq_len});
  }
  reading.text->read(path, [&](TextSample text) {
    complete_sample(reading.model, text.sample);
    reading.data.samples.push_back(std::move(text.sample));
    if (text.label) {
      reading.data.labels.push_back(*text.label);
    }
    return !reading.is_full();
  });
  reading.data.rule = reading.text->rule();
  reading.data.mask_token = reading.text->mask_token();
}

struct FormRow {
  std::string_view extension;
  void (*add)(Reading& reading, const std::filesystem::path& path);
};

constexpr std::array<FormRow, 4> kForms = {{
    {".npz", add_npz},
    {".npy", add_npy},
    {".txt", add_text},
    {".jsonl", add_text},
}};

void add_file(Reading& reading, const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) {
    add_folder(reading, path);
    return;
  }
  const std::string extension = path.extension().string();
  for (const FormRow& form : kForms) {
    if (form.extension == extension) {
      form.add(reading, path);
      return;
    }
  }
  throw Error(Kind::unsupported,
              "{}: no data that terse knows, expected a .npz, .npy, .txt or .jsonl file or a test_data_set_* folder",
              path.string());
}

/// Takes labels for samples from a file of their own. Of data of which only the first samples are read, it has more.
void add_labels(Reading& reading) {
  const auto& file = reading.options.labels;
  if (!reading.data.labels.empty()) {
    throw Error(Kind::usage, "{}: the data has labels of its own", file.string());
  }
  auto labels = read_labels(reading.model, file);
  const size_t samples = reading.data.samples.size();
  if (labels.size() < samples || (labels.size() > samples && !reading.is_full())) {
    throw Error(Kind::input, "{}: {} labels for {} samples", file.string(), labels.size(), samples);
  }
  labels.resize(samples);
  reading.data.labels = std::move(labels);
}

}  // namespace

Dataset read_dataset(const Model& model, const std::vector<std::filesystem::path>& files, const DataOptions& options) {
  const bool has_text = std::ranges::any_of(files, is_text_file);
  const int64_t samples = options.samples.value_or(has_text ? kTextSamples : 0);
  if (samples < 0 || options.seq_len.value_or(kWindowTokens) < 2) {
    throw Error(Kind::usage, "expected at least 0 samples of at least 2 tokens, found {} of {}", samples,
                options.seq_len.value_or(kWindowTokens));
  }
  Dataset data;
  Reading reading{.model = model, .options = options, .most = samples, .data = data, .text = {}};
  for (const auto& file : files) {
    if (!reading.is_full()) {
      add_file(reading, file);
    }
  }
  if (data.samples.empty()) {
    throw Error(Kind::input, "no samples in the data");
  }
  if (!options.labels.empty()) {
    add_labels(reading);
  }
  if (!data.labels.empty() && data.labels.size() != data.samples.size()) {
    throw Error(Kind::input, "{} labels for {} samples: give them for all files or for none", data.labels.size(),
                data.samples.size());
  }
  return data;
}

}  // namespace terse::calibration
