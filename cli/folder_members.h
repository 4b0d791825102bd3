#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "calibration/dataset.h"
#include "cli/compression.h"
#include "formats/onnx/model_folder.h"
#include "passes/pipeline.h"
#include "passes/solved_weights.h"

namespace terse::cli {

/// What data is for a model of a folder: samples of its own, or of the encoder-decoder that it is a part of.
enum class Part { whole, encoder, decoder };

/// One model of a folder, on its way.
struct Member {
  std::string name;  ///< relative to the folder
  Model original;
  Part part = Part::whole;
  const Member* encoder = nullptr;  ///< of a decoder that another member's encoder feeds
  std::string why_not_fed;          ///< why no data can be fed, whatever it is; else empty
  std::string why_no_data;          ///< why its weights are solved without the data that was given; else empty
  passes::Pipeline pipeline;
  Layout layout;
  Model written;  ///< as read back
  passes::SolvedWeights::Taken taken;
  Compression result;
};

/// Opens the models of a folder: encoders before decoders, those before decoders with a cache, else by name.
std::vector<Member> open_members(const onnx::ModelFolder& folder);

/// Data for one member (of parts, samples of the whole), or why it gets none; neither where
/// none was asked for.
struct MemberData {
  calibration::Dataset data;
  std::string why_none;
};

/// Reads the data of all members, one each. Error of the first member if none can be fed.
std::vector<MemberData> read_data(std::span<const Member> members, const std::vector<std::string>& files,
                                  const calibration::DataOptions& options);

}  // namespace terse::cli
