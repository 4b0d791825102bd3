// Encodes rows as blocks, for block_error.py:
//   encode_blocks TYPE COLUMNS NUMBERS.f32 BLOCKS [IMPORTANCE.f32]
// reads rows of COLUMNS floats (and one weight a column), writes their blocks, prints the seconds it took.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "formats/bytes.h"
#include "formats/error.h"
#include "passes/constraints/gguf_blocks.h"

namespace terse::passes {
namespace {

std::vector<float> read_floats(const char* path) {
  const std::string bytes = read_text(path);
  std::vector<float> numbers(bytes.size() / sizeof(float));
  std::memcpy(numbers.data(), bytes.data(), numbers.size() * sizeof(float));
  return numbers;
}

int encode(int count, char** words) {
  if (count < 5) {
    throw Error(Kind::usage, "encode_blocks TYPE COLUMNS NUMBERS.f32 BLOCKS [IMPORTANCE.f32]");
  }
  const auto type = find_block_type(std::string_view(words[1]));
  if (!type || !row(*type).can_encode()) {
    throw Error(Kind::usage, "cannot encode type '{}'", words[1]);
  }
  const int64_t columns = std::strtoll(words[2], nullptr, 10);
  std::vector<float> numbers = read_floats(words[3]);
  const auto importance = count > 5 ? read_floats(words[5]) : std::vector<float>();
  const int64_t rows = static_cast<int64_t>(numbers.size()) / columns;
  const auto start = std::chrono::steady_clock::now();
  BlockConstraint constraint(Encoding{.shape = {rows, columns}, .form = {}}, *type);
  constraint.allocate();
  constexpr int64_t kPanelRows = 32;
  for (int64_t first = 0; first < rows; first += kPanelRows) {
    const int64_t panel = std::min(kPanelRows, rows - first);
    const auto fit = constraint.begin(first, panel);
    const Block block{.values = numbers.data() + first * columns, .rows = panel, .columns = columns, .stride = columns};
    fit->fit(as_const(block), importance);
    fit->snap(block);
  }
  const Encoding encoding = constraint.finish();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  const auto blocks = encoding.blocks()->blocks.bytes();
  write_text(words[4], {reinterpret_cast<const char*>(blocks.data()), blocks.size()});
  std::printf("%.6f\n", seconds.count());
  return 0;
}

}  // namespace
}  // namespace terse::passes

int main(int count, char** words) {
  try {
    return terse::passes::encode(count, words);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
