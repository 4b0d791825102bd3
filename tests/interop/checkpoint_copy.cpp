// Reads the weights of a checkpoint and writes them as safetensors, for test_checkpoints.py.
// Usage: checkpoint_copy FOLDER_OR_FILE FOLDER [LARGEST_BYTES]

#include <cstdio>
#include <cstdlib>

#include "formats/error.h"
#include "formats/named_tensors.h"
#include "formats/safetensors/writer.h"

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fputs("usage: checkpoint_copy FOLDER_OR_FILE FOLDER [LARGEST_BYTES]\n", stderr);
    return 2;
  }
  try {
    const terse::NamedTensors weights = terse::read_weights(argv[1]);
    std::vector<terse::StoredTensor> tensors;
    tensors.reserve(weights.tensors.size());
    for (const auto& [name, tensor] : weights.tensors) {
      tensors.push_back(terse::stored_tensor(name, tensor));
    }
    terse::safetensors::FileOptions options{.metadata = weights.metadata};
    if (argc == 4) {
      options.largest_bytes = std::atoll(argv[3]);
    }
    terse::safetensors::write_files(terse::safetensors::plan_files(tensors, options), tensors, argv[2]);
  } catch (const terse::Error& error) {
    std::fprintf(stderr, "checkpoint_copy: %s\n", error.what());
    return 1;
  }
}
