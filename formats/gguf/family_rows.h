#pragma once

#include "formats/gguf/family.h"

namespace terse::gguf {

// The rows of families(), each in a file of families/.

extern const FamilyRow kBert;
extern const FamilyRow kDistilbert;
extern const FamilyRow kGemma;
extern const FamilyRow kGemma2;
extern const FamilyRow kGpt2;
extern const FamilyRow kGranite;
extern const FamilyRow kGraniteMoe;
extern const FamilyRow kLlama;
extern const FamilyRow kMistral;
extern const FamilyRow kMixtral;
extern const FamilyRow kOpenelm;
extern const FamilyRow kPhi;
extern const FamilyRow kPhi3;
extern const FamilyRow kPhiMsft;
extern const FamilyRow kQwen2;
extern const FamilyRow kQwen3;
extern const FamilyRow kQwen3Moe;
extern const FamilyRow kT5;
extern const FamilyRow kT5Encoder;
extern const FamilyRow kT5EncoderGated;
extern const FamilyRow kT5Gated;

}  // namespace terse::gguf
