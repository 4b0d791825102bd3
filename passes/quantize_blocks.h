#pragma once

#include <memory>

#include "formats/blocks/block_type.h"
#include "passes/projection.h"

namespace terse::passes {

/// What happens to weights that have codes already.
enum class Requantize { no, yes };

/// `quantize,type=`: weights become blocks of one of GGUF's types. A weight whose rows are not whole blocks gets the
/// type that llama.cpp takes instead, and the report says so.
std::unique_ptr<Projection> quantize_to_blocks(BlockType type, Requantize requantize);

/// What a weight with rows of so many columns gets instead of `type`: itself if they are whole blocks, f16 if no blocks
/// fit.
BlockType fitting_type(BlockType type, int64_t columns);

}  // namespace terse::passes
