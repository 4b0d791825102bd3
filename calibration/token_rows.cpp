#include "calibration/token_rows.h"

#include <array>
#include <string_view>

namespace terse::calibration {
namespace {

/// The inputs that say what the rows of an output are; the decoder's where there is one.
struct TokenInputs {
  std::string_view ids, mask;
};
constexpr std::array<TokenInputs, 2> kTokenInputs = {{
    {"decoder_input_ids", "decoder_attention_mask"},
    {"input_ids", "attention_mask"},
}};

const Tensor* find(const Sample& sample, std::string_view name) {
  const auto found = sample.find(name);
  return found == sample.end() ? nullptr : &found->second;
}

std::vector<int64_t> to_whole_numbers(const Tensor& mask) {
  if (!is_float(mask.dtype())) {
    return to_int64s(mask);
  }
  const Tensor floats = to_f32(mask);
  return {floats.values<float>().begin(), floats.values<float>().end()};
}

}  // namespace

TextPositions::TextPositions(const Sample& sample, int64_t batch, int64_t tokens) : tokens_(tokens) {
  for (const auto& [ids, mask] : kTokenInputs) {
    if (find(sample, ids) == nullptr) {
      continue;
    }
    const Tensor* tensor = find(sample, mask);
    if (tensor != nullptr && tensor->shape() == Shape{batch, tokens}) {
      kept_ = to_whole_numbers(*tensor);
    }
    return;
  }
}

std::vector<int64_t> TextPositions::of(int64_t sequence) const {
  std::vector<int64_t> positions;
  for (int64_t token = 0; token < tokens_; ++token) {
    if (is_text(sequence, token)) {
      positions.push_back(token);
    }
  }
  return positions;
}

const Sample::value_type* find_token_ids(const Sample& sample) {
  for (const TokenInputs& inputs : kTokenInputs) {
    if (const auto found = sample.find(inputs.ids); found != sample.end()) {
      return &*found;
    }
  }
  return nullptr;
}

}  // namespace terse::calibration
