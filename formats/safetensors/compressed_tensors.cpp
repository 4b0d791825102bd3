#include "formats/safetensors/compressed_tensors.h"

#include <map>

#include "formats/error.h"

namespace terse::safetensors {
namespace {

constexpr std::string_view kHolds =
    "compressed-tensors holds Linear modules' weights in 2, 4 or 8 bits, a scale a row or a block that divides it";

bool is_table(const Value& value) {
  return std::ranges::any_of(value.roles, [](const Role& role) {
    return role.kind == RoleKind::embedding || role.kind == RoleKind::position;
  });
}

bool is_router(const Value& value) {
  return std::ranges::any_of(value.roles, [](const Role& role) { return role.kind == RoleKind::router; });
}

/// True if a reader that rounds to `to` keeps all numbers of type `from`.
bool holds_exactly(DType to, DType from) { return to == from || to == DType::f32 || to == DType::f64; }

/// Why a module of this kind cannot have codes; empty: it can.
std::string reason_against_module(const Model& model, const Value& value) {
  if (is_table(value)) {
    return "is a table, which models load as Embedding: quantize with except=tables";
  }
  if (is_router(value)) {
    return "is a router, which is no Linear module: quantize with except=router";
  }
  const auto stored = model.checkpoint->stored.find(value.name);
  if (stored != model.checkpoint->stored.end() && stored->second.in_out) {
    return "is stored [in,out]: its module is a Conv1D, which no reader of compressed-tensors takes; write ONNX or "
           "GGUF";
  }
  if (!value.name.ends_with(kWeight) || value.constant->shape.size() != 2) {
    return fmt::format("has shape {} and is no module's weight", to_string(value.constant->shape));
  }
  return "";
}

std::string reason_against_grid(const Encoding& weight, DType model_dtype) {
  const AffineEncoding& affine = *weight.affine();
  if (affine.group_rows > 1) {
    return "has a scale for all rows: quantize with block=channel";
  }
  if (affine.group_columns < weight.columns() && weight.columns() % affine.group_columns != 0) {
    return fmt::format("has blocks of {} columns, which do not divide its {}: quantize with another block, or channel",
                       affine.group_columns, weight.columns());
  }
  if (!holds_exactly(model_dtype, affine.scale_dtype)) {
    return fmt::format("has scales in {}, which readers round to the model's {}: quantize with scale={}",
                       name(affine.scale_dtype), name(model_dtype), name(model_dtype));
  }
  return "";
}

/// What runtimes compute in one product: parts of one layer of the same number and with as many columns; of experts all
/// of a layer's.
int fused_part(const Role& role) {
  switch (role.kind) {
    case RoleKind::q:
    case RoleKind::k:
    case RoleKind::v:
      return 1;
    case RoleKind::gate:
    case RoleKind::up:
      return 2;
    case RoleKind::down:
      return role.expert < 0 ? 0 : 3;
    default:
      return 0;
  }
}

}  // namespace

Scheme scheme_of(const Encoding& weight) {
  const AffineEncoding& affine = *weight.affine();
  return {.bits = affine.bits,
          .symmetric = !affine.asymmetric,
          .group_columns = affine.group_columns < weight.columns() ? affine.group_columns : 0};
}

void check_packed(const Model& model, ValueId id, DType model_dtype) {
  const Value& value = model.graph.value(id);
  std::string reason = value.constant->affine() == nullptr
                           ? fmt::format("is to be stored as {}", describe(*value.constant))
                           : reason_against_module(model, value);
  if (reason.empty()) {
    reason = reason_against_grid(*value.constant, model_dtype);
  }
  if (!reason.empty()) {
    throw Error(Kind::unsupported, "tensor {} {}; target safetensors: {}", value.name, reason, kHolds);
  }
}

void check_fused(const Model& model, std::span<const ValueId> weights) {
  std::map<std::tuple<int, int, int64_t>, ValueId> first;
  for (const ValueId id : weights) {
    const Value& value = model.graph.value(id);
    for (const Role& role : value.roles) {
      const int part = fused_part(role);
      if (part == 0 || role.layer < 0) {
        continue;
      }
      const auto [found, is_new] = first.emplace(std::tuple(role.layer, part, value.constant->columns()), id);
      const Value& other = model.graph.value(found->second);
      const bool same =
          (value.constant->affine() == nullptr) == (other.constant->affine() == nullptr) &&
          (value.constant->affine() == nullptr || scheme_of(*value.constant) == scheme_of(*other.constant));
      if (!same) {
        throw Error(Kind::unsupported,
                    "tensors {} and {} are {} and {}: runtimes that read checkpoints compute them as one product and "
                    "want them alike; quantize both in the same way",
                    other.name, value.name, describe(*other.constant), describe(*value.constant));
      }
    }
  }
}

}  // namespace terse::safetensors
