#include "calibration/generate.h"

#include <algorithm>

#include "calibration/divergence.h"
#include "calibration/evaluate.h"
#include "calibration/inputs.h"
#include "calibration/text_form.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr std::string_view kLogits = "logits";

/// The text so far, as a sample of the model.
Sample sample_of(const Model& model, Sample prompt, const std::string& name, const std::vector<int64_t>& ids) {
  prompt[name] = Tensor::of<int64_t>({1, std::ssize(ids)}, ids);
  complete_sample(model, prompt);
  return prompt;
}

/// The most likely token after the last one.
int64_t next_token(const Tensor& logits) {
  if (logits.rank() != 3 || logits.count() == 0) {
    throw Error(Kind::input, "'{}' has shape {}, expected [1, tokens, vocabulary]", kLogits, to_string(logits.shape()));
  }
  const Tensor floats = to_f32(logits);
  return arg_max(floats.values<float>().last(static_cast<size_t>(logits.shape()[2])));
}

void check_logits(const Graph& graph) {
  const auto id = graph.find(kLogits);
  if (!id || std::ranges::find(graph.main.outputs, *id) == graph.main.outputs.end()) {
    throw Error(Kind::usage, "the model writes no text: it has no output '{}'", kLogits);
  }
}

void check_task(const Model& model, const Executor& executor, const Sample& sample) {
  const Task task = find_task(model, executor, sample);
  if (task != Task::language_model) {
    throw Error(Kind::usage, "the model writes no text: it is a {}", name(task));
  }
}

void check_positions(const Graph& graph, size_t prompt, int64_t tokens) {
  const auto positions = learned_positions(graph);
  if (positions && std::cmp_greater(prompt, *positions - tokens)) {
    throw Error(Kind::usage, "{} tokens of the prompt and {} more are beyond the model's {} positions", prompt, tokens,
                *positions);
  }
}

}  // namespace

std::vector<int64_t> generate(const Model& model, const Sample& prompt, const GenerateOptions& options) {
  check_logits(model.graph);
  const auto* start = find_token_ids(prompt);
  if (start == nullptr || start->second.count() == 0) {
    throw Error(Kind::input, "the prompt has no tokens");
  }
  std::vector<int64_t> ids = to_int64s(start->second);
  const size_t prompt_tokens = ids.size();
  check_positions(model.graph, prompt_tokens, options.tokens);
  const Executor executor(model, {.outputs = {std::string(kLogits)}});
  check_task(model, executor, sample_of(model, prompt, start->first, ids));
  for (int64_t i = 0; i < options.tokens; ++i) {
    const int64_t next = next_token(executor.run(sample_of(model, prompt, start->first, ids)).front());
    if (std::ranges::find(options.end_tokens, next) != options.end_tokens.end()) {
      break;
    }
    ids.push_back(next);
    if (options.token) {
      options.token(next);
    }
  }
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(prompt_tokens));
  return ids;
}

}  // namespace terse::calibration
