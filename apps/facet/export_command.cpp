// facet export RESULT|CLIP|MODEL -o FILE|DIR
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>

#include "apps/facet/command.h"
#include "apps/facet/head.h"
#include "apps/facet/json_text.h"
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
  std::string input, output, model;
  std::string targets = "arkit", naming = "arkit";
  std::vector<std::string> only;
  int texture_size_px = 0;
  bool tongue = false, scene = false, quantise = false, expression = false, force = false;
};

constexpr int kDefaultTextureSize_px = 1024;

// The model's mean albedo in its texture space, sRGB; empty where it has none, or no layout for it.
Image8 albedoTexture(const MorphableModel& model, int size_px) {
  if (!model.hasUsableUv() || model.albedo_mean.rows() == 0) return {};
  const Mesh mesh = model.mesh(model.mean);
  const Fragments layout = rasterizeUv(mesh, size_px);
  ImageF colour = attributesInUv(mesh, layout, model.albedo_mean);
  padSeams(colour, uvCoverage(layout));
  return srgbFromLinear(colour);
}

class Export {
 public:
  Export(const Arguments& arguments, Session& session)
      : arguments_(arguments), session_(session), output_(arguments.output) {}

  int run() {
    const auto writer = writers().find(output_.extension().string());
    if (writer == writers().end()) {
      fail(ErrorKind::kUsage, arguments_.output, ": expected a name that ends in ", knownExtensions());
    }
    prepareOutputFile(output_, arguments_.force);
    head_ = openHead(arguments_.input, arguments_.model, session_);
    (this->*writer->second)();
    session_.console.say("wrote " + output_.string() + ": " + summary_);
    return 0;
  }

 private:
  using Writer = void (Export::*)();

  static const std::map<std::string, Writer>& writers() {
    static const std::map<std::string, Writer> by_extension = {
        {".glb", &Export::writeGlbFile}, {".obj", &Export::writeObjFile}, {".ply", &Export::writePlyFile}};
    return by_extension;
  }

  static std::string knownExtensions() {
    std::string list;
    for (const auto& [extension, writer] : writers()) list += (list.empty() ? "" : ", ") + extension;
    return list;
  }

  HeadAssetOptions assetOptions() const {
    HeadAssetOptions options;
    options.targets = arguments_.targets == "arkit"   ? TargetSet::kArkit
                      : arguments_.targets == "model" ? TargetSet::kModel
                      : arguments_.targets == "both"  ? TargetSet::kBoth
                                                      : TargetSet::kNone;
    options.naming = arguments_.naming == "arkit" ? ShapeNaming::kArkit
                     : arguments_.naming == "ict" ? ShapeNaming::kIct
                                                  : ShapeNaming::kPascal;
    options.only = arguments_.only;
    options.with_empty_tongue = arguments_.tongue;
    return options;
  }

  HeadTextures textures() const {
    Image8 colour = head_.texture;
    const int size_px = arguments_.texture_size_px > 0 ? arguments_.texture_size_px
                        : colour.empty()               ? kDefaultTextureSize_px
                                                       : colour.width();
    if (colour.empty()) {
      colour = albedoTexture(head_.model, size_px);
    } else if (colour.width() != size_px) {
      if (colour.width() < size_px) {
        session_.console.warn(
            arguments_.input + ": its texture has " + std::to_string(colour.width()) +
            " pixels a side, so a larger one shows nothing more; reconstruct with --texture-size " +
            std::to_string(size_px));
      }
      Image8 resized(size_px, size_px, colour.channels());
      const int type = CV_8UC(colour.channels());
      const cv::Mat from(colour.height(), colour.width(), type, colour.data());
      cv::Mat to(size_px, size_px, type, resized.data());
      cv::resize(from, to, to.size(), 0, 0, size_px < colour.width() ? cv::INTER_AREA : cv::INTER_CUBIC);
      colour = std::move(resized);
    }
    return headTextures(head_.model, head_.neutral(), std::move(colour));
  }

  FaceAsset asset() const {
    FaceAsset asset = headAsset(head_.model, baseVertices(), textures(), meanSkinAlbedo(), assetOptions());
    asset.name = head_.frames.empty() ? head_.model.id : "face";
    asset.extras_json = provenanceJson(head_.model, head_.inputs);
    if (arguments_.scene) {
      if (head_.frames.empty()) {
        fail(ErrorKind::kUsage, "--scene writes the camera of a photo or clip, and ", arguments_.input,
             " is a model");
      }
      asset.camera = head_.frames[0].camera;
    }
    return asset;
  }

  // V×3 mm: the neutral head, or with --expression the one of the photo.
  Points3 baseVertices() const {
    if (!arguments_.expression) return head_.neutral();
    if (head_.frames.size() != 1) {
      fail(ErrorKind::kUsage,
           "--expression is for the result of a photo; a clip has one per frame, a model none");
    }
    return head_.model.vertices(head_.identity, head_.frames[0].expression, head_.frames[0].pose);
  }

  void writeGlbFile() {
    const FaceAsset glb = asset();
    WriteGlbOptions options;
    options.quantised = arguments_.quantise;
    writeGlb(output_, glb, options);
    summary_ = std::to_string(glb.targets.size()) + " morph targets";
    if (glb.skin) summary_ += ", " + std::to_string(glb.skin->names.size()) + " joints";
  }

  void writeObjFile() {
    writeObj(output_, head_.model.mesh(baseVertices()));
    summary_ = "millimetres";
  }

  void writePlyFile() {
    writePly(output_, head_.model.mesh(baseVertices()));
    summary_ = "millimetres";
  }

  const Arguments& arguments_;
  Session& session_;
  fs::path output_;
  Head head_;
  std::string summary_;
};

}  // namespace

void addExport(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("export", "A head for other tools: Blender, Unity, Unreal, the web, a printer");
  verb->fallthrough();
  verb->add_option(
          "INPUT", arguments->input,
          "result folder of reconstruct or track, or a model: builtin, an imported model's name, a file")
      ->required();
  verb->add_option("-o,--output", arguments->output, "head.glb (metres), head.obj or head.ply (millimetres)")
      ->required();
  verb->add_option("--model", arguments->model, "the result's model, if it has moved");
  verb->add_option("--targets", arguments->targets, "shapes: arkit names, the model's own, both, none")
      ->check(CLI::IsMember({"arkit", "model", "both", "none"}))
      ->capture_default_str();
  verb->add_option("--naming", arguments->naming,
                   "of shapes: arkit eyeBlinkLeft, ict eyeBlink_L, pascal EyeBlinkLeft")
      ->check(CLI::IsMember({"arkit", "ict", "pascal"}))
      ->capture_default_str();
  verb->add_option("--only", arguments->only, "names of the shapes to keep, separated by commas")
      ->delimiter(',');
  verb->add_flag("--tongue-out", arguments->tongue,
                 "add a tongueOut that moves nothing, for tools that count 52");
  verb->add_option("--texture-size", arguments->texture_size_px,
                   "side of the texture, pixels; default: as in the result, 1024 for a model")
      ->check(CLI::Range(16, 16384));
  verb->add_flag("--expression", arguments->expression, "the photo's expression instead of the neutral face");
  verb->add_flag("--scene", arguments->scene, "with the camera of the photo or clip");
  verb->add_flag("--quantise", arguments->quantise, "GLB at half the size (KHR_mesh_quantization)");
  verb->add_flag("--force", arguments->force, "overwrite the file");
  verb->footer(
      "Examples:\n  facet export portrait -o portrait.glb --naming pascal\n  facet export builtin -o "
      "head.glb\n"
      "  facet model transfer builtin my_head.obj -o my_head.npz && facet export my_head.npz -o my_head.glb");
  verb->callback([&session, arguments] {
    session.run = [&session, arguments] { return Export(*arguments, session).run(); };
  });
}

}  // namespace facet
