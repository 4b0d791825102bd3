#include "calibration/probes.h"

#include "calibration/token_rows.h"

namespace terse::calibration {
namespace {

/// The token ids of a sample, and which of them may be changed.
struct Text {
  explicit Text(const Sample& sample) {
    const auto* input = find_token_ids(sample);
    if (input == nullptr || input->second.rank() != 2) {
      return;
    }
    name = input->first;
    shape = input->second.shape();
    ids = to_int64s(input->second);
    const TextPositions text(sample, shape[0], shape[1]);
    for (int64_t sequence = 0; sequence < shape[0]; ++sequence) {
      auto tokens = text.of(sequence);
      if (tokens.size() > 2) {
        inner.push_back({sequence, {tokens.begin() + 1, tokens.end() - 1}});
      }
    }
  }

  int64_t& id(int64_t sequence, int64_t token) { return ids[static_cast<size_t>(sequence * shape[1] + token)]; }

  struct Sequence {
    int64_t index = 0;
    std::vector<int64_t> tokens;  ///< behind the first and before the last
  };

  std::string name;
  Shape shape;
  std::vector<int64_t> ids;
  std::vector<Sequence> inner;
};

Sample with_ids(Sample sample, const Text& text) {
  sample[text.name] = Tensor::of<int64_t>(text.shape, text.ids);
  return sample;
}

Probe mask_every_seventh(const Sample& sample, Text text, int64_t mask_token, size_t first) {
  std::vector<Place> places;
  for (const Text::Sequence& sequence : text.inner) {
    for (size_t i = first; i < sequence.tokens.size(); i += kOneTokenIn) {
      int64_t& id = text.id(sequence.index, sequence.tokens[i]);
      places.push_back({.sequence = sequence.index, .token = sequence.tokens[i], .label = id});
      id = mask_token;
    }
  }
  return {.sample = with_ids(sample, text), .places = std::move(places)};
}

}  // namespace

std::vector<Probe> mask_tokens(const Sample& sample, int64_t mask_token) {
  const Text text(sample);
  std::vector<Probe> probes;
  for (size_t first = 0; first < kOneTokenIn; ++first) {
    Probe probe = mask_every_seventh(sample, text, mask_token, first);
    if (!probe.places.empty()) {
      probes.push_back(std::move(probe));
    }
  }
  return probes;
}

Probe replace_tokens(const Sample& sample) {
  const Text original(sample);
  Text text = original;
  std::vector<Place> places;
  for (const Text::Sequence& sequence : original.inner) {
    const size_t count = sequence.tokens.size();
    for (size_t i = 0; i < count; ++i) {
      int64_t& id = text.id(sequence.index, sequence.tokens[i]);
      const int64_t before = id;
      if (i % kOneTokenIn == kOneTokenIn / 2) {
        const auto other = static_cast<size_t>(sequence.tokens[(i + count / 2) % count]);
        id = original.ids[static_cast<size_t>(sequence.index * text.shape[1]) + other];
      }
      places.push_back({.sequence = sequence.index, .token = sequence.tokens[i], .label = id != before ? 1 : 0});
    }
  }
  return {.sample = with_ids(sample, text), .places = std::move(places)};
}

}  // namespace terse::calibration
