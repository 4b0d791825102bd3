#include "calibration/text_samples.h"

#include <algorithm>
#include <array>

#include "calibration/conversations.h"
#include "calibration/inputs.h"
#include "calibration/text_form.h"
#include "formats/documents.h"
#include "formats/error.h"

namespace terse::calibration {
namespace {

constexpr int64_t kWindowTokens = 512;
constexpr int64_t kLineTokens = 64;
constexpr std::string_view kMaskToken = "[MASK]";  // where no tokenizer_config.json says another

using Ids = std::vector<int32_t>;

std::optional<int64_t> least(std::optional<int64_t> a, std::optional<int64_t> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

void check_table(const Model& model, const Tokenizer& tokenizer, std::span<const int32_t> ids) {
  const auto table = find_vocabulary(model.graph, "input_ids");
  for (const int32_t id : ids) {
    if (table && id >= *table) {
      throw Error(Kind::input,
                  "token id {} of the tokenizer, which has {} tokens, is not in the model's table of {}: it is another "
                  "model's tokenizer",
                  id, tokenizer.size(), *table);
    }
  }
}

int32_t decoder_start(const TextSettings& settings) {
  if (!settings.decoder_start_token) {
    throw Error(Kind::input,
                "no 'decoder_start_token_id' in config.json or generation_config.json beside the model or the "
                "tokenizer: the decoder's first token is not known");
  }
  return static_cast<int32_t>(*settings.decoder_start_token);
}

}  // namespace

std::vector<std::filesystem::path> setting_folders(const Model& model, const std::filesystem::path& tokenizer) {
  const auto folder_of = [](const std::filesystem::path& path) {
    return std::filesystem::is_directory(path) || path.extension() == ".gguf" ? path : path.parent_path();
  };
  return {folder_of(model.path), folder_of(tokenizer)};
}

Sample prompt_sample(const Model& model, const Tokenizer& tokenizer, const TextSettings& settings,
                     std::string_view text) {
  const bool has_decoder = is_encoder_decoder(model.graph);
  Ids ids = tokenizer.encode(text);
  ids.resize(ids.size() - (has_decoder ? 0 : tokenizer.suffix().size()));
  check_table(model, tokenizer, ids);
  Sample sample = {{"input_ids", to_ids_tensor(ids)}};
  if (has_decoder) {
    sample.emplace("decoder_input_ids", to_ids_tensor(std::array{decoder_start(settings)}));
  }
  return sample;
}

class TextReader::Parts {
 public:
  Parts(const Model& model, const TextOptions& options)
      : model_(model),
        tokenizer_(open_tokenizer(options.tokenizer)),
        settings_(read_text_settings(setting_folders(model, options.tokenizer))),
        asked_(options.seq_len),
        conversations_(settings_) {}

  void read(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit) {
    choose_form(path);
    (this->*row().read)(path, visit);
  }

  const std::string& rule() const { return rule_; }

  std::optional<int64_t> mask_token() const {
    const auto found = settings_.special_tokens.find("mask_token");
    return tokenizer_->find(found == settings_.special_tokens.end() ? kMaskToken : found->second);
  }

 private:
  struct FormRow {
    TextForm form;
    int64_t tokens;  ///< a sample, if nothing else is said
    std::string_view unit;
    void (Parts::*read)(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit);
    std::string (Parts::*rule)() const;
  };
  static const std::array<FormRow, 3> kForms;
  const FormRow& row() const { return kForms.at(static_cast<size_t>(*form_)); }

  Ids encode(const Document& document, SpecialTokens special_tokens) const;
  void choose_form(const std::filesystem::path& path);
  void choose_length();
  void read_windows(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit);
  void read_lines(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit);
  void read_halves(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit);
  void cut(const std::filesystem::path& path, SpecialTokens special_tokens,
           const std::function<bool(std::span<int32_t> window)>& visit);
  void check_room(size_t special_tokens, int64_t tokens) const;
  std::string windows_rule() const;
  std::string lines_rule() const;
  std::string halves_rule() const;
  std::string special_text(std::span<const int32_t> ids) const { return tokenizer_->decode(ids, SpecialTokens::add); }

  const Model& model_;
  std::unique_ptr<const Tokenizer> tokenizer_;
  TextSettings settings_;
  std::optional<int64_t> asked_;
  Conversations conversations_;
  std::optional<TextForm> form_;
  int64_t seq_len_ = 0;
  std::string rule_;
};

const std::array<TextReader::Parts::FormRow, 3> TextReader::Parts::kForms = {{
    {TextForm::windows, kWindowTokens, "windows", &Parts::read_windows, &Parts::windows_rule},
    {TextForm::lines, kLineTokens, "samples", &Parts::read_lines, &Parts::lines_rule},
    {TextForm::halves, kWindowTokens, "windows", &Parts::read_halves, &Parts::halves_rule},
}};

/// The tokens of a text and those that the tokenizer puts in front; what it puts behind is left to the forms.
Ids TextReader::Parts::encode(const Document& document, SpecialTokens special_tokens) const {
  Ids ids;
  if (special_tokens == SpecialTokens::add && document.form == Document::Form::plain) {
    ids.assign(tokenizer_->prefix().begin(), tokenizer_->prefix().end());
  }
  const Ids text = tokenizer_->encode(document.text, {.special_tokens = SpecialTokens::leave_out});
  ids.insert(ids.end(), text.begin(), text.end());
  check_table(model_, *tokenizer_, ids);
  return ids;
}

/// Looks at the first line of text, if it is not known yet what the model is for.
void TextReader::Parts::choose_form(const std::filesystem::path& path) {
  if (form_) {
    return;
  }
  Ids first;
  read_documents(
      path, TextUnit::line, [&](std::string_view messages) { return conversations_.write(messages); },
      [&](const Document& document) {
        first = encode(document, SpecialTokens::add);
        return first.empty();
      });
  form_ = find_text_form(model_, first);
  choose_length();
  rule_ = (this->*row().rule)();
}

void TextReader::Parts::choose_length() {
  std::optional<int64_t> most = learned_positions(model_.graph);
  if (form_ == TextForm::lines) {
    most = least(most, settings_.max_tokens);
  }
  if (const auto declared = declared_tokens(model_.graph); declared && form_ != TextForm::halves) {
    most = least(most, declared);
  }
  if (form_ == TextForm::halves && most) {
    most = *most * 2;
  }
  const int64_t wanted = asked_.value_or(row().tokens);
  if (asked_ && most && wanted > *most && form_ != TextForm::lines) {
    throw Error(Kind::usage, "{} of {} tokens are longer than the model's {}: give a --seq-len of {} at most",
                row().unit, wanted, *most, *most);
  }
  seq_len_ = std::min(wanted, most.value_or(wanted));
}

void TextReader::Parts::check_room(size_t special_tokens, int64_t tokens) const {
  if (static_cast<int64_t>(special_tokens) >= tokens) {
    throw Error(Kind::usage, "{} special tokens leave no room for text in {} tokens", special_tokens, tokens);
  }
}

/// Calls back with each window of a file's stream. Of the tokens, only those of the current window and of the current
/// document are held.
void TextReader::Parts::cut(const std::filesystem::path& path, SpecialTokens special_tokens,
                            const std::function<bool(std::span<int32_t> window)>& visit) {
  const auto length = static_cast<size_t>(seq_len_);
  Ids stream;
  int64_t tokens = 0;
  bool more = true;
  read_documents(
      path, TextUnit::file, [&](std::string_view messages) { return conversations_.write(messages); },
      [&](const Document& document) {
        const Ids ids = encode(document, special_tokens);
        stream.insert(stream.end(), ids.begin(), ids.end());
        tokens += std::ssize(ids);
        size_t done = 0;
        for (; more && stream.size() - done >= length; done += length) {
          more = visit(std::span(stream).subspan(done, length));
        }
        stream.erase(stream.begin(), stream.begin() + static_cast<std::ptrdiff_t>(done));
        return more;
      });
  if (tokens < seq_len_) {
    throw Error(Kind::input, "{}: {} tokens are less than one window of {}", path.string(), tokens, seq_len_);
  }
}

void TextReader::Parts::read_windows(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit) {
  check_room(tokenizer_->prefix().size(), seq_len_);
  cut(path, SpecialTokens::add, [&](std::span<int32_t> window) {
    std::ranges::copy(tokenizer_->prefix(), window.begin());
    return visit({.sample = {{"input_ids", to_ids_tensor(window)}}, .label = {}});
  });
}

void TextReader::Parts::read_lines(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit) {
  check_room(tokenizer_->prefix().size() + tokenizer_->suffix().size(), seq_len_);
  read_documents(
      path, TextUnit::line, [&](std::string_view messages) { return conversations_.write(messages); },
      [&](const Document& document) {
        Ids ids = encode(document, SpecialTokens::add);
        const bool is_plain = document.form == Document::Form::plain;
        const auto behind = is_plain ? tokenizer_->suffix() : std::span<const int32_t>{};
        ids.resize(std::min(ids.size(), static_cast<size_t>(seq_len_) - behind.size()));
        ids.insert(ids.end(), behind.begin(), behind.end());
        return ids.empty() || visit({.sample = {{"input_ids", to_ids_tensor(ids)}}, .label = document.label});
      });
}

void TextReader::Parts::read_halves(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit) {
  const auto before = tokenizer_->prefix(), behind = tokenizer_->suffix();
  const auto half = static_cast<size_t>(seq_len_ / 2);
  check_room(before.size() + behind.size(), seq_len_ / 2);
  const int32_t start = decoder_start(settings_);
  cut(path, SpecialTokens::leave_out, [&](std::span<int32_t> window) {
    const auto encoder = window.first(half);
    std::ranges::copy(before, encoder.begin());
    std::ranges::copy(behind, encoder.end() - std::ssize(behind));
    Ids decoder = {start};
    decoder.insert(decoder.end(), window.begin() + static_cast<std::ptrdiff_t>(half),
                   window.begin() + static_cast<std::ptrdiff_t>(2 * half - 1));
    return visit({.sample = {{"input_ids", to_ids_tensor(encoder)}, {"decoder_input_ids", to_ids_tensor(decoder)}},
                  .label = {}});
  });
}

std::string TextReader::Parts::windows_rule() const {
  const auto bos = tokenizer_->prefix();
  return fmt::format("windows of {} tokens without overlap{}", seq_len_,
                     bos.empty() ? "" : fmt::format(", '{}' in place of each one's first", special_text(bos)));
}

std::string TextReader::Parts::lines_rule() const {
  return fmt::format("texts of at most {} tokens, special tokens included", seq_len_);
}

std::string TextReader::Parts::halves_rule() const {
  return fmt::format(
      "windows of {} tokens without overlap, half for the encoder and half, behind token {}, for the decoder", seq_len_,
      settings_.decoder_start_token.value_or(-1));
}

TextReader::TextReader(const Model& model, const TextOptions& options)
    : parts_(std::make_unique<Parts>(model, options)) {}

TextReader::~TextReader() = default;

void TextReader::read(const std::filesystem::path& path, const std::function<bool(TextSample)>& visit) {
  parts_->read(path, visit);
}

const std::string& TextReader::rule() const { return parts_->rule(); }

std::optional<int64_t> TextReader::mask_token() const { return parts_->mask_token(); }

}  // namespace terse::calibration
