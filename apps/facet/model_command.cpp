// facet model list | info | check | import | transfer
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/facet/command.h"
#include "core/correspondence.h"
#include "core/error.h"
#include "core/io/image_io.h"
#include "core/io/model_families.h"
#include "core/io/model_io.h"
#include "core/io/topology_map_io.h"
#include "core/model_report.h"
#include "fitting/model_landmarks.h"
#include "render/texture_transfer.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

struct Arguments {
  std::string model = "builtin", from = "builtin", to, name, output, map, texture, texture_output;
  std::vector<std::string> source;  // [family] path
  int texture_size_px = 2048;
  bool bare = false, force = false;
};

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

json describe(const MorphableModel& model) {
  return {{"id", model.id},
          {"name", model.name},
          {"licence", model.licence},
          {"source", model.source},
          {"vertices", model.numVertices()},
          {"triangles", model.triangles.rows()},
          {"identity_modes", model.numIdentity()},
          {"expression_modes", model.numExpression()},
          {"albedo_modes", model.numAlbedo()},
          {"expression_names", model.expression_names},
          {"blendshape_names", model.blendshape_names},
          {"joints", model.skeleton ? model.skeleton->names : std::vector<std::string>{}},
          {"has_uv", model.uv.rows() > 0},
          {"has_landmarks68", model.landmarks68.size() > 0},
          {"dense_landmarks", model.dense.size()},
          {"mediapipe_landmarks", model.mediapipe.size()},
          {"regions", model.region_names},
          {"materials", model.material_names},
          {"notes", model.reader_notes}};
}

int listModels(Session& session) {
  json models = json::array({{{"name", "builtin"}, {"path", (dataDirectory() / "models").string()}}});
  std::error_code no_folder;
  for (const fs::directory_entry& entry : fs::directory_iterator(userModelFolder(), no_folder)) {
    if (entry.path().extension() != ".npz") continue;
    models.push_back({{"name", entry.path().stem().string()}, {"path", entry.path().string()}});
  }
  std::sort(models.begin() + 1, models.end(),
            [](const json& a, const json& b) { return a["name"] < b["name"]; });
  json families = json::array();
  for (const ModelFamily& family : modelFamilies()) {
    families.push_back({{"name", family.name},
                        {"title", family.title},
                        {"files", family.files},
                        {"licence", family.licence},
                        {"page", family.page}});
  }
  if (session.json) {
    std::cout << jsonText(json{{"models", models}, {"families", families}});
    return 0;
  }
  Console& console = session.console;
  console.say("models known by name:");
  for (const json& model : models) {
    console.say("  " + model["name"].get<std::string>() + "  " + model["path"].get<std::string>());
  }
  console.say(
      "models that are read from their original files (--model FILE, or once: facet model import FILE):");
  for (const ModelFamily& family : modelFamilies()) {
    console.say("  " + family.name + ": " + family.title + "; " + family.files);
    console.say("      " + family.licence + "; " + family.page);
  }
  return 0;
}

int showModel(const Arguments& arguments, Session& session) {
  const MorphableModel model = loadNamedModel(arguments.model, session);
  if (session.json) {
    std::cout << jsonText(describe(model));
    return 0;
  }
  Console& console = session.console;
  const auto count = [](long number, const char* what) { return std::to_string(number) + " " + what; };
  console.say(model.name + " (" + model.id + ")");
  console.say("licence: " + model.licence);
  console.say("source: " + model.source);
  console.say(count(model.numVertices(), "vertices, ") + count(model.triangles.rows(), "triangles, ") +
              count(model.numIdentity(), "identity modes, ") + count(model.numExpression(), "expressions, ") +
              count(model.numAlbedo(), "albedo modes"));
  if (model.skeleton) console.say("joints: " + joined(model.skeleton->names, " "));
  if (!model.expression_names.empty()) console.say("expressions: " + joined(model.expression_names, " "));
  if (!model.blendshape_names.empty()) console.say("named shapes: " + joined(model.blendshape_names, " "));
  for (const std::string& note : model.reader_notes) console.say("note: " + note);
  const std::vector<std::string> missing = missingParts(model);
  if (!missing.empty()) console.say("not in it: " + joined(missing, ", ") + "; import takes them over");
  return 0;
}

const char* verdictWord(ModelFinding::Verdict verdict) {
  switch (verdict) {
    case ModelFinding::Verdict::kGood:
      return "good";
    case ModelFinding::Verdict::kMissing:
      return "missing";
    case ModelFinding::Verdict::kDoubtful:
      return "doubtful";
    case ModelFinding::Verdict::kWrong:
      break;
  }
  return "wrong";
}

// Exit code 4 when something is wrong: the model would not give a face.
int checkModel(const Arguments& arguments, Session& session) {
  const MorphableModel model = loadNamedModel(arguments.model, session);
  bool is_wrong = false;
  json findings = json::array();
  for (const std::string& note : model.reader_notes) session.console.say("note: " + note);
  std::vector<ModelFinding> all = inspectModel(model);
  if (model.landmarks68.size() == 0 && all.size() > 1) {
    const auto found = findModelLandmarks(model, FaceDetector(), LandmarkRegressor());
    all.push_back({found ? ModelFinding::Verdict::kGood : ModelFinding::Verdict::kWrong, "face",
                   found ? "a face is seen on pictures of the mean"
                         : "no face is seen on pictures of the mean, which must look along +Z with +Y up"});
  }
  for (const ModelFinding& finding : all) {
    is_wrong = is_wrong || finding.verdict == ModelFinding::Verdict::kWrong;
    const std::string verdict = verdictWord(finding.verdict);
    findings.push_back({{"verdict", verdict}, {"topic", finding.topic}, {"text", finding.text}});
    const std::string line = verdict + ": " + finding.topic + ": " + finding.text;
    if (finding.verdict >= ModelFinding::Verdict::kDoubtful) {
      session.console.warn(line);
    } else {
      session.console.say(line);
    }
  }
  if (session.json) std::cout << jsonText(json{{"model", describe(model)}, {"findings", findings}});
  return is_wrong ? static_cast<int>(ErrorKind::kModel) : 0;
}

// A name that can stand in --model and is no path.
void checkModelName(const std::string& name) {
  const bool is_plain =
      !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
      });
  if (is_plain && name != "builtin") return;
  fail(ErrorKind::kUsage, "--name ", name, ": expected letters, digits, - and _, and not builtin");
}

int importModel(const Arguments& arguments, Session& session) {
  const std::string& path = arguments.source.back();
  const std::string family_name = arguments.source.size() == 2 ? arguments.source.front() : "";
  const bool is_family_given = !family_name.empty() && family_name != "facet";
  const ModelFamily* family = findModelFamily(family_name);
  if (is_family_given && family == nullptr) {
    fail(ErrorKind::kUsage, "facet model import ", family_name,
         ": no such family of models; facet model list names them, or leave it out");
  }
  if (!arguments.name.empty()) checkModelName(arguments.name);
  if (family != nullptr && !fs::exists(path)) {
    fail(ErrorKind::kModel, path, ": no such file; ", family->title, " is ", family->files, ", from ",
         family->page);
  }
  const auto outputFor = [&](const std::string& name) {
    return arguments.output.empty() ? userModelFolder() / (name + ".npz") : fs::path(arguments.output);
  };
  std::string name = !arguments.name.empty() ? arguments.name : family != nullptr ? family->name : "";
  if (!name.empty() || !arguments.output.empty())
    prepareOutputFile(outputFor(name), arguments.force);  // before the work

  MorphableModel model = loadNamedModel(path, session);
  if (family != nullptr && familyOf(model) != family) {
    fail(ErrorKind::kModel, path, ": is ", model.name, ", not ", family->title,
         "; leave the family out, or give another file");
  }
  for (const std::string& note : model.reader_notes) session.console.say("note: " + note);
  if (name.empty()) name = model.id;
  const fs::path output = outputFor(name);
  prepareOutputFile(output, arguments.force);
  if (!arguments.bare && !missingParts(model).empty()) {
    const MorphableModel builtin = loadModel("builtin");
    completeFrom(builtin, model, layOnto(builtin, model, session), session);
  }
  throwIfInterrupted();
  writeFacetModel(output, model);
  const std::string known_as = arguments.output.empty() ? name : output.string();
  session.console.say("imported " + model.name + " to " + output.string() + "; use it with --model " +
                      known_as);
  if (session.json) std::cout << jsonText(json{{"name", known_as}, {"path", output.string()}});
  return 0;
}

// What TO lacks and FROM has, in a model file; the map between the two; a texture in TO's layout.
int transferModel(const Arguments& arguments, Session& session) {
  if (arguments.output.empty() && arguments.map.empty() && arguments.texture.empty()) {
    fail(ErrorKind::kUsage, "facet model transfer: give -o MODEL.npz, --map MAP.npz or --texture IN.png");
  }
  if (arguments.texture.empty() != arguments.texture_output.empty()) {
    fail(ErrorKind::kUsage, "--texture and --texture-output belong together");
  }
  for (const std::string& file : {arguments.output, arguments.map, arguments.texture_output}) {
    if (!file.empty()) prepareOutputFile(file, arguments.force);
  }
  ImageF texture;
  if (!arguments.texture.empty()) texture = linearFromSrgb(readPhoto(arguments.texture));
  const MorphableModel from = loadNamedModel(arguments.from, session);
  MorphableModel to = loadNamedModel(arguments.to, session);
  if (from.landmarks68.size() == 0) {
    fail(ErrorKind::kModel, arguments.from,
         ": has no 68 landmarks to lay it onto another model by; import it first");
  }
  if (!texture.empty() && (!from.hasUsableUv() || !to.hasUsableUv())) {
    fail(ErrorKind::kModel, (from.hasUsableUv() ? arguments.to : arguments.from),
         ": has no texture coordinates that can hold one texture, so none can be carried; import it first");
  }
  const Correspondence correspondence = layOnto(from, to, session);
  json written = json::object();
  if (!arguments.map.empty()) {
    writeTopologyMap(arguments.map, correspondence.model_on_template);
    written["map"] = arguments.map;
    session.console.say("wrote " + arguments.map + ": for each vertex of " + to.name + " its place on " +
                        from.name);
  }
  if (!texture.empty()) {
    const Mesh target = to.mesh(to.mean);
    const Mesh laid = from.mesh(correspondence.registration.vertices);
    const Mesh in_source_layout = carryUv(correspondence.model_on_template, laid, target);
    const ImageF carried = transferTexture(texture, in_source_layout, target, arguments.texture_size_px);
    writePng(arguments.texture_output, srgbFromLinear(carried));
    written["texture"] = arguments.texture_output;
    session.console.say("wrote " + arguments.texture_output + ": " + arguments.texture +
                        " in the layout of " + to.name);
  }
  if (!arguments.output.empty()) {
    completeFrom(from, to, correspondence, session);
    writeFacetModel(arguments.output, to);
    written["model"] = arguments.output;
    session.console.say("wrote " + arguments.output);
  }
  if (session.json) std::cout << jsonText(written);
  return 0;
}

}  // namespace

void addModel(CLI::App& app, CommandSession& session) {
  CLI::App* verb = app.add_subcommand("model", "List, describe, check, import and connect face models");
  verb->require_subcommand(1);
  verb->fallthrough();
  auto arguments = std::make_shared<Arguments>();
  const auto runs = [&session, arguments](CLI::App* sub, int (*work)(const Arguments&, Session&)) {
    sub->callback([&session, arguments, work] {
      session.run = [&session, arguments, work] { return work(*arguments, session); };
    });
    sub->fallthrough();
  };

  CLI::App* list =
      verb->add_subcommand("list", "Models known by name, and those that can be read; where to get them");
  list->callback([&session] { session.run = [&session] { return listModels(session); }; });
  list->fallthrough();

  CLI::App* info = verb->add_subcommand("info", "Size, licence, expressions and joints of a model");
  info->add_option("MODEL", arguments->model, "builtin, an imported model's name, or a file")
      ->capture_default_str();
  runs(info, showModel);

  CLI::App* check =
      verb->add_subcommand("check", "Unit, winding, scale, orthogonality and missing parts, in words");
  check->add_option("MODEL", arguments->model, "builtin, an imported model's name, or a file")
      ->capture_default_str();
  runs(check, checkModel);

  CLI::App* import_verb = verb->add_subcommand("import", "Convert a model to facet's own file, once");
  import_verb
      ->add_option("SOURCE", arguments->source,
                   "[FAMILY] PATH: the file or folder as published; the family gives it its name")
      ->required()
      ->expected(1, 2);
  import_verb->add_option("--name", arguments->name,
                          "name to know it by; default: the family or the model's id");
  import_verb->add_option("-o,--output", arguments->output,
                          "model file to write; default: among those known by name");
  import_verb->add_flag("--bare", arguments->bare, "Take over nothing from the built-in model");
  import_verb->add_flag("--force", arguments->force, "Overwrite the model file");
  import_verb->footer(
      "Examples:\n  facet model import ict ~/ICT-FaceKit && facet reconstruct me.jpg -o me --model ict\n"
      "  facet model import ~/FLAME2020/generic_model.pkl --name flame");
  runs(import_verb, importModel);

  CLI::App* transfer =
      verb->add_subcommand("transfer", "Lay one model onto another and carry over what that lacks");
  transfer->add_option("FROM", arguments->from, "model with landmarks, shapes, texture coordinates")
      ->required();
  transfer->add_option("TO", arguments->to, "model, or an .obj of a head")->required();
  transfer->add_option("-o,--output", arguments->output,
                       "TO with everything of FROM that it lacks, as a model file");
  transfer->add_option("--map", arguments->map,
                       "npz: for each vertex of TO a triangle of FROM, barycentric weights, confidence");
  transfer->add_option("--texture", arguments->texture, "picture in FROM's layout to carry to TO's own");
  transfer->add_option("--texture-output", arguments->texture_output, "PNG in TO's layout");
  transfer->add_option("--texture-size", arguments->texture_size_px, "its side, pixels")
      ->check(CLI::Range(16, 16384))
      ->capture_default_str();
  transfer->add_flag("--force", arguments->force, "Overwrite what is written");
  transfer->footer(
      "Examples:\n  facet model transfer builtin my_head.obj -o my_head.npz   # ARKit shapes for a head of "
      "your own\n"
      "  facet model transfer builtin flame --texture portrait/maps/texture.png --texture-output flame.png");
  runs(transfer, transferModel);
}

}  // namespace facet
