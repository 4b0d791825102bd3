#pragma once

#include "formats/architectures/architecture.h"

namespace terse::architectures {

// The rows of families(), each in the file of its family.

extern const FamilyRow kAlbert;
extern const FamilyRow kBert;
extern const FamilyRow kDistilbert;
extern const FamilyRow kElectra;
extern const FamilyRow kGpt2;
extern const FamilyRow kLlama;
extern const FamilyRow kMistral;
extern const FamilyRow kMobilebert;
extern const FamilyRow kT5;

}  // namespace terse::architectures
