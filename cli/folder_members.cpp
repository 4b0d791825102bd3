#include "cli/folder_members.h"

#include <algorithm>
#include <tuple>

#include "calibration/encoder_feed.h"
#include "calibration/inputs.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

using calibration::real_inputs;

bool has_input_with(const Graph& graph, std::string_view part) {
  return std::ranges::any_of(real_inputs(graph),
                             [&](ValueId id) { return graph.value(id).name.find(part) != std::string::npos; });
}

bool is_fed_by_encoder(const Graph& graph) {
  return calibration::takes_hidden_states(graph) || has_input_with(graph, ".encoder.");
}

std::tuple<bool, bool, std::string> order_of(const Member& member) {
  const Graph& graph = member.original.graph;
  return {is_fed_by_encoder(graph), has_input_with(graph, "past_key_values"), member.name};
}

/// The encoder in the same folder, if there is one.
Member* find_encoder(std::span<Member> members, const Member& decoder) {
  const auto found = std::ranges::find_if(members, [&](const Member& member) {
    return calibration::gives_hidden_states(member.original.graph) &&
           std::filesystem::path(member.name).parent_path() == std::filesystem::path(decoder.name).parent_path();
  });
  return found == members.end() ? nullptr : &*found;
}

void link_to_encoder(std::span<Member> members, Member& member) {
  const Graph& graph = member.original.graph;
  if (!is_fed_by_encoder(graph)) {
    return;
  }
  if (has_input_with(graph, "past_key_values")) {
    member.why_not_fed = "keys and values of earlier tokens are inputs";
    return;
  }
  Member* encoder = find_encoder(members, member);
  if (encoder == nullptr) {
    member.why_not_fed = "no encoder beside it";
    return;
  }
  encoder->part = Part::encoder;
  member.part = Part::decoder;
  member.encoder = encoder;
}

}  // namespace

std::vector<Member> open_members(const onnx::ModelFolder& folder) {
  std::vector<Member> members(folder.models.size());
  for (size_t i = 0; i < members.size(); ++i) {
    members[i].name = folder.models[i];
    members[i].original = open_model(folder.path / folder.models[i]);
  }
  std::ranges::sort(members, {}, order_of);
  for (Member& member : members) {
    link_to_encoder(members, member);
  }
  return members;
}

namespace {

calibration::Dataset read_member_data(const Member& member, const std::vector<std::string>& files,
                                      const calibration::DataOptions& options) {
  const std::vector<std::filesystem::path> paths(files.begin(), files.end());
  if (member.part == Part::whole) {
    return calibration::read_dataset(member.original, paths, options);
  }
  return calibration::read_dataset(calibration::whole_of(member.original), paths, options);
}

}  // namespace

std::vector<MemberData> read_data(std::span<const Member> members, const std::vector<std::string>& files,
                                  const calibration::DataOptions& options) {
  std::vector<MemberData> data(members.size());
  if (files.empty()) {
    return data;
  }
  std::optional<Error> first;
  for (size_t i = 0; i < members.size(); ++i) {
    data[i].why_none = members[i].why_not_fed;
    if (!data[i].why_none.empty()) {
      continue;
    }
    try {
      data[i].data = read_member_data(members[i], files, options);
    } catch (const Error& error) {
      first = first ? first : error;
      data[i].why_none = error.what();
    }
  }
  if (std::ranges::none_of(data, [](const MemberData& one) { return one.why_none.empty(); })) {
    throw first ? *first : Error(Kind::usage, "none of the models takes data: {}", data.front().why_none);
  }
  return data;
}

}  // namespace terse::cli
