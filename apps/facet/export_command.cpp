// facet export RESULT|CLIP|MODEL -o FILE|DIR
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/common/export_output.h"
#include "apps/common/exporter.h"
#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/common/take_source.h"
#include "apps/facet/command.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

struct Arguments {
  std::string input, output, format, model, take, unit;
  std::string targets = "arkit", naming = "arkit";
  ExportOptions options;
  bool force = false;
};

int exportHead(const Arguments& arguments, Session& session) {
  const fs::path output = arguments.output;
  const ExportFormat& format = exportFormat(arguments.format, output);
  ExportOptions options = arguments.options;
  options.shapes.targets = targetSet(arguments.targets);
  options.shapes.naming = shapeNaming(arguments.naming);
  if (!arguments.unit.empty()) options.unit = exportUnit(arguments.unit);
  if (!arguments.take.empty()) {
    TakeSource source = loadTake(arguments.take, {}, session);
    for (const std::string& note : source.notes) session.console.say(arguments.take + ": " + note);
    options.take = std::move(source.take);
  }
  checkExport(output, arguments.force, format, options);
  const Head head = inTopology(openHead(arguments.input, arguments.model, session), options, session);
  throwIfInterrupted();
  const std::string told = writeExport(output, arguments.force, format, head, options, session);
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

void addExport(CLI::App& app, CommandSession& session) {
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
  verb->add_option("--targets", arguments->targets,
                   "shapes: ARKit's (arkit, the default), the model's own (model), both, none")
      ->check(CLI::IsMember({"arkit", "model", "both", "none"}))
      ->capture_default_str();
  verb->add_option("--naming", arguments->naming,
                   "of shapes: arkit eyeBlinkLeft (default), ict eyeBlink_L, pascal EyeBlinkLeft")
      ->check(CLI::IsMember({"arkit", "ict", "pascal"}))
      ->capture_default_str();
  verb->add_option("--only", options.shapes.only, "the shapes to keep, separated by commas")->delimiter(',');
  verb->add_flag("--tongue-out", options.shapes.with_empty_tongue,
                 "add a tongueOut that moves nothing, for tools that count 52");
  verb->add_option("--texture-size", options.texture_size_px,
                   "side of the texture, pixels; default: as in the result, 1024 for a model")
      ->check(CLI::Range(16, 8192));
  verb->add_option("--unit", arguments->unit, "of OBJ, PLY and STL: mm (default), cm or m")
      ->check(CLI::IsMember({"mm", "cm", "m"}));
  verb->add_option(
          "--topology", options.topology,
          "wrap the head, its texture and motion onto another mesh: facet (the built-in one), ict, or any "
          "model; native leaves it")
      ->capture_default_str();
  verb->add_option("--animate", arguments->take,
                   "what moves the head: take.csv (Live Link Face), take.json, a result of facet track");
  verb->add_option("--lods", options.lod_shares,
                   "levels of detail beside the head, as shares of its triangles: 0.5,0.25,0.1")
      ->delimiter(',')
      ->check(CLI::Range(0.01, 1.0));
  verb->add_flag("--expression", options.photo_expression,
                 "the photo's expression in place of the neutral face");
  verb->add_flag("--scene", options.with_camera, "with the camera of the photo or clip");
  verb->add_flag("!--no-skin-detail", options.skin_detail,
                 "without the normal map of pores and fine lines that is read from the photo's texture");
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
