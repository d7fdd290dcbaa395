// facet model list | info | import
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/facet/command.h"
#include "apps/facet/json_text.h"
#include "apps/facet/output_folder.h"
#include "core/error.h"
#include "core/io/model_io.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

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
          {"has_uv", model.uv.rows() > 0},
          {"has_landmarks68", model.landmarks68.size() > 0},
          {"dense_landmarks", model.dense.size()},
          {"regions", model.region_names},
          {"materials", model.material_names}};
}

int listModels(Session& session) {
  json models = json::array({{{"name", "builtin"}, {"path", (dataDirectory() / "models").string()}}});
  std::error_code no_folder;
  for (const fs::directory_entry& entry : fs::directory_iterator(userModelFolder(), no_folder)) {
    if (entry.path().extension() != ".npz") continue;
    models.push_back({{"name", entry.path().stem().string()}, {"path", entry.path().string()}});
  }
  if (session.json) {
    std::cout << jsonText(models);
    return 0;
  }
  for (const json& model : models) {
    session.console.say(model["name"].get<std::string>() + "  " + model["path"].get<std::string>());
  }
  return 0;
}

int showModel(Session& session, const std::string& name) {
  const MorphableModel model = loadNamedModel(name, session);
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
  std::string names;
  for (const std::string& expression : model.expression_names)
    names += (names.empty() ? "" : " ") + expression;
  if (!names.empty()) console.say("expressions: " + names);
  return 0;
}

int importModel(Session& session, const std::string& kind, const fs::path& source, fs::path output,
                bool force) {
  const MorphableModel model = kind == "ict" ? readIctModel(source) : readFacetModel(source);
  if (output.empty()) output = userModelFolder() / (kind == "ict" ? fs::path("ict.npz") : source.filename());
  prepareOutputFile(output, force);
  writeFacetModel(output, model);
  const std::string name =
      output.parent_path() == userModelFolder() ? output.stem().string() : output.string();
  session.console.say("imported " + model.name + " to " + output.string() + "; use it with --model " + name);
  session.console.say("its licence: " + model.licence);
  if (session.json) std::cout << jsonText(json{{"name", name}, {"path", output.string()}});
  return 0;
}

}  // namespace

fs::path userModelFolder() {
  const char* data_home = std::getenv("XDG_DATA_HOME");
  if (data_home != nullptr && *data_home != '\0') return fs::path(data_home) / "facet/models";
  const char* home = std::getenv("HOME");
  return fs::path(home != nullptr ? home : ".") / ".local/share/facet/models";
}

MorphableModel loadNamedModel(const std::string& name, Session& session) {
  std::string path = name;
  const fs::path imported = userModelFolder() / (name + ".npz");
  if (name != "builtin" && !fs::exists(name) && fs::exists(imported)) path = imported.string();
  if (name == "ict" && path == name && !fs::exists(name)) {
    fail(ErrorKind::kModel, "model ict has not been imported yet; get ICT-FaceKit (MIT licence) from ",
         "https://github.com/ICT-VGL/ICT-FaceKit and run: facet model import ict PATH");
  }
  MorphableModel model = loadModel(path);
  session.console.detail("model " + model.name + ": " + model.licence);
  return model;
}

void addModel(CLI::App& app, Session& session) {
  CLI::App* verb = app.add_subcommand("model", "List, describe and import face models");
  verb->require_subcommand(1);
  verb->fallthrough();

  CLI::App* list = verb->add_subcommand("list", "The models that --model knows by name");
  list->callback([&session] { session.run = [&session] { return listModels(session); }; });
  list->fallthrough();

  struct Arguments {
    std::string name = "builtin", kind, source, output;
    bool force = false;
  };
  auto arguments = std::make_shared<Arguments>();
  CLI::App* info = verb->add_subcommand("info", "Size, licence and expressions of a model");
  info->add_option("MODEL", arguments->name, "builtin, an imported model's name, or a file")
      ->capture_default_str();
  info->callback([&session, arguments] {
    session.run = [&session, arguments] { return showModel(session, arguments->name); };
  });
  info->fallthrough();

  CLI::App* import_verb = verb->add_subcommand("import", "Convert a model to facet's own file, once");
  import_verb->add_option("KIND", arguments->kind, "ict: ICT-FaceKit; facet: a model file of facet")
      ->required()
      ->check(CLI::IsMember({"ict", "facet"}));
  import_verb->add_option("PATH", arguments->source, "folder or file as published")->required();
  import_verb->add_option("-o,--output", arguments->output,
                          "model file to write; default: among the models known by name");
  import_verb->add_flag("--force", arguments->force, "Overwrite the model file");
  import_verb->footer(
      "Example:\n  facet model import ict ~/ICT-FaceKit && facet reconstruct me.jpg -o me --model ict");
  import_verb->callback([&session, arguments] {
    session.run = [&session, arguments] {
      return importModel(session, arguments->kind, arguments->source, arguments->output, arguments->force);
    };
  });
  import_verb->fallthrough();
}

}  // namespace facet
