#include "formats/gguf/products.h"

#include <algorithm>
#include <cmath>

#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::gguf {
namespace {

constexpr int64_t kMostColumns = int64_t{1} << 31;  // triangles of more are no file's
constexpr float kMostRows = 9007199254740992.0F;    // 2^53: sums stay exact

std::vector<std::string> string_list(const File& file, std::string_view key) {
  const MetadataArray* array = file.metadata.find_array(key);
  const auto* strings = array == nullptr ? nullptr : std::get_if<std::vector<std::string>>(&array->values);
  return strings == nullptr ? std::vector<std::string>() : *strings;
}

const FileTensor& get_floats(const File& file, const std::string& name, const Shape& shape) {
  const FileTensor* tensor = file.find(name);
  if (tensor == nullptr) {
    throw Error(Kind::input, "has no tensor '{}'", name);
  }
  if (tensor->type != BlockType::f32 || tensor->shape != shape) {
    throw Error(Kind::input, "tensor '{}' is {} {}, expected F32 {}", name, terse::name(tensor->type),
                to_string(tensor->shape), to_string(shape));
  }
  return *tensor;
}

void check_triangle(std::span<const float> numbers, int64_t columns) {
  const float* row = numbers.data();
  for (int64_t i = 0; i < columns; ++i) {
    const int64_t count = columns - i;
    const float* broken = std::find_if_not(row, row + count, [](float x) { return std::isfinite(x); });
    if (broken != row + count || *row < 0) {
      const auto column = broken != row + count ? broken - row : 0;
      throw Error(Kind::input, "row {}, column {} is {}, which no sum of products is", i, i + column, row[column]);
    }
    row += count;
  }
}

int64_t to_rows(float count) {
  const bool is_count = count >= 0 && count <= kMostRows && count == std::floor(count);
  if (!is_count) {
    throw Error(Kind::input, "a count of {} rows", count);
  }
  return static_cast<int64_t>(count);
}

Products::Part read_part(const File& file, const std::string& owner, int64_t columns) {
  const std::string sums = owner + std::string(kProductsSuffix), counts = owner + std::string(kRowsSuffix);
  const Tensor& triangles = get_floats(file, sums, {2, triangle_numbers(columns)}).data;
  const std::span<const float> rows = get_floats(file, counts, {2}).data.values<float>();
  return with_context(fmt::format("tensor '{}'", sums), [&] {
    Products::Part part{.triangles = triangles, .solving_rows = to_rows(rows[0]), .held_out_rows = to_rows(rows[1])};
    check_triangle(part.solving(), columns);
    check_triangle(part.held_out(), columns);
    release_pages(triangles.bytes());
    return part;
  });
}

void check_owned(const File& file, const std::vector<std::string>& owners) {
  for (const FileTensor& tensor : file.tensors) {
    if (is_of_products(tensor.name) &&
        std::ranges::find(owners, tensor.name.substr(0, tensor.name.rfind('.'))) == owners.end()) {
      throw Error(Kind::input, "tensor '{}' belongs to nothing that metadata '{}' names", tensor.name, kOwnersKey);
    }
  }
}

}  // namespace

std::string matrix_name(std::string_view entry, int64_t matrix, int64_t matrices) {
  return matrices == 1 ? std::string(entry) : fmt::format("{}.{}", entry, matrix);
}

bool is_of_products(std::string_view tensor) {
  return tensor.ends_with(kProductsSuffix) || tensor.ends_with(kRowsSuffix);
}

ProductsByMatrix read_products(const File& file, const std::map<std::string, int64_t, std::less<>>& columns) {
  const std::vector<std::string> matrices = string_list(file, kMatricesKey), owners = string_list(file, kOwnersKey);
  if (matrices.size() != owners.size()) {
    throw Error(Kind::input, "metadata '{}' has {} names, '{}' {}", kMatricesKey, matrices.size(), kOwnersKey,
                owners.size());
  }
  check_owned(file, owners);
  ProductsByMatrix all;
  std::map<std::string, Products::Part> parts;
  for (size_t i = 0; i < matrices.size(); ++i) {
    with_context(fmt::format("'{}'", matrices[i]), [&] {
      const auto known = columns.find(matrices[i]);
      if (known == columns.end() || known->second >= kMostColumns) {
        throw Error(Kind::input, "has sums of products, and none of squares");
      }
      auto part = parts.find(owners[i]);
      if (part == parts.end()) {
        part = parts.emplace(owners[i], read_part(file, owners[i], known->second)).first;
      }
      if (part->second.triangles.count() != 2 * triangle_numbers(known->second)) {
        throw Error(Kind::input, "has {} columns, and sums of products in common with '{}' for another number",
                    known->second, owners[i]);
      }
      if (!all.try_emplace(matrices[i], Products{.owner = owners[i], .columns = known->second, .parts = {part->second}})
               .second) {
        throw Error(Kind::input, "is there twice in metadata '{}'", kMatricesKey);
      }
    });
  }
  return all;
}

void merge_products(ProductsByMatrix more, ProductsByMatrix& all) {
  for (const auto& [name, products] : more) {
    if (!all.contains(name)) {
      throw Error(Kind::input, "has sums of products of '{}', the files before it have none: give files of one kind",
                  name);
    }
  }
  for (auto& [name, products] : all) {
    const auto found = more.find(name);
    if (found == more.end()) {
      throw Error(Kind::input, "has no sums of products of '{}', the files before it have: give files of one kind",
                  name);
    }
    if (found->second.owner != products.owner || found->second.columns != products.columns) {
      throw Error(Kind::input,
                  "'{}' has sums of products of {} columns in common with '{}', in the files before it of {} with '{}'",
                  name, found->second.columns, found->second.owner, products.columns, products.owner);
    }
    std::ranges::move(found->second.parts, std::back_inserter(products.parts));
  }
}

}  // namespace terse::gguf
