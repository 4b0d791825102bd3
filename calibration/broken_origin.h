#pragma once

#include "calibration/plan.h"
#include "formats/error.h"

namespace terse::calibration {

/// True if none of the numbers is infinite or NaN. Cost: streams.
bool is_finite(std::span<const float> numbers);

/// Says where the numbers of a value come from that are not finite: runs the sample again, up to step `end`, and
/// follows them from `value` back to the node that makes them of finite ones, or to a weight or a graph input that
/// holds them. Minus infinity counts only where nothing worse is found: masks hold it. For when a walk has failed.
/// Memory:  one decoded weight at a time, and the sample's values. Not while samples run.
Error explain_broken(Plan& plan, const Sample& sample, ValueId value, size_t end);

}  // namespace terse::calibration
