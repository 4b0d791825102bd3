#include "cli/report.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "calibration/isa.h"
#include "formats/bytes.h"
#include "formats/error.h"

namespace terse::cli {
namespace {

/// The number of bytes behind `label` in a file of /proc, which counts in KiB; 0 if it is not there.
int64_t find_memory(const char* path, std::string_view label) {
  std::ifstream file(path);
  std::string word;
  while (file >> word) {
    if (word == label) {
      int64_t kibibytes = 0;
      file >> kibibytes;
      return kibibytes * 1024;
    }
  }
  return 0;
}

}  // namespace

Json begin_report(std::string_view command) {
  return {{"schema", kReportSchema},
          {"command", command},
          {"version", TERSE_VERSION},
          {"instruction_set", calibration::instruction_set()}};
}

std::string dump(const Json& json) { return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n"; }

Json read_report(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    throw Error(Kind::input, "{}: not a report: expected a JSON object", path.string());
  }
  const auto schema = json.find("schema");
  if (schema == json.end() || !schema->is_string()) {
    throw Error(Kind::input, "{}: not a report: it has no text 'schema'", path.string());
  }
  if (*schema != kReportSchema) {
    throw Error(Kind::input, "{}: schema '{}', expected '{}'", path.string(), schema->get<std::string>(),
                kReportSchema);
  }
  return json;
}

int64_t peak_memory_bytes() { return find_memory("/proc/self/status", "VmHWM:"); }

}  // namespace terse::cli
