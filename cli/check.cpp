#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/console.h"
#include "cli/figures.h"
#include "cli/table.h"
#include "cli/units.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

/// What a gate holds against its limit.
enum class Measure {
  value,     ///< the figure itself
  increase,  ///< figure / base - 1
  drop,      ///< base - figure
};

enum class Limit { at_most, at_least };

struct GateRow {
  std::string_view flag, placeholder;
  std::string_view figure;
  Measure measure;
  Limit limit;
  std::string_view reference_figure;  ///< the base in the report itself, if there is one; --baseline has it as `figure`
  std::string_view help;
};

constexpr std::array kGates = {
    GateRow{"--max-size", "SIZE", "size", Measure::value, Limit::at_most, "", "bytes of all files: 80MB, 76MiB"},
    GateRow{"--max-size-increase", "FRACTION", "size", Measure::increase, Limit::at_most, "", "over the baseline: 1%"},
    GateRow{"--min-ratio", "X", "ratio", Measure::value, Limit::at_least, "", "times smaller than the original"},
    GateRow{"--max-bits", "X", "bits_per_weight", Measure::value, Limit::at_most, "", "bits per weight"},
    GateRow{"--max-ppl", "X", "perplexity", Measure::value, Limit::at_most, "", "perplexity"},
    GateRow{"--max-ppl-increase", "FRACTION", "perplexity", Measure::increase, Limit::at_most, "reference_perplexity",
            "over the baseline's, or else the reference model's: 2%"},
    GateRow{"--max-pseudo-ppl", "X", "pseudo_perplexity", Measure::value, Limit::at_most, "",
            "pseudo-perplexity (masked language models)"},
    GateRow{"--max-pseudo-ppl-increase", "FRACTION", "pseudo_perplexity", Measure::increase, Limit::at_most,
            "reference_pseudo_perplexity", "over the baseline's, or else the reference model's"},
    GateRow{"--max-kld", "NATS", "kl_mean", Measure::value, Limit::at_most, "", "mean KL divergence"},
    GateRow{"--max-kld-p99", "NATS", "kl_p99", Measure::value, Limit::at_most, "", "99th percentile of it"},
    GateRow{"--max-kld-increase", "FRACTION", "kl_mean", Measure::increase, Limit::at_most, "",
            "of the mean, over the baseline's"},
    GateRow{"--min-top1", "FRACTION", "top1", Measure::value, Limit::at_least, "", "agreement of the likeliest token"},
    GateRow{"--min-agreement", "FRACTION", "agreement", Measure::value, Limit::at_least, "",
            "agreement of the arg-max (classifiers), or of the sign (detectors of replaced tokens)"},
    GateRow{"--min-accuracy", "FRACTION", "accuracy", Measure::value, Limit::at_least, "", "with labels"},
    GateRow{"--max-accuracy-drop", "FRACTION", "accuracy", Measure::drop, Limit::at_most, "reference_accuracy",
            "below the baseline's, or else the reference model's"},
    GateRow{"--min-cosine", "X", "cosine_mean", Measure::value, Limit::at_least, "", "mean over the samples"},
    GateRow{"--min-cosine-worst", "X", "cosine_worst", Measure::value, Limit::at_least, "", "of the worst 1 %"},
    GateRow{"--min-snr", "DB", "snr_db", Measure::value, Limit::at_least, "", "of the worst output"},
    GateRow{"--max-seconds", "X", "seconds", Measure::value, Limit::at_most, "", "time that the run took"},
    GateRow{"--max-memory", "SIZE", "peak_memory", Measure::value, Limit::at_most, "", "peak memory of the run"},
};

struct CheckOptions {
  std::string report, baseline;
  std::array<std::string, kGates.size()> limits;  ///< as typed; empty: not asked for
};

double parse_limit(const GateRow& gate, const std::string& text) {
  try {
    return gate.placeholder == "SIZE" ? static_cast<double>(parse_size(text)) : parse_fraction(text);
  } catch (const Error& error) {
    throw error.within(gate.flag);
  }
}

double get(const Json& report, const std::string& path, std::string_view figure, const GateRow& gate) {
  const auto found = with_context(path, [&] { return find_figure(report, get_figure(figure)); });
  if (!found) {
    throw Error(Kind::input, "{}: {} needs the figure '{}', which this report does not have", path, gate.flag, figure);
  }
  return *found;
}

struct Reports {
  const CheckOptions& options;
  Json report;
  std::optional<Json> baseline;

  double base(const GateRow& gate) const {
    if (baseline) {
      return get(*baseline, options.baseline, gate.figure, gate);
    }
    if (gate.reference_figure.empty()) {
      throw Error(Kind::usage, "{} compares with another report: give it as --baseline", gate.flag);
    }
    return get(report, options.report, gate.reference_figure, gate);
  }

  double measured(const GateRow& gate) const {
    const double value = get(report, options.report, gate.figure, gate);
    switch (gate.measure) {
      case Measure::value:
        return value;
      case Measure::increase:
        return value / base(gate) - 1;
      case Measure::drop:
        return base(gate) - value;
    }
    return value;
  }
};

/// False for NaN, whichever the limit.
bool passes_gate(const GateRow& gate, double found, double limit) {
  return gate.limit == Limit::at_most ? found <= limit : found >= limit;
}

/// Exact, so that a limit that is missed by little does not look met.
std::string shown(const GateRow& gate, double value) {
  const Unit unit = gate.measure == Measure::value ? get_figure(gate.figure).unit : Unit::fraction;
  return unit == Unit::bytes && std::isfinite(value) ? format_count(std::llround(value)) + " B"
                                                     : format_figure(value, unit);
}

ExitCode run(const CheckOptions& options) {
  Reports reports{.options = options, .report = read_report(options.report), .baseline = {}};
  if (!options.baseline.empty()) {
    reports.baseline = read_report(options.baseline);
  }
  Table table({"gate", ">limit", ">found", "result"});
  ExitCode code = kDone;
  for (size_t i = 0; i < kGates.size(); ++i) {
    const GateRow& gate = kGates[i];
    if (options.limits[i].empty()) {
      continue;
    }
    const double limit = parse_limit(gate, options.limits[i]);
    const double found = reports.measured(gate);
    const bool good = passes_gate(gate, found, limit);
    code = good ? code : kGateFailed;
    table.add({std::string(gate.flag.substr(2)), shown(gate, limit), shown(gate, found), good ? "ok" : "FAILED"});
  }
  if (table.empty()) {
    throw Error(Kind::usage, "check: no gate given, see 'terse check --help'");
  }
  print(table.text());
  return code;
}

}  // namespace

Action setup_check(Arguments& arguments) {
  const auto options = std::make_shared<CheckOptions>();
  arguments.positional("REPORT.json", options->report, "a report of compress or eval");
  arguments.option("--baseline", "REPORT.json", options->baseline, "an earlier report to compare with");
  arguments.group("Gates");
  for (size_t i = 0; i < kGates.size(); ++i) {
    arguments.option(kGates[i].flag, kGates[i].placeholder, options->limits[i], kGates[i].help);
  }
  return [options](const Context&) { return run(*options); };
}

}  // namespace terse::cli
