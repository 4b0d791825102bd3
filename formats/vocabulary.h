#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace terse {

// What a tokenizer's file says, whatever its format: text passes the normalizers, is cut by the pre-tokenizers, and
// each piece is turned into ids by the model. The names are those of Hugging Face's tokenizers. This is data only; what
// it means is written in calibration/tokenizers.

/// What to look for: a text as it stands, or a regular expression in Oniguruma's (Ruby) syntax.
struct TextPattern {
  enum class Kind { literal, regex };
  Kind kind = Kind::literal;
  std::string text;
};

/// What becomes of a match when text is cut: "a-b" cut at "-" gives
enum class SplitBehavior {
  removed,               ///< a b
  isolated,              ///< a - b
  merged_with_previous,  ///< a- b
  merged_with_next,      ///< a -b
  contiguous,            ///< a - b, and neighbouring matches stay together
};

namespace normalizers {

enum class Form { nfc, nfd, nfkc, nfkd };

struct Unicode {
  Form form = Form::nfc;
};
struct Lowercase {};
struct StripAccents {};
struct Strip {
  bool left = true, right = true;
};
struct Bert {
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;
};
struct Prepend {
  std::string text;
};
struct Replace {
  TextPattern pattern;
  std::string content;
};
/// SentencePiece's table of replacements: uint32 bytes of a double-array trie, the trie, NUL-terminated replacements.
struct Precompiled {
  std::string charsmap;
};
struct Nmt {};
struct ByteLevel {};
/// The whole normalizer of a SentencePiece model.
struct SentencePiece {
  std::string charsmap;  ///< empty: none
  bool add_dummy_prefix = true, remove_extra_whitespaces = true, escape_whitespaces = true;
  bool whitespace_as_suffix = false;
};

}  // namespace normalizers

using Normalizer =
    std::variant<normalizers::Unicode, normalizers::Lowercase, normalizers::StripAccents, normalizers::Strip,
                 normalizers::Bert, normalizers::Prepend, normalizers::Replace, normalizers::Precompiled,
                 normalizers::Nmt, normalizers::ByteLevel, normalizers::SentencePiece>;

namespace pre_tokenizers {

struct ByteLevel {
  bool add_prefix_space = true, use_regex = true;
};
struct Split {
  TextPattern pattern;
  SplitBehavior behavior = SplitBehavior::isolated;
  bool invert = false;
};
struct Digits {
  bool individual = false;
};
struct Whitespace {};
struct WhitespaceSplit {};
struct Bert {};
struct Metaspace {
  enum class Prepend { first, never, always };
  std::string replacement = "\u2581";  ///< one character
  Prepend prepend = Prepend::always;
  bool split = true;
};
struct Punctuation {
  SplitBehavior behavior = SplitBehavior::isolated;
};
struct FixedLength {
  int64_t length = 5;  ///< in characters
};

}  // namespace pre_tokenizers

using PreTokenizer = std::variant<pre_tokenizers::ByteLevel, pre_tokenizers::Split, pre_tokenizers::Digits,
                                  pre_tokenizers::Whitespace, pre_tokenizers::WhitespaceSplit, pre_tokenizers::Bert,
                                  pre_tokenizers::Metaspace, pre_tokenizers::Punctuation, pre_tokenizers::FixedLength>;

namespace decoders {

struct ByteLevel {};
struct ByteFallback {};
struct Fuse {};
struct Metaspace {
  std::string replacement = "\u2581";
  bool strip_first = true;  ///< the replacement in front of the text is dropped
};
struct WordPiece {
  std::string prefix = "##";
  bool cleanup = true;
};
struct Strip {
  std::string content;  ///< one character
  int64_t start = 0, stop = 0;
};
struct Replace {
  TextPattern pattern;
  std::string content;
};
struct Bpe {
  std::string suffix = "</w>";
};
/// Encoding works without it; decoding says that it does not.
struct Unsupported {
  std::string name;
};

}  // namespace decoders

using Decoder =
    std::variant<decoders::ByteLevel, decoders::ByteFallback, decoders::Fuse, decoders::Metaspace, decoders::WordPiece,
                 decoders::Strip, decoders::Replace, decoders::Bpe, decoders::Unsupported>;

/// How a model turns a piece into ids.
enum class TokenizerModel {
  bpe,                    ///< merges by rank
  unigram,                ///< the most probable way to cut, in double
  wordpiece,              ///< greedy, the longest first
  wordlevel,              ///< whole pieces
  sentencepiece_bpe,      ///< merges by score
  sentencepiece_unigram,  ///< the most probable way to cut, in float; user-defined symbols always win
};

struct Vocabulary {
  /// A token with an empty text stands for an id that no text has.
  struct Token {
    enum class Kind : uint8_t { normal, unknown, control, user_defined, unused, byte };
    std::string text;
    double score = 0;          ///< the logarithm of its probability, where the model has one
    Kind kind = Kind::normal;  ///< SentencePiece's
  };
  struct Merge {
    int32_t left = 0, right = 0, merged = 0;
  };
  /// A token that is found in the text before the model sees it.
  struct AddedToken {
    int32_t id = 0;
    std::string content;
    bool single_word = false;  ///< not as part of a word
    bool lstrip = false;       ///< takes the white space on its left with it
    bool rstrip = false;       ///< ... on its right
    bool normalized = false;   ///< looked for in the normalized text
    bool special = false;
  };
  struct Truncation {
    enum class Side { left, right };
    int64_t max_length = 0;  ///< tokens, special ones included
    Side side = Side::right;
  };

  TokenizerModel model = TokenizerModel::bpe;
  std::vector<Token> tokens;  ///< by id
  std::vector<Merge> merges;  ///< by rank
  std::optional<int32_t> unknown;
  bool byte_fallback = false;  ///< an unknown character becomes the tokens <0x00> to <0xFF> of its bytes
  bool fuse_unknown = false;
  bool ignore_merges = false;  ///< a piece that is a token stays whole
  std::string continuing_subword_prefix, end_of_word_suffix;
  int64_t max_word_characters = 100;

  std::vector<AddedToken> added;
  std::vector<Normalizer> normalizers;
  std::vector<PreTokenizer> pre_tokenizers;
  std::vector<Decoder> decoders;
  std::string unknown_surface;          ///< SentencePiece: what an unknown token looks like in a text
  std::vector<int32_t> prefix, suffix;  ///< special tokens around a text
  std::optional<Truncation> truncation;
};

/// Reads a tokenizer from a file, or from a folder that has one: tokenizer.json, else a SentencePiece model, else
/// vocab.txt, else vocab.json with merges.txt. What tokenizer_config.json beside it says counts for all but the first.
/// A GGUF file gives the tokenizer of its metadata.
/// Errors: io; input, with the file's name; unsupported, for a part that terse does not know.
Vocabulary read_vocabulary(const std::filesystem::path& path);

/// Whether a file's name is one of those that `read_vocabulary` reads; a GGUF file must also have a tokenizer in it.
bool is_tokenizer_file(const std::filesystem::path& path);

/// Whether a folder has one of the files that `read_vocabulary` reads; and their names, for errors.
bool has_tokenizer(const std::filesystem::path& folder);
std::string tokenizer_file_names();

/// Error input if an id is used that is not there, or a merge is not of its parts.
void validate(const Vocabulary& vocabulary);

/// More ids than any tokenizer has; what a hostile file may make terse allocate.
inline constexpr int64_t kMostTokens = int64_t{1} << 21;

}  // namespace terse
