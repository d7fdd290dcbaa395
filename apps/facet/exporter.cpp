#include "apps/facet/exporter.h"

#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "apps/facet/interrupt.h"
#include "core/closed_mesh.h"
#include "core/error.h"
#include "core/io/coefficient_files.h"
#include "core/io/glb.h"
#include "core/io/mesh_io.h"
#include "core/io/obj_set.h"
#include "core/io/stl.h"
#include "core/io/transforms_json.h"
#include "fitting/appearance.h"
#include "render/uv_maps.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

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

Image8 resized(const Image8& image, int size_px) {
  Image8 result(size_px, size_px, image.channels());
  const int type = CV_8UC(image.channels());
  const cv::Mat from(image.height(), image.width(), type, const_cast<std::uint8_t*>(image.data()));
  cv::Mat to(size_px, size_px, type, result.data());
  cv::resize(from, to, to.size(), 0, 0, size_px < image.width() ? cv::INTER_AREA : cv::INTER_CUBIC);
  return result;
}

HeadTextures texturesOf(const Head& head, const ExportOptions& options, Session& session) {
  Image8 colour = head.texture;
  if (colour.empty()) {
    colour = albedoTexture(head.model,
                           options.texture_size_px > 0 ? options.texture_size_px : kDefaultTextureSize_px);
  } else if (options.texture_size_px > 0 && colour.width() != options.texture_size_px) {
    if (colour.width() < options.texture_size_px) {
      session.console.warn("the result's texture has " + std::to_string(colour.width()) +
                           " pixels a side, a larger one shows nothing more; make the result again with "
                           "--texture-size " +
                           std::to_string(options.texture_size_px));
    }
    colour = resized(colour, options.texture_size_px);
  }
  return headTextures(head.model, head.neutral(), std::move(colour));
}

// V×3 mm: the neutral head or the one of the photo.
Points3 baseVertices(const Head& head, const ExportOptions& options) {
  if (!options.photo_expression) return head.neutral();
  if (head.is_clip || head.frames.empty()) {
    fail(ErrorKind::kUsage,
         "--expression is for the result of a photo; a clip has an expression per frame, a model has none");
  }
  return head.model.vertices(head.identity, head.frames[0].expression, head.frames[0].pose);
}

ExportUnit unitOf(const ExportOptions& options) { return options.unit.value_or(ExportUnit::kMillimetre); }

std::string unitName(ExportUnit unit) {
  return unit == ExportUnit::kMillimetre   ? "millimetres"
         : unit == ExportUnit::kCentimetre ? "centimetres"
                                           : "metres";
}

std::string counted(std::size_t count, const std::string& what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

void requireFrames(const Head& head, const fs::path& path, const char* what) {
  if (head.frames.empty())
    fail(ErrorKind::kUsage, path.string(), ": ", what,
         " belong to a result of reconstruct or track, not to a model");
}

// ---- One function per format ----

std::string asGlb(const fs::path& path, const Head& head, const ExportOptions& options, Session& session) {
  const FaceAsset asset = assetOf(path, head, options, session);
  writeGlb(path, asset, {.quantised = options.quantised});
  std::string text = "metres, " + counted(asset.targets.size(), "morph target");
  if (asset.skin) text += ", " + counted(asset.skin->names.size(), "joint");
  if (asset.motion) text += ", " + counted(asset.motion->time_s.size(), "frame");
  return text;
}

std::string asObj(const fs::path& path, const Head& head, const ExportOptions& options, Session& session) {
  writeObj(path, assetOf(path, head, options, session), unitOf(options));
  return unitName(unitOf(options));
}

std::string asObjSet(const fs::path& folder, const Head& head, const ExportOptions& options,
                     Session& session) {
  const std::vector<std::string> files =
      writeObjSet(folder, assetOf(folder, head, options, session), unitOf(options));
  return std::to_string(files.size()) + " meshes of one vertex order, " + unitName(unitOf(options));
}

std::string asPly(const fs::path& path, const Head& head, const ExportOptions& options, Session&) {
  Mesh mesh = head.model.mesh(baseVertices(head, options));
  mesh.vertices *= unitsPerMillimetre(unitOf(options));
  writePly(path, mesh);
  return unitName(unitOf(options));
}

std::string asStl(const fs::path& path, const Head& head, const ExportOptions& options, Session&) {
  const ClosedMesh closed = closedForPrinting(head.model.mesh(baseVertices(head, options)));
  throwIfInterrupted();
  Mesh solid = standingOnPlate(closed);
  solid.vertices *= unitsPerMillimetre(unitOf(options));
  writeStl(path, solid);
  return counted(static_cast<std::size_t>(solid.triangles.rows()), "triangle") + ", one closed surface, " +
         unitName(unitOf(options));
}

std::vector<FaceCoefficients> coefficientsOf(const Head& head) {
  std::vector<FaceCoefficients> faces;
  for (const HeadFrame& frame : head.frames)
    faces.push_back({head.identity, frame.expression, head.albedo, frame.pose, frame.camera, head.light});
  return faces;
}

std::string asTransforms(const fs::path& path, const Head& head, const ExportOptions&, Session&) {
  requireFrames(head, path, "cameras");
  std::vector<TransformsFrame> frames;
  for (const HeadFrame& frame : head.frames)
    frames.push_back({frame.picture, frame.camera, frame.number, {}});
  writeTransformsJson(path, frames);
  return counted(frames.size(), "camera") + ", metres";
}

std::string asFlame(const fs::path& path, const Head& head, const ExportOptions&, Session&) {
  requireFrames(head, path, "coefficients");
  writeFlameNpz(path, head.model, coefficientsOf(head)[0]);
  return "coefficients of FLAME";
}

std::string asVhap(const fs::path& path, const Head& head, const ExportOptions&, Session&) {
  requireFrames(head, path, "coefficients");
  writeVhapNpz(path, head.model, coefficientsOf(head));
  return "coefficients of FLAME, " + counted(head.frames.size(), "frame");
}

std::string asBfm(const fs::path& path, const Head& head, const ExportOptions&, Session&) {
  requireFrames(head, path, "coefficients");
  writeBfmMat(path, head.model, coefficientsOf(head)[0]);
  return "coefficients of the Basel model";
}

std::string asDeep3d(const fs::path& path, const Head& head, const ExportOptions&, Session&) {
  requireFrames(head, path, "coefficients");
  writeDeep3dMat(path, head.model, coefficientsOf(head)[0]);
  return "257 coefficients";
}

}  // namespace

const std::vector<ExportFormat>& exportFormats() {
  static const std::vector<ExportFormat> formats = {
      {"glb", ".glb", "glTF 2.0, metres: shapes, joints, textures, animation", asGlb},
      {"obj", ".obj", "one mesh with its materials", asObj},
      {"objs", "", "folder: neutral.obj and one OBJ per shape, of one vertex order", asObjSet},
      {"ply", ".ply", "one mesh", asPly},
      {"stl", ".stl", "one closed solid for printing, millimetres", asStl},
      {"transforms", ".json", "cameras as NeRF tools and VHAP have them (transforms.json)", asTransforms},
      {"flame", ".npz", "coefficients of a FLAME fit", asFlame},
      {"vhap", ".npz", "coefficients of a FLAME clip, as VHAP has them", asVhap},
      {"bfm", ".mat", "coefficients of a Basel model's fit", asBfm},
      {"deep3d", ".mat", "the 257 coefficients of Deep3DFaceReconstruction", asDeep3d}};
  return formats;
}

const ExportFormat& exportFormat(const std::string& name, const fs::path& path) {
  const std::vector<ExportFormat>& formats = exportFormats();
  const std::string extension = path.extension().string();
  const auto found = std::find_if(formats.begin(), formats.end(), [&](const ExportFormat& format) {
    return name.empty() ? !extension.empty() && format.extension == extension : format.name == name;
  });
  if (found == formats.end()) {
    std::string names;
    for (const ExportFormat& format : formats) names += (names.empty() ? "" : ", ") + format.name;
    fail(ErrorKind::kUsage, path.string(),
         ": what to write is not clear from its extension; say it with --format, one of ", names);
  }
  if (found->extension != extension) {
    fail(ErrorKind::kUsage, path.string(), ": --format ", found->name, " writes ",
         found->extension.empty() ? "a folder, whose name has no extension"
                                  : "a file that ends in " + found->extension);
  }
  return *found;
}

FaceAsset assetOf(const fs::path& path, const Head& head, const ExportOptions& options, Session& session) {
  FaceAsset asset = headAsset(head.model, baseVertices(head, options), texturesOf(head, options, session),
                              meanSkinAlbedo(), options.shapes);
  asset.name = path.stem().string();
  asset.extras_json = provenanceJson(head.model, head.inputs);
  if (options.with_camera) {
    if (head.frames.empty())
      fail(ErrorKind::kUsage, "--scene writes the camera of a photo or clip, and a model has none");
    asset.camera = head.frames[0].camera;
  }
  return asset;
}

}  // namespace facet
