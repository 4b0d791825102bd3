#include "formats/gguf/imatrix_writer.h"

#include <algorithm>

#include "formats/error.h"
#include "formats/gguf/products.h"

namespace terse::gguf {
namespace {

template <typename T>
OutputTensor float_tensor(std::string name, Shape shape, const std::vector<T>& numbers) {
  OutputTensor tensor;
  tensor.name = std::move(name);
  tensor.shape = std::move(shape);
  tensor.write = [&numbers](Sink& sink) {
    std::vector<float> floats(numbers.size());
    std::ranges::transform(numbers, floats.begin(), [](T number) { return static_cast<float>(number); });
    sink.write(std::as_bytes(std::span(floats)));
  };
  return tensor;
}

/// Their numbers are read when they are written.
std::vector<OutputTensor> tensors_of(const Imatrix& matrix) {
  std::vector<OutputTensor> tensors;
  for (const auto& [name, entry] : matrix.entries) {
    tensors.push_back(
        float_tensor(fmt::format("{}{}", name, kSquaresSuffix), {entry.matrices(), entry.columns()}, entry.squares));
    tensors.push_back(float_tensor(fmt::format("{}{}", name, kCountsSuffix), {entry.matrices(), 1}, entry.counts));
  }
  return tensors;
}

std::vector<OutputTensor> tensors_of(std::span<const FullImatrixWriter::Layer> layers) {
  std::vector<OutputTensor> tensors;
  for (const FullImatrixWriter::Layer& layer : layers) {
    const std::string& owner = layer.matrices.front();
    tensors.push_back({.name = fmt::format("{}{}", owner, kProductsSuffix),
                       .type = BlockType::f32,
                       .shape = {2, triangle_numbers(layer.columns)},
                       .write = {}});
    tensors.push_back(
        {.name = fmt::format("{}{}", owner, kRowsSuffix), .type = BlockType::f32, .shape = {2}, .write = {}});
  }
  return tensors;
}

Metadata metadata_of(const Imatrix& matrix, std::span<const FullImatrixWriter::Layer> layers) {
  Metadata metadata;
  metadata.set("general.type", std::string("imatrix"));
  metadata.set("imatrix.datasets", MetadataArray{matrix.datasets});
  metadata.set("imatrix.chunk_count", static_cast<uint32_t>(matrix.chunk_count));
  metadata.set("imatrix.chunk_size", static_cast<uint32_t>(matrix.chunk_size));
  std::vector<std::string> matrices, owners;
  for (const FullImatrixWriter::Layer& layer : layers) {
    matrices.insert(matrices.end(), layer.matrices.begin(), layer.matrices.end());
    owners.insert(owners.end(), layer.matrices.size(), layer.matrices.front());
  }
  if (!matrices.empty()) {
    metadata.set(std::string(kMatricesKey), MetadataArray{std::move(matrices)});
    metadata.set(std::string(kOwnersKey), MetadataArray{std::move(owners)});
  }
  return metadata;
}

std::vector<OutputTensor> joined(std::vector<OutputTensor> first, std::vector<OutputTensor> second) {
  std::ranges::move(second, std::back_inserter(first));
  return first;
}

void write_upper(std::span<const float> matrix, int64_t columns, Sink& sink) {
  for (int64_t row = 0; row < columns; ++row) {
    sink.write(
        std::as_bytes(matrix.subspan(static_cast<size_t>(row * columns + row), static_cast<size_t>(columns - row))));
  }
}

}  // namespace

void write_imatrix(const Imatrix& matrix, const std::filesystem::path& path) {
  write(metadata_of(matrix, {}), tensors_of(matrix), path);
}

FullImatrixWriter::FullImatrixWriter(const Imatrix& shapes, std::vector<Layer> layers,
                                     const std::filesystem::path& path)
    : layers_(std::move(layers)),
      file_(metadata_of(shapes, layers_), joined(tensors_of(layers_), tensors_of(shapes)), path) {}

void FullImatrixWriter::write_products(std::span<const float> solving, int64_t solving_rows,
                                       std::span<const float> held_out, int64_t held_out_rows) {
  const int64_t columns = layers_.at(next_++).columns;
  file_.write_next([&](Sink& sink) {
    write_upper(solving, columns, sink);
    write_upper(held_out, columns, sink);
  });
  const std::vector<float> rows = {static_cast<float>(solving_rows), static_cast<float>(held_out_rows)};
  file_.write_next([&](Sink& sink) { sink.write(std::as_bytes(std::span(rows))); });
}

void FullImatrixWriter::commit(const Imatrix& sums) {
  for (const OutputTensor& tensor : tensors_of(sums)) {
    file_.write_next(tensor.write);
  }
  file_.commit();
}

}  // namespace terse::gguf
