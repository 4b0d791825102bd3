#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "formats/architectures/stacks.h"
#include "formats/architectures/weights.h"
#include "formats/json_fields.h"
#include "formats/model.h"

namespace terse::architectures {

// A checkpoint has only weights: its graph is built from what config.json says, by a row a family over three builders
// (decoder.h, encoder.h, encoder_decoder.h). A row reads its family's configuration keys into the traits of a builder
// and says how its tensors are called; it makes no nodes.

/// What the model is used for: what stands behind its last layer, and what its outputs are called.
enum class Head {
  features,                  ///< last_hidden_state, and pooler_output where the family has a pooler
  causal_lm,                 ///< logits [batch, tokens, vocabulary]
  masked_lm,                 ///< logits [batch, tokens, vocabulary]
  replaced_token_detection,  ///< logits [batch, tokens]
  sequence_to_sequence_lm,   ///< logits [batch, decoder tokens, vocabulary]
  sequence_classification,   ///< logits [batch, classes]
  token_classification,      ///< logits [batch, tokens, classes]
};

/// One class name of config.json's `architectures`.
struct HeadRow {
  std::string_view architecture;  ///< "LlamaForCausalLM"
  Head head = Head::features;
  std::string_view signature;  ///< a tensor of this head alone: tells it where config.json has no `architectures`
};

struct FamilyRow {
  std::string_view model_type;  ///< as config.json has it: "llama"
  std::span<const HeadRow>
      heads;  ///< those with signatures in the order in which they are looked for; last the plain model
  std::string_view
      signature;  ///< the end of a tensor's name that tells the family in files without model_type; may be empty
  std::string_view prefix;  ///< of the model without its head, missing in some files: "bert."
  /// What is in the names of tensors that files of the family carry and no model computes with: ".attn.masked_bias".
  std::span<const std::string_view> ignored;
  std::span<const StackRow> stacks = {};  ///< tensors that hold the matrices of all experts
  const ExpertNames* experts = nullptr;   ///< of families that have some
  Graph (*build)(const JsonField& config, Weights& weights, Head head, const OpenOptions& options);
};

std::span<const FamilyRow* const> families();
const FamilyRow& get_family(std::string_view model_type);

/// Builds the model of a checkpoint: graph in canonical form (weights [out, in], `transB = 1`) at opset 23, inputs and
/// outputs named as transformers' exporters name them, all arithmetic f32; roles not yet assigned.
/// Errors: input if config.json is broken, contradicts the weights (both are named), or tensors are missing or left
///         over (all are listed); unsupported for an unknown family (lists those known) or head.
Model build(const std::filesystem::path& folder, std::string config, NamedTensors tensors, const OpenOptions& options);

}  // namespace terse::architectures
