#include "cli/compress_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "calibration/calibration_check.h"
#include "calibration/encoder_feed.h"
#include "calibration/smoke.h"
#include "cli/console.h"
#include "cli/folder_members.h"
#include "cli/interrupts.h"
#include "cli/progress.h"
#include "cli/signature.h"
#include "cli/table.h"
#include "cli/tokenizer_path.h"
#include "cli/units.h"
#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

namespace fs = std::filesystem;

struct Run {
  const FolderOptions& options;
  const onnx::ModelFolder& folder;
  const FormatRow& format;
  Phases& phases;
  Progress& progress;
  std::vector<Member>& members;
  passes::SolvedWeights solved = {};
};

int64_t bytes_of(const onnx::ModelFolder& folder) {
  int64_t bytes = 0;
  for (const std::string& name : folder.others) {
    bytes += static_cast<int64_t>(fs::file_size(folder.path / name));
  }
  return bytes;
}

/// Models only: what lies beside them stays as it is.
int64_t bytes_before(const std::vector<Member>& members) {
  int64_t bytes = 0;
  for (const Member& member : members) {
    bytes += member.original.file_bytes;
  }
  return bytes;
}

int64_t bytes_after(const std::vector<Member>& members) {
  int64_t bytes = 0;
  for (const Member& member : members) {
    bytes += member.layout.total_bytes();
  }
  return bytes;
}

void plan(const Run& run, const ChosenPipeline& chosen, Member& member) {
  member.pipeline = chosen.for_graph(member.original.graph);
  Model planned = copy_of(member.original);
  with_context(member.name, [&] { run_pipeline(member.pipeline, planned, {.plan_only = true}); });
  sign(planned, to_string(member.pipeline), run.options.seed);
  const WriteOptions write_options = run.options.output.write_options();
  // Beside OUT, whose old files have no say in the names of new ones.
  member.layout = run.format.layout(planned, fs::path(run.options.output.path + ".new") / member.name, write_options);
}

void check_size(const FolderOptions& options, const std::vector<Member>& members) {
  const int64_t bytes = bytes_after(members);
  if (!options.max_size.empty() && bytes > parse_size(options.max_size)) {
    throw Error(Kind::unsupported,
                "--max-size {}: this pipeline gives {} bytes in {} models, and smaller encodings are searched for "
                "single models only",
                options.max_size, format_count(bytes), members.size());
  }
}

/// The samples as the member takes them: of a decoder, with what the compressed encoder makes of them.
std::vector<calibration::Sample> samples_for(const Member& member, calibration::Dataset data) {
  std::optional<calibration::EncoderFeed> feed;
  if (member.part == Part::decoder && !data.samples.empty()) {
    feed.emplace(member.encoder->written);
  }
  for (calibration::Sample& sample : data.samples) {
    sample = feed ? feed->feed(member.original, sample) : calibration::adapt_sample(member.original, sample);
  }
  return std::move(data.samples);
}

Model run_passes(Run& run, Member& member, const std::vector<calibration::Sample>& samples) {
  Model model = copy_of(member.original);
  member.result.passes =
      run_pipeline(member.pipeline, model,
                   {.samples = samples.empty() ? nullptr : &samples,
                    .statistics = nullptr,
                    .progress = [&](std::string_view what, double done) { run.progress.update(what, done); }});
  member.taken = run.solved.take(member.original.graph, model.graph);
  run.solved.add(member.original.graph, model.graph, member.name);
  sign(model, to_string(member.pipeline), run.options.seed);
  return model;
}

void compress_member(Run& run, Member& member, const fs::path& out, calibration::Dataset data) {
  const auto samples = run.phases.time("feed", [&] { return samples_for(member, std::move(data)); });
  const Model model = run.phases.time("passes", [&] { return run_passes(run, member, samples); });
  run.phases.time("write", [&] {
    fs::create_directories((out / member.name).parent_path());
    run.format.write(model, out / member.name, run.options.output.write_options());
  });
  member.written = run.phases.time("read back", [&] { return open_model(out / member.name); });
  member.result.pipeline = to_string(member.pipeline);
  member.result.seed = run.options.seed;
  member.result.before = facts_of(member.original);
  member.result.after = facts_of(member.written);
  member.result.after.path = (fs::path(run.options.output.path) / member.name).string();
  member.result.files = member.layout.files;
  calibration::SmokeTest smoke(member.original);
  run.phases.time("smoke check", [&] {
    smoke.run_original();
    member.result.smoke = smoke.check(member.written);
  });
}

void evaluate_member(Run& run, Member& member, const calibration::Dataset& data) {
  const Member* encoder = member.encoder;
  try {
    member.result.evaluation =
        calibration::evaluate(member.written, &member.original, data,
                              {.score = run.options.evaluation.score_rule(),
                               .encoder = encoder == nullptr ? nullptr : &encoder->written,
                               .reference_encoder = encoder == nullptr ? nullptr : &encoder->original,
                               .progress = [&](double done) { run.progress.update("evaluate " + member.name, done); }});
  } catch (const Error& error) {
    member.result.failure = error;
  }
}

void evaluate_members(Run& run, const std::vector<MemberData>& data) {
  run.phases.time("evaluate", [&] {
    for (size_t i = 0; i < run.members.size(); ++i) {
      if (!data[i].data.samples.empty()) {
        evaluate_member(run, run.members[i], data[i].data);
      }
    }
  });
}

void copy_others(const Run& run, const fs::path& out) {
  for (const std::string& name : run.folder.others) {
    fs::create_directories((out / name).parent_path());
    AtomicFile file(out / name);
    file.write(MappedFile::open(run.folder.path / name)->bytes());
    file.commit();
  }
}

std::string line(std::string_view label, const std::string& value) { return fmt::format("{:<28} {}\n", label, value); }

std::string taken_text(const passes::SolvedWeights::Taken& taken) {
  std::vector<std::string> parts;
  for (const auto& [owner, weights] : taken) {
    parts.push_back(fmt::format("{} of {}", weights, owner));
  }
  return parts.empty() ? "" : fmt::format("{}", fmt::join(parts, ", "));
}

std::string models_text(const std::vector<Member>& members) {
  Table table({"model", ">before", ">after", "same weights"});
  for (const Member& member : members) {
    table.add({member.name, format_size(member.original.file_bytes), format_size(member.layout.total_bytes()),
               taken_text(member.taken)});
  }
  return table.text() + "\n";
}

std::string size_text(const Run& run) {
  const int64_t before = bytes_before(run.members), after = bytes_after(run.members);
  return line("size of the models",
              fmt::format("{} -> {}, {:.2f} times smaller", format_size(before), format_size(after),
                          static_cast<double>(before) / static_cast<double>(after))) +
         line("files beside them", fmt::format("{}, {}", run.folder.others.size(), format_size(bytes_of(run.folder))));
}

std::string result_text(const Run& run) {
  std::string text = models_text(run.members) + size_text(run);
  for (const Member& member : run.members) {
    text += line("smoke check", member.name + ": " + smoke_text(member.result.smoke));
  }
  for (const Member& member : run.members) {
    if (member.result.evaluation) {
      text += line("measured", member.name) + to_text(*member.result.evaluation);
    }
  }
  return text + line("time", format_seconds(run.phases.total_seconds())) +
         line("peak memory", format_size(peak_memory_bytes()));
}

/// The evaluation that gates look at: of the last model, which what comes before it feeds.
const Member* last_evaluated(const std::vector<Member>& members) {
  const auto found = std::ranges::find_if(members.rbegin(), members.rend(),
                                          [](const Member& member) { return member.result.evaluation.has_value(); });
  return found == members.rend() ? nullptr : &*found;
}

Json make_report(const Run& run) {
  Json report = begin_report("compress");
  const int64_t before = bytes_before(run.members), after = bytes_after(run.members);
  report["model"] = {{"path", run.options.output.path}, {"format", run.format.name}, {"bytes", after}};
  report["model"]["ratio"] = static_cast<double>(before) / static_cast<double>(after);
  report["reference"] = {{"path", run.options.model}, {"format", run.format.name}, {"bytes", before}};
  if (const Member* last = last_evaluated(run.members)) {
    report["evaluation"] = to_json(*last->result.evaluation, run.options.evaluation);
  }
  report["phases"] = run.phases.json();
  report["seconds"] = run.phases.total_seconds();
  report["peak_memory_bytes"] = peak_memory_bytes();
  for (const Member& member : run.members) {
    Json model = make_report(member.result, run.options.evaluation, run.phases);
    for (const char* of_the_run : {"schema", "command", "version", "phases", "seconds", "peak_memory_bytes"}) {
      model.erase(of_the_run);
    }
    model["name"] = member.name;
    model["taken_over"] = member.taken;
    if (!member.why_no_data.empty()) {
      model["without_data"] = member.why_no_data;
    }
    report["models"].push_back(std::move(model));
  }
  return report;
}

void say_what_is_not_fed(Run& run, const std::vector<MemberData>& data, const Context& context) {
  for (size_t i = 0; i < data.size(); ++i) {
    run.members[i].why_no_data = data[i].why_none;
    if (!context.options.quiet && !data[i].why_none.empty()) {
      print_message(fmt::format("note: {}: without data: {}", run.members[i].name, data[i].why_none));
    }
  }
}

void check_samples(const std::vector<MemberData>& data) {
  for (const MemberData& one : data) {
    if (!one.data.samples.empty()) {
      with_context("--data", [&] { calibration::check_calibration(one.data); });
    }
  }
}

void throw_failures(const std::vector<Member>& members) {
  for (const Member& member : members) {
    if (member.result.failure) {
      throw *member.result.failure;
    }
  }
}

calibration::DataOptions calibration_options(const FolderOptions& options, const fs::path& tokenizer) {
  return {.samples = options.samples, .seq_len = options.seq_len, .tokenizer = tokenizer, .labels = {}};
}

void do_all(Run& run, const fs::path& tokenizer, const Context& context) {
  const FolderOptions& options = run.options;
  auto data = run.phases.time(
      "data", [&] { return read_data(run.members, options.data, calibration_options(options, tokenizer)); });
  const auto measured = run.phases.time("data", [&] {
    return read_data(run.members, options.evaluation.files, options.evaluation.data_options(tokenizer));
  });
  check_samples(data);
  say_what_is_not_fed(run, data, context);
  AtomicFolder out(options.output.path);
  for (size_t i = 0; i < run.members.size(); ++i) {
    with_context(run.members[i].name,
                 [&] { compress_member(run, run.members[i], out.temporary(), std::move(data[i].data)); });
  }
  copy_others(run, out.temporary());
  evaluate_members(run, measured);
  out.commit();
}

}  // namespace

ExitCode compress_folder(const FolderOptions& options, const onnx::ModelFolder& folder, const Context& context) {
  const FormatRow& format = check_output_folder(options.output, folder);
  context.interrupts.will_write(options.output.path);
  if (!options.report.empty()) {
    check_report_path("--report", options.report, {options.model, options.output.path});
    context.interrupts.will_write(options.report);
  }
  const ChosenPipeline chosen = read_pipeline(options.pipeline, format);
  std::vector<std::string> files = options.evaluation.files;
  files.insert(files.end(), options.data.begin(), options.data.end());
  const auto tokenizer = find_tokenizer_for(files, options.model, context.options);
  Phases phases;
  Progress progress(context.options);
  auto members = phases.time("read", [&] { return open_members(folder); });
  Run run{options, folder, format, phases, progress, members};
  for (Member& member : members) {
    plan(run, chosen, member);
  }
  check_size(options, members);
  if (options.dry_run) {
    print(models_text(members) + size_text(run));
    return kDone;
  }
  do_all(run, tokenizer, context);
  progress.erase();
  if (!options.report.empty()) {
    write_text(options.report, dump(make_report(run)));
  }
  print(result_text(run));
  throw_failures(members);
  return kDone;
}

}  // namespace terse::cli
