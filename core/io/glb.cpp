// glTF 2.0 specification, Khronos Group, 2021: sections 3.7 (meshes, morph targets, skins), 3.9 (materials),
// 3.10 (cameras), 3.11 (animations); the extensions KHR_materials_specular, KHR_materials_ior and
// KHR_mesh_quantization.
#include "core/io/glb.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/io/files.h"
#include "core/io/glb_builder.h"
#include "core/io/image_io.h"
#include "core/parallel.h"
#include "core/split_mesh.h"

namespace facet {
namespace {

using Json = GlbBuilder::Json;

constexpr float kMetresPerMillimetre = 1e-3F;
// A target moves a vertex that goes further than this; less is rounding.
constexpr float kMinMove_m = 1e-7F, kMinNormalChange = 1e-4F;
constexpr float kLargestShort = 32767;
// Numbers that glTF inherits from OpenGL.
constexpr int kLinear = 9729, kLinearMipmapLinear = 9987, kClampToEdge = 33071;

Json jsonFrom(const Eigen::Ref<const Eigen::VectorXf>& values) {
  return std::vector<float>(values.begin(), values.end());
}

// glTF's order, which is Eigen's.
Eigen::Vector4f xyzw(const Eigen::Quaternionf& rotation) { return rotation.normalized().coeffs(); }

// Metres of the asset from what the file stores.
struct Placement {
  float scale = 1;
  Eigen::Vector3f offset_m = Eigen::Vector3f::Zero();
};

// Quantised, the largest coordinate and the largest displacement fit in 16 bits.
Placement placementOf(const FaceAsset& asset, const Points3& positions_m, bool quantised) {
  if (!quantised) return {};
  const Eigen::Vector3f low = positions_m.colwise().minCoeff(), high = positions_m.colwise().maxCoeff();
  float reach_m = std::max(0.5F * (high - low).maxCoeff(), kMinMove_m);
  for (const AssetTarget& target : asset.targets)
    reach_m = std::max(reach_m, kMetresPerMillimetre * target.displacement.cwiseAbs().maxCoeff());
  return {reach_m / kLargestShort, 0.5F * (low + high)};
}

// Writes one asset; each member function adds one part of it.
class AssetWriter {
 public:
  AssetWriter(const FaceAsset& asset, const WriteGlbOptions& options)
      : asset_(asset),
        options_(options),
        split_(splitAtSeams(asset.mesh)),
        positions_m_(kMetresPerMillimetre * asset.mesh.vertices),
        // Normals belong to the welded mesh, so that both sides of a seam get the same ones.
        normals_(asset.vertexNormals()),
        placement_(placementOf(asset, positions_m_, options.quantised)) {}

  std::vector<std::uint8_t> write() {
    if (!asset_.extras_json.empty()) {
      Json extras = Json::parse(asset_.extras_json, nullptr, /*allow_exceptions=*/false);
      require(extras.is_object(), "writeGlb: extras_json is not a JSON object");
      glb_.json["asset"]["extras"] = std::move(extras);
    }
    glb_.json["scene"] = 0;
    glb_.append("scenes", {{"nodes", Json::array()}});
    const int mesh = addMesh();
    addNodes(mesh);
    if (asset_.camera) addCamera(*asset_.camera);
    if (asset_.motion) addAnimation(*asset_.motion);
    if (!extensions_.empty()) glb_.json["extensionsUsed"] = extensions_;
    if (options_.quantised) glb_.json["extensionsRequired"] = {"KHR_mesh_quantization"};
    return glb_.finish();
  }

 private:
  void use(const char* extension) {
    if (std::find(extensions_.begin(), extensions_.end(), extension) == extensions_.end())
      extensions_.emplace_back(extension);
  }

  GlbEncoding encoding(GlbEncoding quantised) const {
    return options_.quantised ? quantised : GlbEncoding::kFloat;
  }

  int addPositions() {
    Points3 stored = gatherRows(positions_m_, split_.source);
    if (options_.quantised) {
      use("KHR_mesh_quantization");
      stored = (stored.rowwise() - placement_.offset_m.transpose()) / placement_.scale;
    }
    return glb_.addVertices(stored, true, encoding(GlbEncoding::kShort));
  }

  int addMesh() {
    const Mesh& mesh = asset_.mesh;
    const Points3 normals = gatherRows(normals_, split_.source);
    Json attributes = {{"POSITION", addPositions()},
                       {"NORMAL", glb_.addVertices(normals, false, encoding(GlbEncoding::kByteNormalized))}};
    const auto has_normal_map = [](const AssetMaterial& material) { return material.normal != nullptr; };
    if (mesh.hasUv()) {
      Points2 uv = gatherRows(mesh.uv, split_.uv_source);
      if (std::any_of(asset_.materials.begin(), asset_.materials.end(), has_normal_map)) {
        const Points4 tangents =
            vertexTangents(gatherRows(positions_m_, split_.source), normals, uv, split_.triangles);
        attributes["TANGENT"] = glb_.addVertices(tangents, false, encoding(GlbEncoding::kByteNormalized));
      }
      uv.col(1) = 1 - uv.col(1).array();  // glTF counts v from the top
      attributes["TEXCOORD_0"] = glb_.addVertices(uv, false, encoding(GlbEncoding::kUnsignedShortNormalized));
    }
    if (asset_.skin) addInfluences(asset_.skin->weights, attributes);
    const Json targets = addTargets();
    Json target_names = Json::array();
    for (const AssetTarget& target : asset_.targets) target_names.push_back(target.name);

    encodeImages();
    // One primitive per material that has triangles; all share the vertices.
    Json primitives = Json::array();
    for (std::size_t m = 0; m < asset_.materials.size(); ++m) {
      const std::vector<std::uint32_t> indices = indicesOf(m);
      if (indices.empty()) continue;
      Json own_attributes = attributes;
      if (!asset_.materials[m].normal) own_attributes.erase("TANGENT");
      Json primitive = {{"attributes", own_attributes},
                        {"indices", glb_.addIndices(indices, split_.source.size())},
                        {"material", addMaterial(asset_.materials[m])}};
      if (!targets.empty()) {
        primitive["targets"] = targets;
        primitive["extras"] = {{"targetNames", target_names}};
      }
      primitives.push_back(std::move(primitive));
    }
    Json gltf_mesh = {{"name", asset_.name}, {"primitives", primitives}};
    if (!targets.empty()) {
      gltf_mesh["weights"] = std::vector<float>(asset_.targets.size(), 0);
      gltf_mesh["extras"] = {{"targetNames", target_names}};
    }
    return glb_.append("meshes", std::move(gltf_mesh));
  }

  std::vector<std::uint32_t> indicesOf(std::size_t material) const {
    std::vector<std::uint32_t> indices;
    for (Eigen::Index f = 0; f < split_.triangles.rows(); ++f) {
      const std::size_t own = asset_.triangle_material.empty() ? 0 : asset_.triangle_material[f];
      if (own != material) continue;
      for (int corner = 0; corner < 3; ++corner)
        indices.push_back(static_cast<std::uint32_t>(split_.triangles(f, corner)));
    }
    return indices;
  }

  // Up to four joints per vertex, as JOINTS_0 and WEIGHTS_0.
  void addInfluences(const Eigen::MatrixXf& weights, Json& attributes) {
    const auto count = static_cast<Eigen::Index>(split_.source.size());
    const auto num_joints = static_cast<int>(weights.cols());
    std::vector<std::uint8_t> joints(4 * split_.source.size(), 0);
    Points4 shares = Points4::Zero(count, 4);
    std::vector<int> order(num_joints);
    for (Eigen::Index i = 0; i < count; ++i) {
      const Eigen::RowVectorXf row = weights.row(split_.source[i]);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&row](int a, int b) { return row[a] > row[b]; });
      for (int k = 0; k < std::min(4, num_joints); ++k) {
        if (!(row[order[k]] > 0)) break;
        joints[4 * i + k] = static_cast<std::uint8_t>(order[k]);
        shares(i, k) = row[order[k]];
      }
      shares.row(i) /= shares.row(i).sum();
    }
    attributes["JOINTS_0"] = glb_.addJoints(joints);
    attributes["WEIGHTS_0"] = glb_.addVertices(shares);
  }

  struct TargetDeltas {
    Points3 position, normal;  // V×3 as stored, exact zeros where nothing moves
  };

  Json addTargets() {
    std::vector<TargetDeltas> deltas(asset_.targets.size());
    parallelFor(static_cast<int>(deltas.size()), 1, [&](int begin, int end) {
      for (int t = begin; t < end; ++t) {
        const Points3& displacement = asset_.targets[t].displacement;
        TargetDeltas& delta = deltas[t];
        delta.position = kMetresPerMillimetre * displacement;
        delta.normal = asset_.normalChange(asset_.targets[t], normals_);
        for (Eigen::Index v = 0; v < normals_.rows(); ++v) {
          if (delta.position.row(v).cwiseAbs().maxCoeff() < kMinMove_m) delta.position.row(v).setZero();
          if (delta.normal.row(v).cwiseAbs().maxCoeff() < kMinNormalChange) delta.normal.row(v).setZero();
        }
        delta.position = gatherRows(delta.position, split_.source) / placement_.scale;
        delta.normal = gatherRows(delta.normal, split_.source);
      }
    });
    Json targets = Json::array();
    for (const TargetDeltas& delta : deltas) {
      targets.push_back(
          {{"POSITION", glb_.addDisplacements(delta.position, true, encoding(GlbEncoding::kShort))},
           {"NORMAL", glb_.addDisplacements(delta.normal, false, encoding(GlbEncoding::kByteNormalized))}});
    }
    return targets;
  }

  using SharedImage = std::shared_ptr<const Image8>;

  // PNGs of all images, each once.
  void encodeImages() {
    std::vector<SharedImage> images;
    for (const AssetMaterial& material : asset_.materials) {
      for (const SharedImage& image : {material.base_colour, material.occlusion_roughness, material.normal}) {
        if (image && std::find(images.begin(), images.end(), image) == images.end()) images.push_back(image);
      }
    }
    std::vector<std::vector<std::uint8_t>> encoded(images.size());
    parallelFor(static_cast<int>(images.size()), 1, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) encoded[i] = encodePng(*images[i]);
    });
    for (std::size_t i = 0; i < images.size(); ++i) pngs_[images[i]] = std::move(encoded[i]);
  }

  Json textureOf(const SharedImage& image, const std::string& name) {
    const auto known = textures_.find(image);
    if (known != textures_.end()) return {{"index", known->second}};
    if (!glb_.json.contains("samplers")) {
      glb_.append("samplers", {{"magFilter", kLinear},
                               {"minFilter", kLinearMipmapLinear},
                               {"wrapS", kClampToEdge},
                               {"wrapT", kClampToEdge}});
    }
    const std::vector<std::uint8_t>& png = pngs_.at(image);
    const int source = glb_.append(
        "images",
        {{"name", name}, {"bufferView", glb_.addView(png.data(), png.size())}, {"mimeType", "image/png"}});
    const int texture = glb_.append("textures", {{"sampler", 0}, {"source", source}});
    textures_[image] = texture;
    return {{"index", texture}};
  }

  int addMaterial(const AssetMaterial& material) {
    const Eigen::Vector3f& factor = material.base_colour_factor;
    Json surface = {{"baseColorFactor", {factor.x(), factor.y(), factor.z(), 1.0F}},
                    {"metallicFactor", 0},
                    {"roughnessFactor", material.roughness}};
    Json entry = {{"name", material.name}};
    if (material.base_colour) {
      surface["baseColorTexture"] = textureOf(material.base_colour, asset_.name + "_basecolor");
      if (material.base_colour->channels() == 4) entry["alphaMode"] = "MASK";
    }
    if (material.occlusion_roughness) {
      surface["metallicRoughnessTexture"] = textureOf(material.occlusion_roughness, asset_.name + "_orm");
      entry["occlusionTexture"] = textureOf(material.occlusion_roughness, asset_.name + "_orm");
    }
    if (material.normal) entry["normalTexture"] = textureOf(material.normal, asset_.name + "_normal");
    entry["pbrMetallicRoughness"] = surface;
    if (material.double_sided) entry["doubleSided"] = true;
    entry["extensions"] = {{"KHR_materials_specular", {{"specularFactor", material.specular}}},
                           {"KHR_materials_ior", {{"ior", material.ior}}}};
    use("KHR_materials_specular"), use("KHR_materials_ior");
    return glb_.append("materials", std::move(entry));
  }

  int addNode(Json node, int parent = -1) {
    const int index = glb_.append("nodes", std::move(node));
    Json& siblings = parent < 0 ? glb_.json["scenes"][0]["nodes"] : glb_.json["nodes"][parent]["children"];
    siblings.push_back(index);
    return index;
  }

  // The mesh and what moves it: its joints, and a node that carries the whole head. What a skin holds must
  // not have transforms of its own, so there the carrying node is the parent of the joints.
  void addNodes(int mesh) {
    Json mesh_node = {{"name", asset_.name}, {"mesh", mesh}};
    if (asset_.skin) {
      const int mesh_index = addNode(std::move(mesh_node));
      carrier_ = addNode({{"name", asset_.name + "_rig"}});
      const int skin = addSkin(*asset_.skin);
      glb_.json["nodes"][mesh_index]["skin"] = skin;
      mesh_node_ = mesh_index;
      return;
    }
    const bool is_carried = asset_.motion && !asset_.motion->world_from_model.empty();
    if (options_.quantised) {
      mesh_node["scale"] = std::vector<float>(3, placement_.scale);
      mesh_node["translation"] = jsonFrom(placement_.offset_m);
      if (is_carried) carrier_ = addNode({{"name", asset_.name + "_motion"}});
    }
    mesh_node_ = addNode(std::move(mesh_node), carrier_);
    if (carrier_ < 0) carrier_ = mesh_node_;
  }

  int addSkin(const AssetSkin& skin) {
    const Points3 joints_m = kMetresPerMillimetre * skin.positions;
    GlbBuilder::Rows inverse_binds(joints_m.rows(), 16);
    for (Eigen::Index j = 0; j < joints_m.rows(); ++j) {
      Eigen::RowVector3f offset_m = joints_m.row(j);
      if (skin.parent[j] >= 0) offset_m -= joints_m.row(skin.parent[j]);
      joint_nodes_.push_back(
          addNode({{"name", skin.names[j]}, {"translation", jsonFrom(offset_m.transpose())}},
                  skin.parent[j] < 0 ? carrier_ : joint_nodes_[skin.parent[j]]));
      Eigen::Matrix4f inverse_bind = Eigen::Matrix4f::Identity();  // column-major, as glTF has it
      inverse_bind.topLeftCorner<3, 3>() *= placement_.scale;      // what the mesh's node cannot do
      inverse_bind.topRightCorner<3, 1>() = placement_.offset_m - joints_m.row(j).transpose();
      inverse_binds.row(j) = Eigen::Map<const Eigen::RowVector<float, 16>>(inverse_bind.data());
    }
    return glb_.append("skins", {{"joints", joint_nodes_},
                                 {"skeleton", joint_nodes_[0]},
                                 {"inverseBindMatrices", glb_.addValues(inverse_binds, "MAT4")}});
  }

  void addCamera(const Camera& camera) {
    const auto width = static_cast<float>(camera.width_px), height = static_cast<float>(camera.height_px);
    const Eigen::Isometry3f world_from_camera = camera.camera_from_model.inverse();
    constexpr float kNear_m = 0.01F, kFar_m = 100;
    Json lens = {{"name", "camera"},
                 {"extras",
                  {{"principal_point_px", {camera.principal_px.x(), camera.principal_px.y()}},
                   {"width_px", camera.width_px},
                   {"height_px", camera.height_px}}}};
    if (camera.projection == Camera::Projection::kPerspective) {
      lens["type"] = "perspective";
      lens["perspective"] = {{"aspectRatio", width / height},
                             {"yfov", 2 * std::atan(0.5F * height / camera.focal_px)},
                             {"znear", kNear_m},
                             {"zfar", kFar_m}};
      lens["extras"]["focal_px"] = camera.focal_px;
    } else {
      const float metres_per_pixel = kMetresPerMillimetre / camera.scale_px_per_mm;
      lens["type"] = "orthographic";
      lens["orthographic"] = {{"xmag", 0.5F * width * metres_per_pixel},
                              {"ymag", 0.5F * height * metres_per_pixel},
                              {"znear", kNear_m},
                              {"zfar", kFar_m}};
    }
    // A glTF camera looks along -z with y up; ours along +z with y down.
    const Eigen::Quaternionf rotation(world_from_camera.linear() *
                                      Eigen::Vector3f(1, -1, -1).asDiagonal().toDenseMatrix());
    addNode({{"name", "camera"},
             {"camera", glb_.append("cameras", std::move(lens))},
             {"rotation", jsonFrom(xyzw(rotation))},
             {"translation", jsonFrom(kMetresPerMillimetre * world_from_camera.translation())}});
  }

  void addChannel(Json& animation, int times, const GlbBuilder::Rows& values, const char* type, int node,
                  const char* path) {
    animation["samplers"].push_back(
        {{"input", times}, {"output", glb_.addValues(values, type)}, {"interpolation", "LINEAR"}});
    animation["channels"].push_back(
        {{"sampler", animation["samplers"].size() - 1}, {"target", {{"node", node}, {"path", path}}}});
  }

  void addAnimation(const AssetMotion& motion) {
    const auto num_frames = static_cast<Eigen::Index>(motion.time_s.size());
    Json animation = {{"name", "take"}, {"samplers", Json::array()}, {"channels", Json::array()}};
    const Eigen::Map<const Eigen::VectorXf> time_s(motion.time_s.data(), num_frames);
    const int times = glb_.addValues(time_s, "SCALAR", true);
    if (motion.weights.cols() > 0) {
      const GlbBuilder::Rows frame_by_frame = motion.weights;
      const Eigen::Map<const Eigen::VectorXf> in_a_row(frame_by_frame.data(), frame_by_frame.size());
      addChannel(animation, times, in_a_row, "SCALAR", mesh_node_, "weights");
    }
    if (!motion.world_from_model.empty()) {
      Points3 translation_m(num_frames, 3);
      Points4 rotation(num_frames, 4);
      for (Eigen::Index f = 0; f < num_frames; ++f) {
        const Eigen::Isometry3f& pose = motion.world_from_model[f];
        translation_m.row(f) = kMetresPerMillimetre * pose.translation().transpose();
        rotation.row(f) = xyzw(Eigen::Quaternionf(pose.linear())).transpose();
      }
      addRotation(animation, times, rotation, carrier_);
      addChannel(animation, times, translation_m, "VEC3", carrier_, "translation");
    }
    for (std::size_t j = 0; j < joint_nodes_.size() && !motion.pose.empty(); ++j) {
      Points4 rotation(num_frames, 4);
      for (Eigen::Index f = 0; f < num_frames; ++f) {
        const Eigen::Vector3f turn = motion.pose[f].row(static_cast<Eigen::Index>(j)).transpose();
        const float angle = turn.norm();
        const Eigen::Vector3f axis = angle > 0 ? Eigen::Vector3f(turn / angle) : Eigen::Vector3f::UnitX();
        rotation.row(f) = xyzw(Eigen::Quaternionf(Eigen::AngleAxisf(angle, axis))).transpose();
      }
      addRotation(animation, times, rotation, joint_nodes_[j]);
    }
    glb_.append("animations", std::move(animation));
  }

  // Players blend the four numbers from key to key: of a rotation and its negative, which are one turn, the
  // one nearer to the key before.
  void addRotation(Json& animation, int times, Points4 rotation, int node) {
    for (Eigen::Index f = 1; f < rotation.rows(); ++f) {
      if (rotation.row(f).dot(rotation.row(f - 1)) < 0) rotation.row(f) *= -1;
    }
    addChannel(animation, times, rotation, "VEC4", node, "rotation");
  }

  const FaceAsset& asset_;
  const WriteGlbOptions& options_;
  const SplitMesh split_;
  const Points3 positions_m_, normals_;  // V×3
  const Placement placement_;
  GlbBuilder glb_;
  std::vector<std::string> extensions_;
  std::map<SharedImage, std::vector<std::uint8_t>> pngs_;
  std::map<SharedImage, int> textures_;
  int mesh_node_ = -1, carrier_ = -1;
  std::vector<int> joint_nodes_;
};

}  // namespace

void writeGlb(const std::filesystem::path& path, const FaceAsset& asset, const WriteGlbOptions& options) {
  asset.check("writeGlb");
  const std::vector<std::uint8_t> file = AssetWriter(asset, options).write();
  writeBytes(path, file.data(), file.size());
}

}  // namespace facet
