#pragma once

#include "formats/architectures/architecture.h"

namespace terse::architectures {

// The rows of families(), each in the file of its family.

}  // namespace terse::architectures
