#include "passes/encodings_file.h"

#include <algorithm>
#include <array>

#include "formats/error.h"
#include "passes/projection.h"
#include "passes/selection.h"
#include "passes/text.h"

namespace terse::passes {
namespace {

constexpr std::string_view kKeep = "keep";
constexpr std::array<std::string_view, 3> kFloatTypes = {"f16", "bf16", "f32"};

std::vector<std::string_view> known_encodings() {
  std::vector<std::string_view> names;
  for (const BlockTypeRow& type : block_types()) {
    if (type.can_encode()) {
      names.push_back(type.name);
    }
  }
  names.insert(names.end(), kFloatTypes.begin(), kFloatTypes.end());
  names.push_back(kKeep);
  return names;
}

/// The first pass that has the first of these options: "bits=4,block=32".
PassCall parse_options(std::string_view options) {
  constexpr std::array<std::string_view, 3> kPasses = {"quantize", "cluster", "cast"};
  const std::string_view first = trim(options.substr(0, options.find('=')));
  const auto* pass = std::ranges::find_if(
      kPasses, [&](std::string_view name) { return find_option(get_pass(name), first) != nullptr; });
  return parse_pass(fmt::format("{},{}", pass == kPasses.end() ? kPasses.front() : *pass, options));
}

EncodingLine parse_line(std::string_view line) {
  constexpr std::string_view kSpace = " \t";
  const size_t end = line.find_first_of(kSpace);
  EncodingLine result{.weights = std::string(line.substr(0, end))};
  if (end == std::string_view::npos) {
    throw Error(Kind::usage, "'{}' has no encoding, expected WEIGHTS ENCODING", line);
  }
  if (!accepts("<weights>", result.weights) || result.weights.find(',') != std::string::npos) {
    throw Error(Kind::usage, "'{}' is no list of weights: words joined by '+', and '?' for characters that mean more",
                result.weights);
  }
  result.call = parse_encoding(trim(line.substr(end)));
  if (result.call && (result.call->find("only") || result.call->find("except") || result.call->find("layers"))) {
    throw Error(Kind::usage, "an encoding selects no weights: write them in front, with layers as in down@0-3");
  }
  return result;
}

/// Gives a word list more words.
PassCall with_words(const PassCall& call, std::string_view option, std::string_view words) {
  PassCall changed = call;
  std::erase_if(changed.options, [&](const auto& entry) { return entry.first == option; });
  const auto before = call.find(option);
  changed.options.emplace_back(option, before ? fmt::format("{}+{}", *before, words) : std::string(words));
  return parse_pass(to_string(changed));
}

/// A pass that decides what weights become.
bool gives_encodings(const PassCall& call) {
  const PassRow& row = get_pass(call);
  return row.project != nullptr && row.project(Arguments(row, call))->part() != Projection::Part::mask;
}

using Ids = std::vector<ValueId>;

/// The weights that a pass gives encodings to.
Ids selected_by(const PassCall& call, const Graph& graph) {
  if (!gives_encodings(call)) {
    return {};
  }
  const PassRow& row = get_pass(call);
  return with_context(call.name, [&] { return select(graph, Arguments(row, call), row.selects); });
}

Ids find_some(const Graph& graph, std::string_view words) {
  Ids found = find_weights(graph, words);
  if (found.empty()) {
    throw Error(Kind::usage, "'{}' matches no weight", words);
  }
  return found;
}

bool contains(const Ids& ids, ValueId id) { return std::ranges::find(ids, id) != ids.end(); }

bool overlap(const Ids& a, const Ids& b) {
  return std::ranges::any_of(a, [&](ValueId id) { return contains(b, id); });
}

/// A pass with the weights that it gives encodings to, and those that were taken from it.
struct Step {
  PassCall call;
  std::string encoding = {};  ///< the call before it selected anything, of steps that the file adds
  Ids selected = {}, excluded = {};
};

/// Takes weights out of the passes so far; those that have none left go.
void exclude(const EncodingLine& line, const Ids& ids, std::vector<Step>& steps) {
  for (auto step = steps.begin(); step != steps.end();) {
    if (!overlap(step->selected, ids)) {
      ++step;
      continue;
    }
    std::erase_if(step->selected, [&](ValueId id) { return contains(ids, id); });
    step->excluded.insert(step->excluded.end(), ids.begin(), ids.end());
    step->call = with_words(step->call, "except", line.weights);
    step = step->selected.empty() ? steps.erase(step) : step + 1;
  }
}

/// Adds a line's weights to the pass of an earlier line that gives the same encoding, else adds a pass.
void include(const EncodingLine& line, const Ids& ids, std::vector<Step>& steps) {
  const std::string encoding = to_string(*line.call);
  const auto alike = std::ranges::find_if(
      steps, [&](const Step& step) { return step.encoding == encoding && !overlap(step.excluded, ids); });
  if (alike == steps.end()) {
    steps.push_back({.call = with_words(*line.call, "only", line.weights), .encoding = encoding, .selected = ids});
    return;
  }
  alike->call = with_words(alike->call, "only", line.weights);
  alike->selected.insert(alike->selected.end(), ids.begin(), ids.end());
}

std::string block_text(const AffineEncoding& affine, const Encoding& encoding) {
  if (affine.group_rows > 1) {
    return "tensor";
  }
  return affine.group_columns >= encoding.columns() ? "channel" : std::to_string(affine.group_columns);
}

std::string affine_text(const Encoding& encoding, DType original) {
  const AffineEncoding& affine = *encoding.affine();
  std::string text = fmt::format("bits={},block={}", affine.bits, block_text(affine, encoding));
  if (affine.asymmetric) {
    text += ",grid=asymmetric";
  }
  const DType usual = original == DType::bf16 ? DType::bf16 : DType::f16;
  return affine.scale_dtype == usual ? text : fmt::format("{},scale={}", text, name(affine.scale_dtype));
}

std::string codebook_text(const Encoding& encoding) {
  const CodebookEncoding& codebook = *encoding.codebook();
  std::string group = std::to_string(codebook.group_rows);
  if (codebook.group_rows == 1) {
    group = "row";
  } else if (codebook.group_rows == encoding.rows()) {
    group = "tensor";
  }
  const std::string_view table = codebook.centroid_dtype == DType::f32 ? ",table=f32" : "";
  return fmt::format("centroids={},group={}{}", codebook.centroids, group, table);
}

/// What parse_encoding reads as this encoding.
std::string spell(const Encoding& encoding, DType original) {
  if (encoding.affine() != nullptr) {
    return affine_text(encoding, original);
  }
  if (encoding.codebook() != nullptr) {
    return codebook_text(encoding);
  }
  const std::vector<std::string_view> known = known_encodings();
  const std::string text = describe(encoding);
  return std::ranges::find(known, text) == known.end() ? std::string(kKeep) : text;
}

std::string roles_text(const Value& value) {
  std::string text;
  for (const Role& role : value.roles) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", name(role.kind));
    text += role.layer >= 0 ? fmt::format("@{}", role.layer) : "";
  }
  return text.empty() ? text : text + " ";
}

DType dtype_of(const Encoding& encoding) {
  return encoding.dense() != nullptr ? encoding.dense()->dtype : DType::undefined;
}

}  // namespace

std::optional<PassCall> parse_encoding(std::string_view text) {
  if (text.find('=') != std::string_view::npos) {
    return parse_options(text);
  }
  if (text == kKeep) {
    return std::nullopt;
  }
  if (std::ranges::find(kFloatTypes, text) != kFloatTypes.end()) {
    return parse_pass(fmt::format("cast,dtype={}", text));
  }
  const std::vector<std::string_view> known = known_encodings();
  if (std::ranges::find(known, text) == known.end()) {
    throw Error(Kind::usage, "there is no encoding '{}', expected one of {} or options such as bits=4,block=32{}", text,
                fmt::join(known, ", "), suggestion(text, known));
  }
  return parse_pass(fmt::format("quantize,type={}", text));
}

std::string word_for(std::string_view weight) {
  constexpr std::string_view kSpecial = "+,*#@ \t\r\n";  // and the first character of what names a role or group
  std::string word(weight);
  for (char& c : word) {
    c = kSpecial.find(c) == std::string_view::npos ? c : '?';
  }
  if (find_role_kind(word) || std::ranges::find(groups(), word, &GroupRow::name) != groups().end()) {
    word[0] = '?';
  }
  return word;
}

std::vector<EncodingLine> parse_encodings(std::string_view text) {
  std::vector<EncodingLine> result;
  int number = 0;
  for (const std::string_view whole : split(text, '\n')) {
    ++number;
    const std::string_view line = trim(whole.substr(0, whole.find('#')));
    if (!line.empty()) {
      result.push_back(with_context(fmt::format("line {}", number), [&] { return parse_line(line); }));
      result.back().number = number;
    }
  }
  return result;
}

void add_encodings(const std::vector<EncodingLine>& lines, const Graph& graph, Pipeline& pipeline) {
  std::vector<Step> before, added;
  for (const PassCall& call : pipeline.calls) {
    before.push_back({.call = call, .selected = selected_by(call, graph)});
  }
  for (const EncodingLine& line : lines) {
    const Ids ids = with_context(fmt::format("line {}", line.number), [&] { return find_some(graph, line.weights); });
    exclude(line, ids, before);
    exclude(line, ids, added);
    if (line.call) {
      include(line, ids, added);
    }
  }
  pipeline.calls.clear();
  for (const std::vector<Step>& steps : {before, added}) {
    std::ranges::transform(steps, std::back_inserter(pipeline.calls), &Step::call);
  }
}

std::string encodings_text(const Graph& original, const Graph& planned) {
  std::string text;
  for (const ValueId id : matrices(planned)) {
    const Value& value = planned.value(id);
    const auto before = original.find(value.name);
    const EncodingPtr was = before ? original.value(*before).constant : nullptr;
    const std::string encoding =
        was == value.constant || was == nullptr ? std::string(kKeep) : spell(*value.constant, dtype_of(*was));
    text += fmt::format("{} {}  # {}{}\n", word_for(shown_name(value)), encoding, roles_text(value),
                        terse::to_string(value.constant->shape));
  }
  return text;
}

}  // namespace terse::passes
