#include "apps/facet_view/subject_files.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <set>

#include "apps/common/model_library.h"
#include "apps/common/take_source.h"
#include "apps/facet_view/mesh_materials.h"
#include "assets/head_asset.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/glb_model.h"
#include "core/io/glb_reader.h"
#include "core/io/image_header.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "core/io/model_io.h"
#include "core/io/model_parts.h"
#include "core/io/npz.h"
#include "core/io/obj_parser.h"
#include "core/io/take_io.h"
#include "core/io/video_io.h"
#include "fitting/appearance.h"

namespace fs = std::filesystem;

namespace facet {
namespace {

using nlohmann::json;

constexpr int kModelTextureSize_px = 1024;  // of a head without a photo, as facet export has it
constexpr double kUsualFps = 30;            // of motion that lasts no time
constexpr float kAssumedHeight_mm = 260;    // of a mesh that is a head in no unit

std::string extensionOf(const fs::path& path) { return lowerCase(path.extension().string()); }

// A folder's name, also of "face0/" or "out/face0/.".
std::string titleOf(const fs::path& path) {
  fs::path clean = fs::absolute(path).lexically_normal();
  if (clean.filename().empty()) clean = clean.parent_path();
  const bool is_record = clean.filename() == "fit.json" || clean.filename() == "track.json";
  if (is_record) clean = clean.parent_path();
  const std::string name = clean.filename().string();
  const bool is_face = name.size() > 4 && name.starts_with("face") &&
                       name.find_first_not_of("0123456789", 4) == std::string::npos;
  return is_face ? clean.parent_path().filename().string() + "/" + name : name;
}

bool isParameters(const fs::path& path) {
  const json content = json::parse(readText(path), nullptr, /*allow_exceptions=*/false);
  return content.is_object() && content.contains("model") && !content.contains("frames") &&
         !content.contains("weights");
}

// Files that models are published in; a folder that holds one is a model, whatever pictures lie beside it.
bool looksLikeModelFolder(const fs::path& folder) {
  static const std::set<std::string> kExtensions = {".npz", ".npy", ".mat", ".h5", ".pkl", ".bin", ".obj"};
  return std::any_of(
      fs::directory_iterator(folder), fs::directory_iterator(), [](const fs::directory_entry& entry) {
        return kExtensions.count(extensionOf(entry.path())) > 0 || entry.path().filename() == "FaceXModel";
      });
}

void addMeshFacts(const MorphableModel& model, std::vector<std::string>& facts) {
  facts.push_back(grouped(model.numVertices()) + " vertices, " + grouped(model.triangles.rows()) +
                  " triangles");
  std::string modes;
  const auto add = [&modes](Eigen::Index count, const char* what) {
    if (count > 0) modes += (modes.empty() ? "" : ", ") + grouped(count) + " " + what;
  };
  add(model.numIdentity(), "identity modes");
  add(model.numExpression() - model.num_blendshapes, "expression modes");
  add(model.num_blendshapes + model.blendshapes.cols(), "named shapes");
  add(model.numAlbedo(), "skin colour modes");
  if (model.skeleton) add(model.skeleton->numJoints(), "joints");
  if (!modes.empty()) facts.push_back(modes);
  if (!model.licence.empty()) facts.push_back("licence: " + model.licence);
  for (const std::string& note : model.reader_notes) facts.push_back(note);
}

std::string sizeOf(const Image8& image) {
  return std::to_string(image.width()) + " x " + std::to_string(image.height());
}

// A model's expressions and pose as the values of its sliders, into a frame.
void setShape(ShapedHead& head, const Eigen::VectorXf& expression, const Points3& pose, SubjectFrame& frame) {
  head.setCoefficients(head.identity(), expression, pose);
  frame.expression = head.values(ShapeGroup::kExpression);
  frame.joints_deg = head.values(ShapeGroup::kJoints);
  // Shapes beside the expressions are the user's own.
  if (head.model().blendshapes.cols() == 0) frame.shapes = head.values(ShapeGroup::kShapes);
}

// Frames of the clip or the one photo, those without a face included.
std::vector<SubjectFrame> framesOf(const Head& head, ShapedHead& shaped) {
  std::vector<SubjectFrame> frames(head.time_s.size());
  for (std::size_t f = 0; f < frames.size(); ++f) {
    frames[f].number = static_cast<int>(f);
    frames[f].time_s = head.time_s[f];
  }
  for (const HeadFrame& seen : head.frames) {
    SubjectFrame& frame = frames.at(static_cast<std::size_t>(seen.number));
    frame.picture = seen.picture;
    frame.camera = seen.camera;
    setShape(shaped, seen.expression, seen.pose, frame);
  }
  return frames;
}

// What fit.json and its companions say besides Head: landmarks and facts.
void addFitDetails(const fs::path& folder, Subject& subject) {
  const json fit = json::parse(readText(folder / "fit.json"), nullptr, /*allow_exceptions=*/false);
  const json none;
  const json& views = fit.contains("views") ? fit["views"] : none;
  if (views.is_array() && !views.empty() && views[0].contains("landmarks68")) {
    const json& points = views[0]["landmarks68"];
    if (points.is_array() && points.size() == kNumIbugLandmarks) {
      subject.landmarks.ibug68.positions_px.resize(kNumIbugLandmarks, 2);
      for (int i = 0; i < kNumIbugLandmarks; ++i) {
        const json& point = points[static_cast<std::size_t>(i)];
        subject.landmarks.ibug68.positions_px.row(i) << point.at(0).get<float>(), point.at(1).get<float>();
      }
    }
  }
  for (const json& input : fit.value("inputs", json::array())) {
    subject.facts.push_back("photo: " + input.value("path", "") + ", " +
                            std::to_string(input.value("width", 0)) + " x " +
                            std::to_string(input.value("height", 0)));
  }
  double seconds = 0, residual_px = 0;
  for (const json& stage : fit.value("stages", json::array())) {
    seconds += stage.value("seconds", 0.0);
    residual_px = std::max(residual_px, stage.value("residual_px", 0.0));
  }
  subject.facts.push_back("landmark residual " + fixed(residual_px, 2) + " px; made in " + fixed(seconds, 1) +
                          " s by facet " + fit.value("facet_version", ""));
  for (const json& warning : fit.value("warnings", json::array()))
    if (warning.is_string()) subject.facts.push_back("warning: " + warning.get<std::string>());
}

// Deviations of the landmarks and the dense set, where the result has them.
void addUncertainty(const fs::path& folder, PhotoLandmarks& landmarks) {
  if (!fs::exists(folder / "fit.npz")) return;
  const Npz arrays = readNpz(folder / "fit.npz");
  const Eigen::VectorXf sigma_px = landmarksFrom(arrays, "landmarks68").sigma_px;
  if (sigma_px.size() == landmarks.ibug68.size()) landmarks.ibug68.sigma_px = sigma_px;
  landmarks.dense = landmarksFrom(arrays, "dense");
}

// Where a picture lies that a result names: as it says, or beside the folder of the result, where both may
// have been moved or which the name was relative to. As it says when it is nowhere.
fs::path findPicture(const fs::path& named, const fs::path& folder) {
  if (named.empty() || fs::exists(named)) return named;
  fs::path here = fs::absolute(folder).lexically_normal();
  if (here.filename().empty()) here = here.parent_path();
  for (const fs::path& place : {here.parent_path(), here}) {
    if (named.is_relative() && fs::exists(place / named)) return place / named;
    if (fs::exists(place / named.filename())) return place / named.filename();
  }
  return named;
}

// A clip that was tracked is its video's or folder's pictures.
void addClipDetails(const fs::path& folder, OpenedSubject& opened) {
  const json track = json::parse(readText(folder / "track.json"), nullptr, /*allow_exceptions=*/false);
  const json clip = track.value("clip", json::object());
  opened.clip = findPicture(clip.value("path", ""), folder);
  Subject& subject = *opened.subject;
  for (SubjectFrame& frame : subject.frames) {
    if (frame.picture.empty() || !fs::exists(frame.picture)) frame.picture = opened.clip;
  }
  subject.facts.push_back("clip: " + opened.clip.string() + ", " + std::to_string(clip.value("width", 0)) +
                          " x " + std::to_string(clip.value("height", 0)));
  subject.facts.push_back(grouped(static_cast<std::int64_t>(subject.frames.size())) + " frames, " +
                          grouped(track.value("frames_with_face", 0)) + " with the face, " +
                          fixed(subject.frames_per_second, 2) + " per second");
  for (const json& warning : track.value("warnings", json::array()))
    if (warning.is_string()) subject.facts.push_back("warning: " + warning.get<std::string>());
}

OpenedSubject photoSubject(const fs::path& path) {
  OpenedSubject opened;
  opened.subject = std::make_shared<Subject>();
  Subject& subject = *opened.subject;
  subject.name = path.filename().string();
  subject.source = path;
  subject.kind = "photo";
  SubjectFrame frame;
  frame.picture = path;
  subject.frames.push_back(frame);
  subject.facts.push_back("photo: " + path.string());
  return opened;
}

OpenedSubject openPhoto(const fs::path& path) {
  OpenedSubject opened = photoSubject(path);
  opened.photo = std::make_shared<const Photo>(readPhotoFile(path));
  setPhoto(*opened.subject, opened.photo);
  return opened;
}

// What its file's first bytes say of a picture; its last ones are not looked at.
std::optional<ImageHeader> headerOf(const fs::path& picture) {
  constexpr std::size_t kProbedBytes = 256 << 10;  // previews and colour profiles stand before the size
  std::ifstream file(picture, std::ios::binary);
  std::vector<std::uint8_t> bytes(kProbedBytes);
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  const std::optional<ImageHeader> header = parseImageHeader(bytes);
  if (header || bytes.size() < kProbedBytes) return header;
  return parseImageHeader(readBytes(picture));
}

// The frames of a clip have one size, as they are seen.
bool areFrames(const std::vector<fs::path>& pictures) {
  std::optional<std::pair<std::int64_t, std::int64_t>> first;
  for (const fs::path& picture : pictures) {
    const std::optional<ImageHeader> header = headerOf(picture);
    if (!header) continue;
    std::pair<std::int64_t, std::int64_t> size{header->width_px, header->height_px};
    if (header->orientation >= 5) std::swap(size.first, size.second);  // lies on its side
    if (!first) first = size;
    if (size != *first) return false;
  }
  return true;
}

// Of one that stopped after the detection: its photo, with what was found.
OpenedSubject openDetection(const fs::path& folder, const json& fit) {
  const fs::path photo = findPicture(fit["inputs"][0].value("path", ""), folder);
  if (photo.empty()) {
    fail(ErrorKind::kInput, (folder / "fit.json").string(),
         ": names no photo under inputs, path; run facet reconstruct again");
  }
  if (!fs::exists(photo)) {
    fail(ErrorKind::kInput, (folder / "fit.json").string(), ": its photo ", photo.string(),
         " is missing; put it beside the folder");
  }
  OpenedSubject opened = openPhoto(photo);
  addFitDetails(folder, *opened.subject);
  return opened;
}

OpenedSubject readResult(const fs::path& folder, const std::string& model_name, Session& session) {
  if (fs::exists(folder / "fit.json")) {
    const json fit = json::parse(readText(folder / "fit.json"), nullptr, /*allow_exceptions=*/false);
    if (fit.is_object() && !fit.contains("identity") && !fit.value("inputs", json::array()).empty())
      return openDetection(folder, fit);
  }
  Head head = openHead(folder.string(), model_name, session);
  OpenedSubject opened = subjectOf(std::move(head), titleOf(folder),
                                   fs::exists(folder / "fit.json") ? "reconstruction" : "clip");
  Subject& subject = *opened.subject;
  subject.source = folder;
  if (subject.is_clip) {
    addClipDetails(folder, opened);
  } else {
    for (SubjectFrame& frame : subject.frames) frame.picture = findPicture(frame.picture, folder);
    addFitDetails(folder, subject);
    addUncertainty(folder, subject.landmarks);
  }
  const fs::path displacement = folder / "maps/displacement.exr";
  if (fs::exists(displacement)) subject.displacement = std::make_shared<const ImageF>(readExr(displacement));
  return opened;
}

OpenedSubject openResultFolder(const fs::path& input, const std::string& model_name, Session& session) {
  const bool is_record = input.filename() == "fit.json" || input.filename() == "track.json";
  const fs::path folder = is_record ? (input.has_parent_path() ? input.parent_path() : ".") : input;
  const auto isOdd = [&folder](const std::exception& error) {
    const fs::path file = folder / (fs::exists(folder / "fit.json") ? "fit.json" : "track.json");
    fail(ErrorKind::kInput, file.string(), ": holds what no result has (", error.what(),
         "); it may come from another version of facet; make the result again");
  };
  try {
    return readResult(folder, model_name, session);
  } catch (const json::exception& error) {
    isOdd(error);
  } catch (const std::logic_error& error) {  // sizes and indices that do not fit
    isOdd(error);
  } catch (const fs::filesystem_error& error) {  // paths that no file can have
    isOdd(error);
  }
  return {};
}

OpenedSubject openClip(const fs::path& path, bool is_folder) {
  OpenedSubject opened;
  opened.subject = std::make_shared<Subject>();
  opened.clip = path;
  Subject& subject = *opened.subject;
  subject.name = titleOf(path);
  subject.source = path;
  subject.kind = "clip";
  subject.is_clip = true;
  VideoReader reader(path);
  subject.frames_per_second = reader.fps();
  std::vector<fs::path> pictures;
  if (is_folder) pictures = photosInFolder(path);
  int count = is_folder ? static_cast<int>(pictures.size()) : reader.expectedFrames().value_or(0);
  if (count == 0) {
    while (reader.next()) ++count;
  }
  for (int f = 0; f < count; ++f) {
    SubjectFrame frame;
    frame.number = f;
    frame.time_s = f / subject.frames_per_second;
    frame.picture = is_folder ? pictures[static_cast<std::size_t>(f)] : path;
    subject.frames.push_back(frame);
  }
  subject.facts.push_back("clip: " + path.string() + ", " + std::to_string(reader.width()) + " x " +
                          std::to_string(reader.height()));
  subject.facts.push_back(grouped(count) + " frames, " + fixed(subject.frames_per_second, 2) + " per second");
  return opened;
}

// The one image that all materials have, or none.
std::shared_ptr<const Image8> sharedImage(const std::vector<AssetMaterial>& materials) {
  for (const AssetMaterial& material : materials)
    if (material.base_colour != materials[0].base_colour) return nullptr;
  return materials.empty() ? nullptr : materials[0].base_colour;
}

// Triangles of the reference material by material, as orderLike() has those of the mesh.
std::vector<std::uint8_t> materialsInOrderOf(const MorphableModel& reference, const FaceAsset& asset) {
  if (asset.triangle_material.empty()) return {};
  std::vector<Eigen::Index> order(asset.triangle_material.size());
  std::iota(order.begin(), order.end(), Eigen::Index{0});
  if (!reference.triangle_material.empty()) {
    std::stable_sort(order.begin(), order.end(), [&](Eigen::Index a, Eigen::Index b) {
      return reference.triangle_material[a] < reference.triangle_material[b];
    });
  }
  std::vector<std::uint8_t> result(order.size());
  for (std::size_t f = 0; f < order.size(); ++f) result[order[f]] = asset.triangle_material[f];
  return result;
}

// The motion's weights as a take, for exports.
Take takeOfMotion(const FaceAsset& asset, double fps) {
  Take take;
  take.fps = fps;
  take.time_s.assign(asset.motion->time_s.begin(), asset.motion->time_s.end());
  for (double& time_s : take.time_s) time_s -= asset.motion->time_s.front();
  for (const AssetTarget& target : asset.targets) take.names.push_back(target.name);
  take.weights = asset.motion->weights.cwiseMax(0.0F).cwiseMin(1.0F);
  return take;
}

// The factor that makes a mesh as large as a head, where its size is one in no unit of length: it can be
// looked at all the same, with a note for the user. 1 for others.
float scaleToHead(const Points3& vertices, const LengthUnit& usual, std::vector<std::string>& facts) {
  try {
    std::vector<std::string> notes;
    millimetresPerUnit(vertices, usual, notes);
    return 1;
  } catch (const std::invalid_argument&) {
    const float size = (vertices.colwise().maxCoeff() - vertices.colwise().minCoeff()).maxCoeff();
    if (!(size > 0) || !std::isfinite(size)) return 1;
    facts.push_back("its unit of length is unknown (" + fixed(size, 2) + " units large): shown as " +
                    fixed(kAssumedHeight_mm, 0) + " mm, so that millimetres mean nothing");
    return kAssumedHeight_mm / (size * usual.millimetres);
  }
}

OpenedSubject openGltf(const fs::path& path) {
  FaceAsset asset = readGlb(path);
  OpenedSubject opened;
  Head& head = opened.record;
  std::vector<std::string> facts;
  const float scale = scaleToHead(1e-3F * asset.mesh.vertices, kMetres, facts);
  if (scale != 1) {
    asset.mesh.vertices *= scale;
    for (AssetTarget& target : asset.targets) target.displacement *= scale;
    if (asset.skin) asset.skin->positions *= scale;
  }
  std::vector<std::uint8_t> triangle_material = asset.triangle_material;
  try {
    head.model = modelFromAsset(asset, path);
    const MorphableModel builtin = loadModel("builtin");
    if (const auto order = orderLike(asset.mesh, builtin)) {
      triangle_material = materialsInOrderOf(builtin, asset);
      takeTopology(*order, builtin, head.model);
    }
  } catch (const std::invalid_argument& error) {
    fail(ErrorKind::kInput, path.string(), ": is not a head: ", error.what());
  }
  head.model_reference = modelReference(path.string());
  const auto image = sharedImage(asset.materials);
  if (image && image->channels() == 3 && image->width() == image->height() && head.model.hasUsableUv()) {
    head.texture = *image;
    if (asset.materials[0].normal) head.normal_map = *asset.materials[0].normal;
  }
  opened.completes_on_export = true;
  opened.subject = std::make_shared<Subject>();
  Subject& subject = *opened.subject;
  subject.name = path.filename().string();
  subject.source = path;
  subject.kind = "GLB";
  subject.model_reference = head.model_reference;
  subject.head = std::make_shared<ShapedHead>(head.model);
  subject.materials = std::move(asset.materials);
  subject.triangle_material = std::move(triangle_material);
  addMeshFacts(head.model, subject.facts);
  subject.facts.insert(subject.facts.end(), facts.begin(), facts.end());
  if (!asset.motion || asset.motion->time_s.empty()) return opened;
  const AssetMotion& motion = *asset.motion;
  const float duration_s = motion.time_s.back() - motion.time_s.front();
  subject.is_clip = true;
  subject.frames_per_second =
      duration_s > 0 ? static_cast<double>(motion.time_s.size() - 1) / duration_s : kUsualFps;
  for (std::size_t f = 0; f < motion.time_s.size(); ++f) {
    SubjectFrame frame;
    frame.number = static_cast<int>(f);
    frame.time_s = motion.time_s[f];
    if (!motion.world_from_model.empty()) frame.world_from_model = motion.world_from_model[f];
    setShape(*subject.head,
             motion.weights.rows() > 0
                 ? Eigen::VectorXf(motion.weights.row(static_cast<Eigen::Index>(f)).transpose())
                 : Eigen::VectorXf(),
             motion.pose.empty() ? Points3() : motion.pose[f], frame);
    subject.frames.push_back(std::move(frame));
  }
  applyTo(*subject.head, subject.frames[0]);
  if (motion.weights.size() > 0) opened.take = takeOfMotion(asset, subject.frames_per_second);
  subject.facts.push_back("animation of " + grouped(static_cast<std::int64_t>(subject.frames.size())) +
                          " frames, " + fixed(duration_s, 1) + " s");
  return opened;
}

// A mesh without sliders.
OpenedSubject openMesh(const fs::path& path, Mesh mesh, const char* kind) {
  OpenedSubject opened;
  std::vector<std::string> facts;
  mesh.vertices *= scaleToHead(mesh.vertices, kMillimetres, facts);
  opened.record.model = modelFromMesh(std::move(mesh), path);
  opened.record.model_reference = modelReference(path.string());
  opened.completes_on_export = true;
  opened.subject = std::make_shared<Subject>();
  Subject& subject = *opened.subject;
  subject.name = path.filename().string();
  subject.source = path;
  subject.kind = kind;
  subject.model_reference = opened.record.model_reference;
  subject.head = std::make_shared<ShapedHead>(opened.record.model);
  addMeshFacts(opened.record.model, subject.facts);
  subject.facts.insert(subject.facts.end(), facts.begin(), facts.end());
  return opened;
}

OpenedSubject openObj(const fs::path& path) {
  ObjFile file = parseObj(path);
  const std::vector<std::string> names = std::move(file.material_names);
  const std::vector<std::int32_t> triangle_material = std::move(file.triangle_material);
  OpenedSubject opened = openMesh(path, std::move(file.mesh), "OBJ");
  Subject& subject = *opened.subject;
  ObjMaterials materials = objMaterials(path, names, triangle_material);
  if (!materials.materials.empty()) subject.materials = std::move(materials.materials);
  subject.triangle_material = std::move(materials.triangle_material);
  for (std::string& note : materials.notes) subject.facts.push_back(std::move(note));
  const auto image = sharedImage(subject.materials);
  if (image && image->channels() == 3 && image->width() == image->height() &&
      opened.record.model.hasUsableUv())
    opened.record.texture = *image;
  return opened;
}

OpenedSubject openModel(const std::string& name, Session& session) {
  Head head;
  head.model = loadNamedModel(name, session);
  head.model_reference = modelReference(name);
  OpenedSubject opened =
      subjectOf(std::move(head), name == "builtin" ? "built-in head" : titleOf(name), "model");
  if (fs::exists(name)) opened.subject->source = name;
  opened.completes_on_export = name != "builtin";
  return opened;
}

}  // namespace

InputKind inputKind(const fs::path& input) {
  if (isResult(input)) return InputKind::kResult;
  const std::string extension = extensionOf(input);
  if (fs::is_directory(input)) {
    if (!resultsIn(input).empty()) return InputKind::kResults;
    if (looksLikeModelFolder(input)) return InputKind::kModel;
    const std::vector<fs::path> pictures = photosInFolder(input);
    if (!pictures.empty()) return areFrames(pictures) ? InputKind::kPhotoFolder : InputKind::kPhotos;
  } else {
    if (extension == ".glb" || extension == ".gltf") return InputKind::kGltf;
    if (extension == ".obj") return InputKind::kObj;
    if (extension == ".ply") return InputKind::kPly;
    if (extension == ".hdr" || extension == ".exr") return InputKind::kEnvironment;
    if (extension == ".json") return isParameters(input) ? InputKind::kParameters : InputKind::kTake;
    if (isTakeName(input)) return InputKind::kTake;
    if (isVideoName(input)) return InputKind::kVideo;
    if (isImageName(input)) return InputKind::kPhoto;
    static const std::set<std::string> kModels = {"",     ".npz", ".npy", ".mat", ".h5",
                                                  ".pkl", ".bin", ".zip", ".pt"};
    if (!fs::exists(input) || kModels.count(extension) > 0) return InputKind::kModel;
  }
  fail(ErrorKind::kInput, input.string(),
       ": nothing that can be looked at; there are photos, videos, folders of photos, results of facet "
       "reconstruct and track, .glb, .gltf, .obj and .ply heads, model files, takes (.csv, .json), "
       "parameters (.json) and panoramas (.hdr, .exr)");
}

std::vector<fs::path> resultsIn(const fs::path& folder) {
  std::vector<fs::path> results;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (!entry.is_directory()) continue;
    if (isResult(entry.path())) {
      results.push_back(entry.path());
    } else if (fs::exists(entry.path() / "face0/fit.json")) {
      for (const fs::path& face : resultsIn(entry.path())) results.push_back(face);
    }
  }
  std::sort(results.begin(), results.end());
  return results;
}

OpenedSubject openSubject(const std::string& input, const std::string& model_name, Session& session) {
  switch (inputKind(input)) {
    case InputKind::kResult:
      return openResultFolder(input, model_name, session);
    case InputKind::kPhoto:
      if (!fs::exists(input)) fail(ErrorKind::kInput, input, ": no such file");
      return openPhoto(input);
    case InputKind::kVideo:
      return openClip(input, false);
    case InputKind::kPhotoFolder:
      return openClip(input, true);
    case InputKind::kGltf:
      return openGltf(input);
    case InputKind::kObj:
      return openObj(input);
    case InputKind::kPly:
      return openMesh(input, readPly(input), "PLY");
    case InputKind::kModel:
      return openModel(input, session);
    case InputKind::kResults:
      fail(ErrorKind::kUsage, input, ": holds several results; open one of them, such as ",
           resultsIn(input)[0].string());
    case InputKind::kPhotos:
      fail(ErrorKind::kUsage, input, ": holds photos of several sizes; open one of them, such as ",
           photosInFolder(input)[0].string());
    default:
      fail(ErrorKind::kUsage, input, ": is no head; open one first");
  }
}

OpenedSubject waitingPhoto(const fs::path& path) {
  if (!headerOf(path)) fail(ErrorKind::kInput, path.string(), ": is not a photo that can be read");
  return photoSubject(path);
}

void setPhoto(Subject& subject, const std::shared_ptr<const Photo>& photo) {
  subject.photo = std::shared_ptr<const Image8>(photo, &photo->pixels);
  subject.facts.push_back(sizeOf(photo->pixels) + " pixels");
}

OpenedSubject subjectOf(Head head, const std::string& name, const std::string& kind) {
  OpenedSubject opened;
  opened.subject = std::make_shared<Subject>();
  Subject& subject = *opened.subject;
  subject.name = name;
  subject.kind = kind;
  subject.model_reference = head.model_reference;
  auto shaped = std::make_shared<ShapedHead>(head.model);
  if (head.identity.size() > 0) shaped->setAll(ShapeGroup::kIdentity, head.identity);
  if (head.albedo.size() > 0 && head.albedo.size() <= head.model.numAlbedo())
    shaped->setAll(ShapeGroup::kAlbedo, head.albedo);
  subject.frames = framesOf(head, *shaped);
  for (const SubjectFrame& frame : subject.frames) {
    if (!frame.camera) continue;
    applyTo(*shaped, frame);
    break;
  }
  subject.head = std::move(shaped);
  subject.materials = plainMaterials(head);
  subject.triangle_material =
      head.model.material_names.empty() ? std::vector<std::uint8_t>() : head.model.triangle_material;
  subject.photo_light = head.light;
  subject.is_clip = head.is_clip;
  subject.frames_per_second = head.frames_per_second;
  addMeshFacts(head.model, subject.facts);
  if (!head.texture.empty()) subject.facts.push_back("texture of " + sizeOf(head.texture));
  opened.record = std::move(head);
  return opened;
}

std::vector<AssetMaterial> plainMaterials(const Head& head) {
  HeadTextures textures;
  if (!head.texture.empty()) textures.base_colour = std::make_shared<const Image8>(head.texture);
  HeadAssetOptions options;
  options.targets = TargetSet::kNone;
  std::vector<AssetMaterial> materials =
      headAsset(head.model, head.model.mean, textures, meanSkinAlbedo(), options).materials;
  if (!textures.base_colour && head.model.albedo_mean.rows() > 0) {
    // The vertices have colours of their own.
    for (AssetMaterial& material : materials) material.base_colour_factor.setOnes();
  }
  return materials;
}

std::vector<AssetMaterial> finishedMaterials(const Head& head) {
  HeadSurface surface{head.texture, head.visibility, head.normal_map};
  const bool has_texture = !head.texture.empty();
  if (!has_texture && head.model.hasUsableUv())
    surface.base_colour = Image8(kModelTextureSize_px, kModelTextureSize_px, 3, 255);
  const HeadTextures textures = headTextures(head.model, head.neutral(), std::move(surface));
  HeadAssetOptions options;
  options.targets = TargetSet::kNone;
  std::vector<AssetMaterial> materials =
      headAsset(head.model, head.model.mean, textures, meanSkinAlbedo(), options).materials;
  if (has_texture) return materials;
  const bool has_colours = head.model.albedo_mean.rows() > 0;
  for (AssetMaterial& material : materials) {
    material.base_colour = nullptr;
    material.base_colour_factor = has_colours ? Eigen::Vector3f(Eigen::Vector3f::Ones()) : meanSkinAlbedo();
  }
  return materials;
}

Head headOf(const OpenedSubject& opened, bool as_shown, int current_frame) {
  Head head = opened.record;
  const Subject& subject = *opened.subject;
  if (!subject.head) return head;
  ShapedHead& shaped = *subject.head;
  if (head.model.numIdentity() > 0 && (head.identity.size() > 0 || !shaped.identity().isZero(0)))
    head.identity = shaped.identity();
  const Eigen::VectorXf& albedo = shaped.values(ShapeGroup::kAlbedo);
  // Put back to rest, too, unless what was fitted has no sliders.
  const bool was_fitted = head.albedo.size() > 0 && head.albedo.size() <= albedo.size();
  if (was_fitted || !albedo.isZero(0)) {
    head.albedo = albedo;
    if (head.texture.empty()) head.model.albedo_mean = head.model.albedoColours(head.albedo);
  }
  if (!as_shown) return head;
  head.shown = shaped.vertices();
  // A still of what is shown.
  const auto seen = std::find_if(head.frames.begin(), head.frames.end(),
                                 [&](const HeadFrame& frame) { return frame.number == current_frame; });
  if (seen != head.frames.end()) {
    HeadFrame frame = std::move(*seen);
    frame.number = 0;
    frame.time_s = 0;
    frame.expression = shaped.expression();
    frame.pose = shaped.pose();
    head.frames.assign(1, std::move(frame));
    head.time_s.assign(1, 0);
  } else {
    head.frames.clear();
    head.time_s.clear();
  }
  head.is_clip = false;
  return head;
}

std::vector<SubjectFrame> framesOf(const Take& take, const ShapedHead& head,
                                   std::vector<std::string>* missing) {
  std::vector<std::string> names;
  for (const ShapeControl& control : head.controls(ShapeGroup::kShapes)) names.push_back(control.name);
  const MatchedWeights matched = weightsFor(take, names);
  if (take.numShapes() > 0 && static_cast<int>(matched.missing.size()) == take.numShapes()) {
    fail(ErrorKind::kInput, "none of the take's ", take.numShapes(), " curves has a shape in ",
         head.model().name, "; the first is ", take.names[0]);
  }
  if (missing != nullptr) *missing = matched.missing;
  const std::array<Points3, 2> eyes = eyeAngles(take);
  const Points3& mean = head.model().mean;
  const Eigen::Vector3f middle = 0.5F * (mean.colwise().minCoeff() + mean.colwise().maxCoeff()).transpose();
  std::vector<SubjectFrame> frames(static_cast<std::size_t>(take.numFrames()));
  for (int f = 0; f < take.numFrames(); ++f) {
    SubjectFrame& frame = frames[static_cast<std::size_t>(f)];
    frame.number = f;
    frame.time_s = take.time_s[static_cast<std::size_t>(f)];
    frame.shapes = matched.weights.row(f).transpose();
    const Points3 pose = eyePose(head.model(), {rotationFromAngles(eyes[0].row(f).transpose()),
                                                rotationFromAngles(eyes[1].row(f).transpose())});
    frame.joints_deg =
        Eigen::Map<const Eigen::VectorXf>(pose.data(), pose.size()) * static_cast<float>(180 / M_PI);
    if (take.head_deg.rows() == 0) continue;
    frame.world_from_model.linear() = rotationFromAngles(take.head_deg.row(f).transpose());
    frame.world_from_model.translation() = middle - frame.world_from_model.linear() * middle;
  }
  return frames;
}

LandmarkSet landmarksFrom(const Npz& arrays, const std::string& key) {
  LandmarkSet set;
  const auto positions = arrays.find(key), sigma = arrays.find(key + "_sigma_px");
  if (positions != arrays.end()) {
    const std::vector<float> list = positions->second.asFloat();
    set.positions_px = Eigen::Map<const Points2>(list.data(), static_cast<Eigen::Index>(list.size() / 2), 2);
  }
  if (sigma != arrays.end()) {
    const std::vector<float> list = sigma->second.asFloat();
    const auto count = static_cast<Eigen::Index>(list.size());
    if (positions == arrays.end() || count == set.positions_px.rows())
      set.sigma_px = Eigen::Map<const Eigen::VectorXf>(list.data(), count);
  }
  return set;
}

std::string grouped(std::int64_t count) {
  const std::string digits = std::to_string(count);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0 && digits[i - 1] != '-') text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace facet
