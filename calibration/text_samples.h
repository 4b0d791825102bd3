#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "calibration/executor.h"
#include "calibration/tokenizers/tokenizer.h"
#include "formats/model.h"
#include "formats/text_settings.h"

namespace terse::calibration {

// Text as samples of a model (see text_form.h for which model gets which form):
//   windows  All documents of a file, each with the special tokens that the tokenizer puts in front of a text, are one
//            stream of tokens. It is cut into windows without overlap, a shorter rest is dropped. If the tokenizer
//            begins texts with special tokens (BOS), they take the place of each window's first ones: the rule of
//            llama.cpp's perplexity tool.
//   lines    A document a sample, with its special tokens, cut off behind the greatest length. Blank lines of a .txt
//            file do not count.
//   halves   Windows of the stream, without special tokens. A window's first half goes to the encoder, with the
//            special tokens of a text in the place of its first and last ones; its second half goes to the decoder,
//            behind the start token and without its last one.
// A conversation (see formats/documents.h) is written out by the checkpoint's chat template; its text gets no special
// tokens beside those that the template has written.

struct TextOptions {
  std::filesystem::path tokenizer;  ///< its file or folder
  std::optional<int64_t> seq_len;  ///< tokens a sample; absent: 512, or 64 for lines, or fewer if the model takes fewer
};

/// A sample made of text.
struct TextSample {
  Sample sample;                 ///< without the inputs that complete_sample adds
  std::optional<int64_t> label;  ///< its document's
};

/// The folders whose JSON files speak of a model and its tokenizer, or GGUF files: see read_text_settings.
std::vector<std::filesystem::path> setting_folders(const Model& model, const std::filesystem::path& tokenizer);

/// A text that a language model is to continue: its tokens behind the special ones that a text begins with; of an
/// encoder-decoder all of them for the encoder, and the start token for the decoder.
/// Error input if that start token is not known, or the model's table does not have a token.
Sample prompt_sample(const Model& model, const Tokenizer& tokenizer, const TextSettings& settings,
                     std::string_view text);

/// Reads texts for one model. The tokenizer is opened at once, the model run once for the first file.
/// Errors: io; input or unsupported with the file, for a tokenizer; input, with the file and where it has them the
/// line, for texts, and for tokens that the model's table does not have; usage for a length that the model cannot take.
class TextReader {
 public:
  TextReader(const Model& model, const TextOptions& options);
  ~TextReader();
  TextReader(const TextReader&) = delete;
  TextReader& operator=(const TextReader&) = delete;

  /// Gives the samples of a file in order, until `visit` says false.
  void read(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit);

  /// How the samples read so far were made, in words; empty before the first.
  const std::string& rule() const;

  /// The id of the tokenizer's mask token, if it has one.
  std::optional<int64_t> mask_token() const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace terse::calibration
