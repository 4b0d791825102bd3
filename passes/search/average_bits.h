#pragma once

#include <memory>
#include <optional>

#include "passes/pass.h"
#include "passes/projection.h"

namespace terse::passes {

/// True of "4.25", false of "4": bits that no single weight has.
bool is_average(std::string_view bits);

/// The bits a weight that a pass asks for on average: quantize,bits=4.25.
std::optional<double> find_average_bits(const PassCall& call);

/// The projection of such a pass: says which weights it may be given, and refuses to work; what it stands for is found
/// by search_encodings. Error usage if options say what is to be searched for.
std::unique_ptr<Projection> quantize_on_average(const Arguments& arguments);

}  // namespace terse::passes
