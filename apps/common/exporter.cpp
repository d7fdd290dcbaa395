#include "apps/common/exporter.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "apps/common/blender.h"
#include "apps/common/interrupt.h"
#include "apps/common/model_library.h"
#include "apps/common/output_folder.h"
#include "apps/common/take_source.h"
#include "assets/baked_maps.h"
#include "assets/lod.h"
#include "assets/metahuman.h"
#include "assets/retopology.h"
#include "core/closed_mesh.h"
#include "core/error.h"
#include "core/io/coefficient_files.h"
#include "core/io/glb.h"
#include "core/io/mesh_io.h"
#include "core/io/obj_set.h"
#include "core/io/stl.h"
#include "core/io/take_io.h"
#include "core/io/transforms_json.h"
#include "core/io/usda.h"
#include "fitting/appearance.h"
#include "render/uv_maps.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

constexpr int kDefaultTextureSize_px = 1024;

HeadTextures texturesOf(const Head& head, const ExportOptions& options, Session& session) {
  Image8 colour = head.texture;
  if (colour.empty() && !head.frames.empty()) {
    session.console.warn("the result has no maps/texture.png, so the head wears the model's own colours");
  }
  if (colour.empty() && head.model.hasUsableUv() && head.model.albedo_mean.rows() > 0) {
    colour = srgbFromLinear(albedoTexture(
        head.model, options.texture_size_px > 0 ? options.texture_size_px : kDefaultTextureSize_px));
  } else if (!colour.empty() && options.texture_size_px > 0 && colour.width() != options.texture_size_px) {
    if (colour.width() < options.texture_size_px) {
      session.console.warn("the result's texture has " + std::to_string(colour.width()) +
                           " pixels a side, a larger one shows nothing more; make the result again with "
                           "--texture-size " +
                           std::to_string(options.texture_size_px));
    }
    colour = resized(colour, options.texture_size_px, options.texture_size_px);
  }
  return headTextures(head.model, head.neutral(),
                      {std::move(colour), head.visibility, head.normal_map, options.skin_detail});
}

// V×3 mm: the neutral head or the one of the photo.
Points3 baseVertices(const Head& head, const ExportOptions& options) {
  if (!options.photo_expression) return head.neutral();
  if (head.shown.rows() > 0) return head.shown;
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

std::string contentsOf(const FaceAsset& asset) {
  std::string text = counted(asset.targets.size(), "shape");
  if (asset.skin) text += ", " + counted(asset.skin->names.size(), "joint");
  if (asset.motion) text += ", " + counted(asset.motion->time_s.size(), "frame");
  return text + ", " + counted(static_cast<std::size_t>(asset.mesh.triangles.rows()), "triangle");
}

void requireFrames(const Head& head, const fs::path& path, const char* what) {
  if (head.frames.empty())
    fail(ErrorKind::kUsage, path.string(), ": ", what,
         " belong to a result of reconstruct or track, not to a model");
}

// ---- Motion ----

// The world that a clip's head moves in: the camera's axes with y up, about the head's mean place, so that a
// head that faces the camera faces along +z.
Eigen::Isometry3f worldFromCamera(const Head& head) {
  Eigen::Vector3f mean = Eigen::Vector3f::Zero();
  for (const HeadFrame& frame : head.frames) mean += frame.camera.camera_from_model.translation();
  mean /= static_cast<float>(head.frames.size());
  Eigen::Isometry3f world_from_camera = Eigen::Isometry3f::Identity();
  world_from_camera.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  world_from_camera.translation() = -(world_from_camera.linear() * mean);
  return world_from_camera;
}

std::vector<std::string> targetNames(const FaceAsset& asset) {
  std::vector<std::string> names;
  for (const AssetTarget& target : asset.targets) names.push_back(target.name);
  return names;
}

// Of values per frame of the clip those of the frames that show the face.
Eigen::MatrixXf rowsOf(const Head& head, const Eigen::MatrixXf& all) {
  Eigen::MatrixXf rows(static_cast<Eigen::Index>(head.frames.size()), all.cols());
  for (std::size_t f = 0; f < head.frames.size(); ++f)
    rows.row(static_cast<Eigen::Index>(f)) = all.row(head.frames[f].number);
  return rows;
}

// Joints of eyes that turn as a take says, for targets that hold the lids only. F of J×3; empty for a head
// without joints.
std::vector<Points3> eyeMotion(const Head& head, const FaceAsset& asset, const Take& take) {
  std::vector<Points3> pose;
  if (!asset.skin || asset.targets.empty()) return pose;
  const std::array<Points3, 2> angles = eyeAngles(take);
  for (int f = 0; f < take.numFrames(); ++f) {
    pose.push_back(eyePose(head.model, {rotationFromAngles(angles[0].row(f).transpose()),
                                        rotationFromAngles(angles[1].row(f).transpose())}));
  }
  return pose;
}

// The expression that a target of that name was made of.
std::optional<int> expressionNamed(const MorphableModel& model, const std::string& name, ShapeNaming naming) {
  for (int e = 0; e < model.numExpression(); ++e) {
    if (shapeName(model.expression_names[e], naming) == name) return e;
  }
  return std::nullopt;
}

// What the clip saw: frames without a face are left out, players blend over them. Shapes of ARKit's names
// follow the clip's curves, which hold the jaw's turn too; the model's own expressions go with its joints.
AssetMotion clipMotion(const Head& head, const FaceAsset& asset, const ExportOptions& options,
                       Session& session) {
  AssetMotion motion;
  const auto num_frames = static_cast<Eigen::Index>(head.frames.size());
  const bool is_own = options.shapes.targets == TargetSet::kModel;
  if (is_own) {
    motion.weights = Eigen::MatrixXf::Zero(num_frames, static_cast<Eigen::Index>(asset.targets.size()));
    for (std::size_t t = 0; t < asset.targets.size(); ++t) {
      const auto expression = expressionNamed(head.model, asset.targets[t].name, options.shapes.naming);
      if (!expression) continue;
      for (Eigen::Index f = 0; f < num_frames; ++f)
        motion.weights(f, static_cast<Eigen::Index>(t)) =
            head.frames[static_cast<std::size_t>(f)].expression[*expression];
    }
  } else {
    const Take take = takeOf(head, session).take;
    motion.weights = rowsOf(head, weightsFor(take, targetNames(asset)).weights);
    const std::vector<Points3> eyes = eyeMotion(head, asset, take);
    for (const HeadFrame& frame : head.frames) {
      if (!eyes.empty()) motion.pose.push_back(eyes[static_cast<std::size_t>(frame.number)]);
    }
  }
  const Eigen::Isometry3f world_from_camera = worldFromCamera(head);
  for (const HeadFrame& frame : head.frames) {
    motion.time_s.push_back(static_cast<float>(head.time_s[static_cast<std::size_t>(frame.number)]));
    motion.world_from_model.push_back(world_from_camera * frame.camera.camera_from_model);
    if (is_own && asset.skin) motion.pose.push_back(frame.pose);
  }
  return motion;
}

AssetMotion takeMotion(const Head& head, const FaceAsset& asset, const Take& take, Session& session) {
  const MatchedWeights matched = weightsFor(take, targetNames(asset));
  std::string missing;
  for (const std::string& name : matched.missing) missing += (missing.empty() ? "" : ", ") + name;
  if (!missing.empty()) session.console.warn(head.model.name + " has no shape for the take's " + missing);
  AssetMotion motion;
  motion.time_s.assign(take.time_s.begin(), take.time_s.end());
  motion.weights = matched.weights;
  motion.pose = eyeMotion(head, asset, take);
  if (take.head_deg.rows() == 0) return motion;
  // The head turns about its middle.
  const Points3& vertices = asset.mesh.vertices;
  const Eigen::Vector3f middle =
      0.5F * (vertices.colwise().minCoeff() + vertices.colwise().maxCoeff()).transpose();
  for (int f = 0; f < take.numFrames(); ++f) {
    Eigen::Isometry3f turn = Eigen::Isometry3f::Identity();
    turn.linear() = rotationFromAngles(take.head_deg.row(f).transpose());
    turn.translation() = middle - turn.linear() * middle;
    motion.world_from_model.push_back(turn);
  }
  return motion;
}

// ---- One function per format ----

std::string asGlb(const fs::path& path, const FaceAsset& asset, const ExportOptions& options) {
  writeGlb(path, asset, {.quantised = options.quantised});
  return "metres, " + contentsOf(asset);
}

std::string asObj(const fs::path& path, const FaceAsset& asset, const ExportOptions& options) {
  writeObj(path, asset, unitOf(options));
  return unitName(unitOf(options));
}

std::string asObjSet(const fs::path& folder, const FaceAsset& asset, const ExportOptions& options) {
  const std::vector<std::string> files = writeObjSet(folder, asset, unitOf(options));
  return std::to_string(files.size()) + " meshes of one vertex order, " + unitName(unitOf(options));
}

// By way of a GLB in a folder of its own.
std::string throughBlender(const fs::path& path, const FaceAsset& asset, const ExportOptions&) {
  const OutputFolder folder(path.string() + ".glb", false);
  const fs::path glb = folder.temporary() / (asset.name + ".glb");
  writeGlb(glb, asset);
  convertWithBlender(glb, path);
  return contentsOf(asset);
}

std::string asMetahuman(const fs::path& folder, const FaceAsset& asset, const ExportOptions&) {
  writeMetahuman(folder / (asset.name + ".obj"), asset);
  return "neutral head with its eyes, centimetres: import it as a static mesh, then Mesh to MetaHuman";
}

std::string asUsda(const fs::path& path, const FaceAsset& asset, const ExportOptions&) {
  writeUsda(path, asset);
  return "metres, " + contentsOf(asset);
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

std::string asTake(const fs::path& path, const Head& head, const ExportOptions& options, Session& session) {
  if (!options.take) requireFrames(head, path, "curves");
  TakeSource source;
  if (options.take) {
    source.take = *options.take;
  } else {
    source = takeOf(head, session);
    for (const std::string& note : source.notes) session.console.say(note);
  }
  writeTake(path, source.take, source.notes);
  return counted(source.take.names.size(), "curve") + ", " + counted(source.take.time_s.size(), "frame");
}

std::string asTransforms(const fs::path& path, const Head& head, const ExportOptions&, Session&) {
  requireFrames(head, path, "cameras");
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const bool has_pictures = fs::exists(head.frames[0].picture);
  std::vector<TransformsFrame> frames;
  for (const HeadFrame& frame : head.frames) {
    const fs::path picture = has_pictures ? fs::proximate(frame.picture, folder) : fs::path(frame.picture);
    frames.push_back({picture.generic_string(), frame.camera, frame.number, {}});
  }
  writeTransformsJson(path, frames);
  return counted(frames.size(), "camera") + ", metres" +
         (has_pictures ? "" : "; the pictures are expected at " + head.frames[0].picture + " and so on");
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
      {"glb", ".glb", "glTF 2.0, metres: shapes, joints, textures, animation, camera", true, false, asGlb},
      {"usda", ".usda", "USD with blend shapes, metres: the same", true, false, asUsda},
      {"fbx", ".fbx", "FBX through Blender, which must be installed: shapes, joints, textures, animation",
       true, false, throughBlender},
      {"blend", ".blend", "a Blender file, through Blender: the same with camera and lights", true, false,
       throughBlender},
      {"metahuman", "", "folder: the neutral head for Unreal's Mesh to MetaHuman, OBJ in centimetres", false,
       false, asMetahuman},
      {"obj", ".obj", "one mesh with its materials", false, true, asObj},
      {"objs", "", "folder: neutral.obj and one OBJ per shape, of one vertex order", false, true, asObjSet},
      {"ply", ".ply", "one mesh", false, true, nullptr, asPly},
      {"stl", ".stl", "one closed solid for printing", false, true, nullptr, asStl},
      {"csv", ".csv", "the curves of a clip or photo, as Live Link Face records them", false, false, nullptr,
       asTake},
      {"take", ".json", "the same as JSON", false, false, nullptr, asTake},
      {"transforms", ".json", "cameras as NeRF tools and VHAP have them (transforms.json)", false, false,
       nullptr, asTransforms},
      {"flame", ".npz", "coefficients of a FLAME fit", false, false, nullptr, asFlame},
      {"vhap", ".npz", "coefficients of a FLAME clip, as VHAP has them", false, false, nullptr, asVhap},
      {"bfm", ".mat", "coefficients of a Basel model's fit", false, false, nullptr, asBfm},
      {"deep3d", ".mat", "the 257 coefficients of Deep3DFaceReconstruction", false, false, nullptr,
       asDeep3d}};
  return formats;
}

const ExportFormat& exportFormat(const std::string& name, const fs::path& path) {
  const std::vector<ExportFormat>& formats = exportFormats();
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  std::string wanted = name;
  if (wanted.empty() && path.filename() == "transforms.json") wanted = "transforms";
  const auto found = std::find_if(formats.begin(), formats.end(), [&](const ExportFormat& format) {
    return wanted.empty() ? !extension.empty() && format.extension == extension : format.name == wanted;
  });
  if (found == formats.end()) {
    std::string files, folders;
    for (const ExportFormat& format : formats) {
      std::string& list = format.extension.empty() ? folders : files;
      list += (list.empty() ? "" : ", ") + format.name;
    }
    fail(ErrorKind::kUsage, path.string(), ": ",
         name.empty() ? "its extension does not say what to write; say it with --format"
                      : "--format " + name + " is none",
         "; for files ", files, "; for folders ", folders);
  }
  if (found->extension != extension) {
    fail(ErrorKind::kUsage, path.string(), ": --format ", found->name, " writes ",
         found->extension.empty() ? "a folder, whose name has no extension"
                                  : "a file that ends in " + found->extension);
  }
  return *found;
}

FaceAsset assetOf(const std::string& name, const Head& head, const ExportOptions& options, Session& session) {
  if (const auto unknown = unknownShape(head.model, head.neutral(), options.shapes)) {
    fail(ErrorKind::kUsage, "--only ", *unknown, ": ", head.model.name,
         " has no such shape; facet model info ", head.model_reference, " lists them");
  }
  FaceAsset asset = headAsset(head.model, baseVertices(head, options), texturesOf(head, options, session),
                              meanSkinAlbedo(), options.shapes);
  asset.name = name;
  asset.extras_json = provenanceJson(head.model, head.inputs);
  if (options.take) {
    asset.motion = takeMotion(head, asset, *options.take, session);
  } else if (head.is_clip) {
    asset.motion = clipMotion(head, asset, options, session);
  }
  if (!options.with_camera) return asset;
  if (head.frames.empty())
    fail(ErrorKind::kUsage, "--scene writes the camera of a photo or clip, and a model has none");
  asset.camera = head.frames[0].camera;
  if (head.is_clip) asset.camera->camera_from_model = worldFromCamera(head).inverse();
  return asset;
}

Head inTopology(Head head, const ExportOptions& options, Session& session) {
  if (options.topology == "native") return head;
  const std::string name = options.topology == "facet" ? "builtin" : options.topology;
  const MorphableModel topology = loadNamedModel(name, session);
  if (topology.topology == head.model.topology && topology.triangles == head.model.triangles) return head;
  if (!topology.hasNamedShapes() || !topology.hasUsableUv() || topology.landmarks68.size() == 0) {
    fail(ErrorKind::kModel, name, ": lacks ",
         !topology.hasNamedShapes() ? "named shapes"
         : !topology.hasUsableUv()  ? "texture coordinates"
                                    : "landmarks",
         ", so a head cannot be wrapped onto it; import it first (facet model import), which completes it");
  }
  session.console.progress(head.model.name, "wrap onto " + topology.name, 0.2);
  RetopologyOptions wrap;
  wrap.texture_size_px = options.texture_size_px > 0 ? options.texture_size_px
                         : head.texture.empty()      ? kDefaultTextureSize_px
                                                     : head.texture.width();
  wrap.normal_map_size_px = wrap.texture_size_px;
  const WrappedHead wrapped = wrapHead(
      topology, head.model, head.neutral(), head.texture.empty() ? ImageF() : linearFromSrgb(head.texture),
      wrap, head.model.landmarks68.size() > 0 ? Points3() : landmarksOnMean(head.model, session));
  throwIfInterrupted();
  Head result;
  if (head.shown.rows() > 0) {
    Head posed = head;  // as the one frame of a take
    if (posed.frames.empty()) posed.frames.emplace_back().expression.setZero(head.model.numExpression());
    posed.frames.resize(1);
    posed.frames[0].number = 0;
    posed.time_s = {0};
    const Take take = takeOf(posed, session).take;
    result.shown = wrapped.model.vertices(
        {}, weightsFor(take, wrapped.model.expression_names).weights.row(0).transpose());
  }
  if (!head.frames.empty()) {
    const Take take = takeOf(head, session).take;
    const Eigen::MatrixXf weights = weightsFor(take, wrapped.model.expression_names).weights;
    result.frames = head.frames;
    for (HeadFrame& frame : result.frames) {
      frame.expression = weights.row(frame.number).transpose();
      frame.pose.resize(0, 3);
    }
  }
  session.console.endProgress();
  session.console.say("wrapped onto " + topology.name + ": the face lies " + fixed(wrapped.error.mean_mm, 2) +
                      " mm from the original on average, 99 % within " + fixed(wrapped.error.p99_mm, 2) +
                      " mm");
  result.model = wrapped.model;
  result.model_reference = head.model_reference;
  result.texture = srgbFromLinear(wrapped.texture);
  result.normal_map = wrapped.normal_map;
  result.time_s = head.time_s;
  result.is_clip = head.is_clip;
  result.frames_per_second = head.frames_per_second;
  result.inputs = head.inputs;
  return result;
}

void checkOptions(const ExportFormat& format, const ExportOptions& options) {
  const auto refuse = [&](bool is_wrong, const char* option, const char* where) {
    if (is_wrong)
      fail(ErrorKind::kUsage, option, ": ", format.name, " holds no such thing; it is for ", where);
  };
  const bool is_curves = format.extension == ".csv" || format.name == "take";
  refuse(options.take && !format.is_scene && !is_curves, "--animate", "glb, usda, fbx, blend, csv and take");
  if (options.take && options.photo_expression)
    fail(ErrorKind::kUsage,
         "--expression and --animate exclude each other: a take starts from the neutral face");
  refuse(options.with_camera && !format.is_scene, "--scene", "glb, usda, fbx and blend");
  refuse(options.quantised && format.name != "glb", "--quantise", "glb");
  refuse(options.unit && !format.has_unit, "--unit", "obj, objs, ply and stl");
  refuse(!options.lod_shares.empty() && (format.write_asset == nullptr || format.extension.empty()), "--lods",
         "glb, usda, fbx, blend and obj");
}

std::vector<fs::path> outputFiles(const fs::path& path, const ExportOptions& options) {
  std::vector<fs::path> files = {path};
  for (std::size_t i = 0; i < options.lod_shares.size(); ++i) {
    files.push_back(path.parent_path() /
                    (path.stem().string() + "_LOD" + std::to_string(i + 1) + path.extension().string()));
  }
  return files;
}

std::string writeHead(const fs::path& path, const ExportFormat& format, const Head& head,
                      const ExportOptions& options, Session& session) {
  if (format.write_asset == nullptr) return format.write_head(path, head, options, session);
  const FaceAsset asset = assetOf(path.stem().string(), head, options, session);
  throwIfInterrupted();
  std::string told = format.write_asset(path, asset, options);
  const std::vector<fs::path> files = outputFiles(path, options);
  for (std::size_t i = 0; i < options.lod_shares.size(); ++i) {
    throwIfInterrupted();
    FaceAsset level = simplified(asset, options.lod_shares[i]);
    level.name = files[i + 1].stem().string();
    format.write_asset(files[i + 1], level, options);
    told += ", " + files[i + 1].filename().string() + " with " +
            counted(static_cast<std::size_t>(level.mesh.triangles.rows()), "triangle");
  }
  return told;
}

}  // namespace facet
