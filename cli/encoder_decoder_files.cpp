#include "cli/encoder_decoder_files.h"

#include <array>

#include "formats/bytes.h"
#include "formats/onnx/split.h"
#include "formats/safetensors/folder_files.h"

namespace terse::cli {
namespace {

constexpr std::string_view kEncoder = "encoder_model.onnx", kDecoder = "decoder_model.onnx";

std::vector<safetensors::FolderFile> files_for(const Checkpoint& checkpoint) {
  auto files = safetensors::files_beside(checkpoint);
  files.push_back({.name = "config.json", .source = {}, .text = checkpoint.config});
  return files;
}

/// What the folder will hold.
onnx::ModelFolder plan_folder(const Model& model, const std::vector<safetensors::FolderFile>& files) {
  onnx::ModelFolder folder{
      .path = model.checkpoint->folder, .models = {std::string(kDecoder), std::string(kEncoder)}, .others = {}};
  for (const auto& file : files) {
    folder.others.push_back(file.name);
  }
  return folder;
}

}  // namespace

bool wants_parts(const OutputOptions& options, const Model& model) {
  return options.target == "onnx" && std::filesystem::path(options.path).extension().empty() &&
         model.checkpoint != nullptr && onnx::is_encoder_decoder(model.graph);
}

int64_t write_parts(const OutputOptions& options, const Model& model) {
  const auto files = files_for(*model.checkpoint);
  const FormatRow& format = check_output_folder(options, plan_folder(model, files));
  const auto [encoder, decoder] = onnx::split_encoder_decoder(model);
  const WriteOptions write_options = options.write_options();
  AtomicFolder out(options.path);
  int64_t bytes = 0;
  for (const auto& [name, part] : {std::pair(kEncoder, &encoder), std::pair(kDecoder, &decoder)}) {
    bytes += format.layout(*part, out.temporary() / name, write_options).total_bytes();
    format.write(*part, out.temporary() / name, write_options);
  }
  for (const auto& file : files) {
    safetensors::write_file(file, out.temporary());
  }
  out.commit();
  return bytes;
}

}  // namespace terse::cli
