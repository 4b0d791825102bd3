#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace terse::cli {

// A report is one JSON document: {"schema": "terse.report/1", "command": ..., "version": ..., ...}. What it is about is
// "model" (for compress: the written file, as read back), what that is compared with is "reference". Bytes and seconds
// are plain numbers, fractions are in [0, 1]; a figure that was not measured is absent, one that is not finite is null.
using Json = nlohmann::ordered_json;

inline constexpr std::string_view kReportSchema = "terse.report/1";

/// The members that every report starts with.
Json begin_report(std::string_view command);

/// Two spaces deep; what is no UTF-8 is replaced.
std::string dump(const Json& json);

/// A report as written before. Errors: io; input if it is no report, with what was found instead.
Json read_report(const std::filesystem::path& path);

/// The most memory that the process has had resident so far, file pages included (VmHWM); 0 if the system does not
/// say.
int64_t peak_memory_bytes();

}  // namespace terse::cli
