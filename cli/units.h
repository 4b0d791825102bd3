#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace terse::cli {

/// "80MB", "1.5 GiB", "1234": bytes. kB, MB, GB are powers of 1000; KiB, MiB, GiB of 1024. Error usage.
int64_t parse_size(std::string_view text);

/// "0.02" or "2%". Error usage.
double parse_fraction(std::string_view text);

/// A finite number, nothing around it. Error usage.
double parse_number(std::string_view text);

/// "542.3 MB": the largest decimal unit that leaves a digit before the point.
std::string format_size(int64_t bytes);

/// "134,515,008".
std::string format_count(int64_t count);

/// "4.2 s", "3 min 12 s".
std::string format_seconds(double seconds);

}  // namespace terse::cli
