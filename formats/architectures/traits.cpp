#include "formats/architectures/traits.h"

#include "formats/config.h"

namespace terse::architectures {

Size read_size(const JsonField& config, std::string_view key) { return {get_size(config, key), key}; }

Tie read_tie(const JsonField& config) {
  return config.flag_or("tie_word_embeddings", true) ? Tie::by_default : Tie::never;
}

}  // namespace terse::architectures
