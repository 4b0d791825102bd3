#include "cli/figures.h"

#include <array>
#include <cassert>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/units.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

constexpr std::array kFigures = {
    FigureRow{"size", "/model/bytes", "size", Unit::bytes},
    FigureRow{"ratio", "/model/ratio", "ratio", Unit::number},
    FigureRow{"bits_per_weight", "/model/bits_per_weight", "bits per weight", Unit::number},
    FigureRow{"zeros", "/model/zeros", "zeros", Unit::fraction},
    FigureRow{"perplexity", "/evaluation/perplexity", "perplexity", Unit::number},
    FigureRow{"reference_perplexity", "/evaluation/reference_perplexity", "reference perplexity", Unit::number},
    FigureRow{"pseudo_perplexity", "/evaluation/pseudo_perplexity", "pseudo-perplexity", Unit::number},
    FigureRow{"reference_pseudo_perplexity", "/evaluation/reference_pseudo_perplexity", "reference pseudo-perplexity",
              Unit::number},
    FigureRow{"kl_mean", "/evaluation/kl_mean", "KL divergence, mean", Unit::number},
    FigureRow{"kl_median", "/evaluation/kl_median", "KL divergence, median", Unit::number},
    FigureRow{"kl_p99", "/evaluation/kl_p99", "KL divergence, 99 %", Unit::number},
    FigureRow{"top1", "/evaluation/top1", "top-1 agreement", Unit::fraction},
    FigureRow{"agreement", "/evaluation/agreement", "arg-max agreement", Unit::fraction},
    FigureRow{"accuracy", "/evaluation/accuracy", "accuracy", Unit::fraction},
    FigureRow{"reference_accuracy", "/evaluation/reference_accuracy", "reference accuracy", Unit::fraction},
    FigureRow{"cosine_mean", "/evaluation/cosine_mean", "cosine, mean", Unit::number},
    FigureRow{"cosine_worst", "/evaluation/cosine_worst", "cosine, worst 1 %", Unit::number},
    FigureRow{"snr_db", "/evaluation/snr_db", "SNR of the worst output, dB", Unit::number},
    FigureRow{"smoke_kl", "/smoke/kl_mean", "smoke check, KL divergence", Unit::number},
    FigureRow{"smoke_cosine", "/smoke/cosine", "smoke check, cosine", Unit::number},
    FigureRow{"seconds", "/seconds", "time", Unit::seconds},
    FigureRow{"peak_memory", "/peak_memory_bytes", "peak memory", Unit::bytes},
};

}  // namespace

std::span<const FigureRow> figures() { return kFigures; }

const FigureRow& get_figure(std::string_view name) {
  const auto* row = std::find_if(kFigures.begin(), kFigures.end(), [&](const FigureRow& f) { return f.name == name; });
  assert(row != kFigures.end());
  return *row;
}

std::optional<double> find_figure(const Json& report, const FigureRow& figure) {
  const Json::json_pointer pointer{std::string(figure.pointer)};
  if (!report.contains(pointer)) {
    return std::nullopt;
  }
  const Json& member = report.at(pointer);
  if (member.is_null()) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (!member.is_number()) {
    throw Error(Kind::input, "'{}' is {}, expected a number", figure.pointer, member.type_name());
  }
  return member.get<double>();
}

std::string format_figure(double value, Unit unit) {
  if (!std::isfinite(value)) {
    return "not finite";
  }
  switch (unit) {
    case Unit::bytes:
      return format_size(static_cast<int64_t>(std::clamp(value, -9e18, 9e18)));
    case Unit::fraction:
      return fmt::format("{:.2f} %", value * 100);
    case Unit::seconds:
      return format_seconds(value);
    case Unit::number:
      break;
  }
  return fmt::format("{:.5g}", value);
}

}  // namespace terse::cli
