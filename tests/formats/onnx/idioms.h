#pragma once

#include <random>
#include <string>

#include "formats/model.h"

namespace terse {

/// Any codes, any scales: what an idiom has to carry exactly.
inline Encoding random_affine(Shape shape, AffineEncoding form) {
  Encoding e{.shape = std::move(shape), .form = form};
  std::mt19937 random(7);
  const int64_t row_bytes = (e.columns() * form.bits + 7) / 8;
  const Shape groups = {e.rows() / form.group_rows, (e.columns() + form.group_columns - 1) / form.group_columns};
  const auto fill = [&](Tensor& t, unsigned limit) {
    for (uint8_t& x : t.mutable_values<uint8_t>()) {
      x = static_cast<uint8_t>(random() % limit);
    }
  };
  form.codes = Tensor::make(DType::u8, {e.rows(), row_bytes});
  fill(form.codes, 256);
  const int64_t used_bits = e.columns() * form.bits % 8;
  for (int64_t row = 0; used_bits != 0 && row < e.rows(); ++row) {  // the tail of a row is zero
    form.codes.mutable_values<uint8_t>()[static_cast<size_t>((row + 1) * row_bytes - 1)] &=
        static_cast<uint8_t>((1 << used_bits) - 1);
  }
  Tensor scales = Tensor::make(DType::f32, groups);
  for (float& x : scales.mutable_values<float>()) {
    x = (static_cast<float>(random() % 1000) - 500) / 4096;
  }
  form.scales = from_f32(scales, form.scale_dtype);
  if (form.asymmetric) {
    form.zero_points = Tensor::make(DType::u8, groups);
    fill(form.zero_points, 1U << form.bits);
  }
  e.form = form;
  return e;
}

inline Encoding random_codebook(Shape shape, CodebookEncoding form) {
  Encoding e{.shape = std::move(shape), .form = form};
  std::mt19937 random(9);
  std::vector<uint8_t> row(static_cast<size_t>(e.columns()));
  const int64_t row_bytes = (e.columns() * form.index_bits() + 7) / 8;
  form.codes = Tensor::make(DType::u8, {e.rows(), row_bytes});
  for (int64_t r = 0; r < e.rows(); ++r) {
    for (uint8_t& code : row) {
      code = static_cast<uint8_t>(random() % static_cast<unsigned>(form.centroids));
    }
    pack_codes(row, form.index_bits(),
               form.codes.mutable_values<uint8_t>().subspan(static_cast<size_t>(r * row_bytes)));
  }
  Tensor books = Tensor::make(DType::f32, {e.rows() / form.group_rows, form.centroids});
  const auto values = books.mutable_values<float>();
  for (size_t i = 0; i < values.size(); ++i) {  // each table ascends from about -3 to about 3
    const auto place = static_cast<float>(i % static_cast<size_t>(form.centroids));
    values[i] = (place + 0.25F) * 6 / static_cast<float>(form.centroids) - 3 + static_cast<float>(i) / 65536;
  }
  form.codebooks = from_f32(books, form.centroid_dtype);
  e.form = form;
  return e;
}

/// The same without numbers.
inline Encoding planned(Encoding e) {
  if (auto* a = std::get_if<AffineEncoding>(&e.form)) {
    a->codes = a->scales = a->zero_points = Tensor();
  } else if (auto* b = std::get_if<CodebookEncoding>(&e.form)) {
    b->codes = b->codebooks = Tensor();
  } else {
    std::get<DenseEncoding>(e.form).values = Tensor();
  }
  return e;
}

inline bool same_tensor(const Tensor& a, const Tensor& b) {
  return a.empty() == b.empty() &&
         (a.empty() || (a.dtype() == b.dtype() && a.count() == b.count() &&
                        std::equal(a.bytes().begin(), a.bytes().end(), b.bytes().begin(), b.bytes().end())));
}

/// The same bytes and the same meaning.
inline bool same_encoding(const Encoding& a, const Encoding& b) {
  if (a.shape != b.shape || a.form.index() != b.form.index() || describe(a) != describe(b)) {
    return false;
  }
  if (const AffineEncoding* x = a.affine()) {
    const AffineEncoding* y = b.affine();
    return x->bits == y->bits && x->group_rows == y->group_rows && x->group_columns == y->group_columns &&
           same_tensor(x->codes, y->codes) && same_tensor(x->scales, y->scales) &&
           same_tensor(x->zero_points, y->zero_points);
  }
  if (const CodebookEncoding* x = a.codebook()) {
    return same_tensor(x->codes, b.codebook()->codes) && same_tensor(x->codebooks, b.codebook()->codebooks);
  }
  return same_tensor(decode(a), decode(b));
}

/// How a small model uses its weight "w" [out, in] (a table [V, H], experts [E, out, in]).
enum class Shown { matmul, gemm, gemm_scaled, table, tied, left, experts, turned_experts, twice };

/// Inputs "x" (activations) and "ids", outputs named "y", "z"; it computes in `floats`.
inline Model model_with(Encoding weight, Shown use, int64_t opset = 17, DType floats = DType::f32) {
  Model model;
  model.opsets = {{"", opset}};
  model.ir_version = opset >= 21 ? 10 : 8;
  model.path = "model.onnx";
  Graph& g = model.graph;
  const Shape shape = weight.shape;
  const ValueId w = g.add_constant("w", std::make_shared<const Encoding>(std::move(weight)));
  g.value(w).type = ValueType{.dtype = floats};
  const auto input = [&](const char* name, DType dtype, std::vector<Dimension> dims) {
    const ValueId id = g.add(name);
    g.value(id).type = ValueType{dtype, std::move(dims)};
    g.main.inputs.push_back(id);
    return id;
  };
  const auto node = [&](const char* op, std::vector<ValueId> inputs, const char* output) -> Node& {
    const ValueId id = g.add(output);
    Node n{.op_type = op, .name = std::string("node_") + output, .inputs = std::move(inputs)};
    n.outputs = {id};
    return g.main.nodes.emplace_back(std::move(n));
  };
  const auto output = [&](const char* name) {
    const ValueId id = *g.find(name);
    const bool deep = use == Shown::table || use == Shown::experts || use == Shown::turned_experts;
    g.value(id).type = ValueType{floats, std::vector<Dimension>(deep ? 3 : 2)};
    g.main.outputs.push_back(id);
  };
  const Dimension rows{.symbol = "rows"}, in{.size = shape.back()};
  switch (use) {
    case Shown::matmul:
    case Shown::twice:
      node("MatMul", {input("x", floats, {rows, in}), w}, "y").set("transB", int64_t{1});
      if (use == Shown::twice) {
        node("MatMul", {*g.find("x"), w}, "z").set("transB", int64_t{1});
        output("z");
      }
      break;
    case Shown::gemm:
    case Shown::gemm_scaled: {
      std::vector<float> bias(static_cast<size_t>(shape[0]), 0.5F);
      const ValueId c = g.add_constant("bias", make_dense(from_f32(Tensor::of<float>({shape[0]}, bias), floats)));
      const bool scaled = use == Shown::gemm_scaled;
      const auto dims = scaled ? std::vector<Dimension>{in, rows} : std::vector<Dimension>{rows, in};
      Node& gemm = node("Gemm", {input("x", floats, dims), w, c}, "y");
      gemm.set("transB", int64_t{1});
      if (scaled) {
        gemm.set("transA", int64_t{1});
        gemm.set("alpha", 0.5F);
        gemm.set("beta", -2.0F);
      }
      break;
    }
    case Shown::table:
      node("Gather", {w, input("ids", DType::i64, {rows, rows})}, "y");
      break;
    case Shown::tied:
      node("Gather", {w, input("ids", DType::i64, {rows})}, "h");
      node("MatMul", {*g.find("h"), w}, "y").set("transB", int64_t{1});
      break;
    case Shown::left:
      node("MatMul", {w, input("x", floats, {in, rows})}, "y");
      break;
    case Shown::experts:
      node("GatherND", {w, input("ids", DType::i64, {rows, Dimension{.size = 1}})}, "h");
      node("MatMul", {*g.find("h"), input("x", floats, {in, rows})}, "y");
      break;
    case Shown::turned_experts:
      node("Gather", {w, input("ids", DType::i64, {rows})}, "h");
      node("MatMul", {input("x", floats, {rows, in}), *g.find("h")}, "y").set("transB", int64_t{1});
      break;
  }
  output("y");
  return model;
}

}  // namespace terse
