#pragma once

#include <string_view>

#include "formats/architectures/op_builder.h"

namespace terse::architectures {

/// The function that config.json calls `name` ("gelu", "silu"), of `x`. Error unsupported lists those known.
ValueId activation(OpBuilder& builder, std::string_view name, ValueId x);

}  // namespace terse::architectures
