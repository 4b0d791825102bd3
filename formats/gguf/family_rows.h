#pragma once

#include "formats/gguf/family.h"

namespace terse::gguf {

// The rows of families(), each in a file of families/.

extern const FamilyRow kBert;
extern const FamilyRow kDistilbert;
extern const FamilyRow kGpt2;
extern const FamilyRow kLlama;
extern const FamilyRow kMistral;

}  // namespace terse::gguf
