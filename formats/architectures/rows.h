#pragma once

#include "formats/architectures/architecture.h"

namespace terse::architectures {

// The rows of families(), each in the file of its family.

extern const FamilyRow kAlbert;
extern const FamilyRow kBert;
extern const FamilyRow kDistilbert;
extern const FamilyRow kElectra;
extern const FamilyRow kGemma;
extern const FamilyRow kGemma2;
extern const FamilyRow kGptNeo;
extern const FamilyRow kGpt2;
extern const FamilyRow kGptj;
extern const FamilyRow kGranite;
extern const FamilyRow kGraniteMoe;
extern const FamilyRow kLlama;
extern const FamilyRow kMistral;
extern const FamilyRow kMixtral;
extern const FamilyRow kMobilebert;
extern const FamilyRow kOpenelm;
extern const FamilyRow kPhi;
extern const FamilyRow kPhi3;
extern const FamilyRow kPhiMsft;
extern const FamilyRow kQwen2;
extern const FamilyRow kQwen3;
extern const FamilyRow kQwen3Moe;
extern const FamilyRow kT5;

}  // namespace terse::architectures
