// facet export RESULT|CLIP|MODEL -o FILE|DIR
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "apps/facet/command.h"
#include "apps/facet/exporter.h"
#include "apps/facet/interrupt.h"
#include "apps/facet/json_text.h"
#include "apps/facet/output_folder.h"
#include "core/io/files.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

struct Arguments {
  std::string input, output, format, model, unit;
  ExportOptions options;
  bool force = false;
};

// What the folder holds and where it comes from; --force goes by it.
void writeManifest(const fs::path& folder, const Head& head, const ExportFormat& format) {
  nlohmann::json manifest = nlohmann::json::parse(provenanceJson(head.model, head.inputs));
  manifest["format"] = format.name;
  std::vector<std::string> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_directory()) files.push_back(entry.path().lexically_relative(folder).generic_string());
  }
  std::sort(files.begin(), files.end());
  manifest["files"] = files;
  writeText(folder / kExportManifest, jsonText(manifest));
}

int exportHead(const Arguments& arguments, Session& session) {
  const fs::path output = arguments.output;
  const ExportFormat& format = exportFormat(arguments.format, output);
  ExportOptions options = arguments.options;
  if (!arguments.unit.empty()) options.unit = exportUnit(arguments.unit);

  std::optional<OutputFolder> folder;
  if (format.extension.empty()) {
    folder.emplace(output, arguments.force);
  } else {
    prepareOutputFile(output, arguments.force);
  }
  const Head head = openHead(arguments.input, arguments.model, session);
  throwIfInterrupted();
  const std::string told = format.write(folder ? folder->temporary() : output, head, options, session);
  if (folder) {
    writeManifest(folder->temporary(), head, format);
    folder->commit();
  }
  session.console.say("wrote " + output.string() + ": " + told);
  if (session.json) {
    std::cout << jsonText({{"input", arguments.input}, {"output", output.string()}, {"format", format.name}});
  }
  return 0;
}

std::string formatList() {
  std::string list = "Formats (by the extension of -o, or by --format):\n";
  for (const ExportFormat& format : exportFormats()) {
    std::string name = "  " + format.name;
    name.resize(14, ' ');
    std::string extension = format.extension.empty() ? "DIR" : format.extension;
    extension.resize(7, ' ');
    list += name + extension + format.description + "\n";
  }
  return list;
}

}  // namespace

void addExport(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  ExportOptions& options = arguments->options;
  CLI::App* verb =
      app.add_subcommand("export", "A head for other tools: Blender, Unity, Unreal, the web, a printer");
  verb->fallthrough();
  verb->add_option(
          "INPUT", arguments->input,
          "result folder of reconstruct or track, or a model: builtin, an imported model's name, a file")
      ->required();
  verb->add_option("-o,--output", arguments->output, "file or folder to write; its extension says what")
      ->required();
  verb->add_option("--format", arguments->format, "what to write, where the extension does not say it");
  verb->add_option("--model", arguments->model, "the result's model, if it has moved");
  const std::map<std::string, TargetSet> target_sets = {{"arkit", TargetSet::kArkit},
                                                        {"model", TargetSet::kModel},
                                                        {"both", TargetSet::kBoth},
                                                        {"none", TargetSet::kNone}};
  verb->add_option("--targets", options.shapes.targets,
                   "shapes: ARKit's (arkit, the default), the model's own (model), both, none")
      ->transform(CLI::CheckedTransformer(target_sets));
  const std::map<std::string, ShapeNaming> namings = {
      {"arkit", ShapeNaming::kArkit}, {"ict", ShapeNaming::kIct}, {"pascal", ShapeNaming::kPascal}};
  verb->add_option("--naming", options.shapes.naming,
                   "of shapes: arkit eyeBlinkLeft (default), ict eyeBlink_L, pascal EyeBlinkLeft")
      ->transform(CLI::CheckedTransformer(namings));
  verb->add_option("--only", options.shapes.only, "the shapes to keep, separated by commas")->delimiter(',');
  verb->add_flag("--tongue-out", options.shapes.with_empty_tongue,
                 "add a tongueOut that moves nothing, for tools that count 52");
  verb->add_option("--texture-size", options.texture_size_px,
                   "side of the texture, pixels; default: as in the result, 1024 for a model")
      ->check(CLI::Range(16, 16384));
  verb->add_option("--unit", arguments->unit, "of OBJ, PLY and STL: mm (default), cm or m")
      ->check(CLI::IsMember({"mm", "cm", "m"}));
  verb->add_flag("--expression", options.photo_expression,
                 "the photo's expression in place of the neutral face");
  verb->add_flag("--scene", options.with_camera, "with the camera of the photo or clip (GLB)");
  verb->add_flag("--quantise", options.quantised,
                 "GLB at half the size, for readers of KHR_mesh_quantization");
  verb->add_flag("--force", arguments->force, "overwrite the output");
  verb->footer(formatList() + R"(
Examples:
  facet export portrait -o portrait.glb --naming pascal
  facet export portrait -o shapes --format objs --unit cm
  facet export portrait -o bust.stl --expression
  facet export builtin -o head.glb)");
  verb->callback([&session, arguments] {
    session.run = [&session, arguments] { return exportHead(*arguments, session); };
  });
}

}  // namespace facet
