// facet export MODEL -o head.glb|head.obj
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/facet/command.h"
#include "apps/facet/model_library.h"
#include "apps/facet/output_folder.h"
#include "assets/head_asset.h"
#include "core/error.h"
#include "core/io/glb.h"
#include "core/io/mesh_io.h"
#include "fitting/appearance.h"
#include "render/uv_maps.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

struct Arguments {
  std::string model = "builtin", output;
  int texture_size_px = 1024;
  bool force = false;
};

constexpr int kSeamTexels = 8;

// The model's mean albedo in its texture space, sRGB; empty where it has none, or no layout for it.
Image8 albedoTexture(const MorphableModel& model, int size_px) {
  if (!model.hasUsableUv() || model.albedo_mean.rows() == 0) return {};
  const Mesh mesh = model.mesh(model.mean);
  const Fragments layout = rasterizeUv(mesh, size_px);
  ImageF colour = attributesInUv(mesh, layout, model.albedo_mean);
  Image8 coverage = uvCoverage(layout);
  dilateSeams(colour, coverage, kSeamTexels);
  return srgbFromLinear(colour);
}

int exportModel(const Arguments& arguments, Session& session) {
  const fs::path output = arguments.output;
  const bool is_glb = output.extension() == ".glb";
  if (!is_glb && output.extension() != ".obj") {
    fail(ErrorKind::kUsage, arguments.output, ": expected a name that ends in .glb or .obj");
  }
  prepareOutputFile(output, arguments.force);
  const MorphableModel model = loadNamedModel(arguments.model, session);
  if (is_glb) {
    FaceAsset asset =
        faceAsset(model, model.mean, albedoTexture(model, arguments.texture_size_px), meanSkinAlbedo());
    asset.name = model.id;
    asset.extras_json =
        nlohmann::json{{"facet_version", FACET_VERSION}, {"model", model.id}, {"licence", model.licence}}
            .dump();
    writeGlb(output, asset);
    session.console.say("wrote " + output.string() + ": " + std::to_string(asset.targets.size()) +
                        " morph targets" +
                        (asset.skin ? ", " + std::to_string(asset.skin->names.size()) + " joints" : ""));
  } else {
    writeObj(output, model.mesh(model.mean));
    session.console.say("wrote " + output.string() + " in millimetres");
  }
  return 0;
}

}  // namespace

void addExport(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("export", "A model's mean head with its named shapes and joints, for other tools");
  verb->fallthrough();
  verb->add_option("MODEL", arguments->model, "builtin, an imported model's name, or a file")->required();
  verb->add_option("-o,--output", arguments->output, "head.glb (metres) or head.obj (millimetres)")
      ->required();
  verb->add_option("--texture-size", arguments->texture_size_px, "side of the GLB's texture, pixels")
      ->check(CLI::Range(16, 16384))
      ->capture_default_str();
  verb->add_flag("--force", arguments->force, "Overwrite the file");
  verb->footer(
      "Example:\n  facet model transfer builtin my_head.obj -o my_head.npz && facet export my_head.npz -o "
      "my_head.glb");
  verb->callback([&session, arguments] {
    session.run = [&session, arguments] { return exportModel(*arguments, session); };
  });
}

}  // namespace facet
