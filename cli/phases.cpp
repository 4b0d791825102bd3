#include "cli/phases.h"

#include <nlohmann/json.hpp>

namespace terse::cli {

nlohmann::ordered_json Phases::json() const {
  auto json = nlohmann::ordered_json::array();
  for (const auto& [name, seconds] : seconds_) {
    json.push_back({{"phase", name}, {"seconds", seconds}});
  }
  return json;
}

}  // namespace terse::cli
