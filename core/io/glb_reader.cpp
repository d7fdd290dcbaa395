// glTF 2.0 specification, Khronos Group, 2021; sections 3.5 (nodes), 3.7 (meshes, morph targets, skins), 3.9
// (materials) and 3.11 (animations); the extensions KHR_mesh_quantization, KHR_texture_transform,
// KHR_materials_ior and KHR_materials_specular.
#include "core/io/glb_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/gltf_file.h"
#include "core/io/image_header.h"
#include "core/io/image_io.h"
#include "core/parallel.h"

namespace facet {
namespace {

using Json = GltfFile::Json;
using Kind = Json::value_t;
constexpr std::size_t kNone = GltfFile::kNone;

constexpr float kMillimetresPerMetre = 1000;
// Joints that stand this close to where they were bound move no vertex worth a change of its digits.
constexpr double kBindTolerance = 1e-5;
constexpr std::size_t kMaxJoints = 255, kMaxMaterials = 256, kMaxInfluenceSets = 4;
constexpr std::uint64_t kPrimitiveOverhead = 1024;  // bytes; an empty primitive costs time, too
constexpr std::size_t kMaxDecodedAhead = 8;
constexpr int kMaxTexturePixels = 67'108'864;  // 8192²
constexpr std::uint64_t kMinChannels = 3;      // of a decoded texture, a byte each
// Primitive modes, numbers that glTF inherits from OpenGL.
constexpr std::size_t kTriangles = 4, kTriangleStrip = 5, kTriangleFan = 6;

struct Node {
  std::size_t parent = kNone, mesh = kNone, skin = kNone;
  Eigen::Vector3d translation = Eigen::Vector3d::Zero(), scale = Eigen::Vector3d::Ones();
  Eigen::Quaterniond rotation = Eigen::Quaterniond::Identity();
  std::optional<Eigen::Matrix4d> matrix;

  Eigen::Affine3d parentFromNode() const {
    if (matrix) return Eigen::Affine3d(*matrix);
    return Eigen::Translation3d(translation) * rotation * Eigen::Scaling(scale);
  }
};

// Vertices of one primitive, or of several that share them.
struct Piece {
  std::size_t node = 0;
  Points3 positions_mm;                // N×3, model frame
  std::vector<Points3> displacements;  // per target of the node's mesh; N×3 mm, or empty: none moves
  Points2 uv;                          // N×2, origin at the bottom, or empty
  Eigen::MatrixXf joint_weights;       // N×joints of the file, or empty
};

struct Corners {
  std::size_t piece = 0, material = kNone;
  std::vector<std::uint32_t> triangles;  // 3 per triangle, into the piece
};

// The rotation of a rigid motion with any scale taken out.
Eigen::Matrix3d rotationOf(const Eigen::Affine3d& transform) {
  Eigen::Matrix3d axes = transform.linear();
  for (int c = 0; c < 3; ++c) {
    const double length = axes.col(c).norm();
    require(length > 1e-12, "a node flattens what it holds: its scale is 0");
    axes.col(c) /= length;
  }
  return Eigen::Quaterniond(axes).normalized().toRotationMatrix();
}

// `stem`, with a number after it when it is taken; it is taken from now on.
std::string uniqueName(const std::string& stem, std::set<std::string>& taken) {
  std::string name = stem;
  for (std::size_t number = taken.size(); !taken.insert(name).second; ++number)
    name = stem + '_' + std::to_string(number);
  return name;
}

class AssetReader {
 public:
  explicit AssetReader(const GltfFile& file) : file_(file) {}

  FaceAsset read() {
    readNodes();
    collectJoints();
    for (const std::size_t node : order_) {
      if (nodes_[node].mesh != kNone) readMesh(node);
    }
    require(!corners_.empty(), "holds no mesh of triangles in its scene");
    FaceAsset asset;
    decodeAhead();
    readMaterials(asset);
    joinPieces(asset);
    if (!joints_.empty()) arrangeJoints(asset);
    readMotion(asset);
    readNames(asset);
    return asset;
  }

 private:
  // ---- Nodes ----

  void readNodes() {
    const std::size_t num_nodes = file_.list("nodes").size();
    nodes_.resize(num_nodes);
    for (std::size_t n = 0; n < num_nodes; ++n) {
      const Json& entry = file_.entry("nodes", n);
      Node& node = nodes_[n];
      node.mesh = GltfFile::index(entry, "mesh");
      node.skin = GltfFile::index(entry, "skin");
      if (entry.contains("matrix")) {
        const auto m = GltfFile::numbers(entry, "matrix", std::vector<float>(16));
        node.matrix = Eigen::Map<const Eigen::Matrix4f>(m.data()).cast<double>();
        node.matrix->row(3) << 0, 0, 0, 1;
      }
      const auto t = GltfFile::numbers(entry, "translation", {0, 0, 0});
      const auto s = GltfFile::numbers(entry, "scale", {1, 1, 1});
      const auto r = GltfFile::numbers(entry, "rotation", {0, 0, 0, 1});
      node.translation << t[0], t[1], t[2];
      node.scale << s[0], s[1], s[2];
      const Eigen::Quaterniond rotation(r[3], r[0], r[1], r[2]);
      require(rotation.norm() > 1e-6, "node ", n, " has a rotation of length 0");
      node.rotation = rotation.normalized();
      for (const std::size_t child : childrenOf(entry)) {
        require(nodes_[child].parent == kNone && child != n, "node ", child, " has two parents");
        nodes_[child].parent = n;
      }
    }
    std::vector<std::size_t> to_visit;
    const Json& scenes = file_.list("scenes");
    if (scenes.empty()) {
      for (std::size_t n = 0; n < num_nodes; ++n) {
        if (nodes_[n].parent == kNone) to_visit.push_back(n);
      }
    } else {
      to_visit = indexList(file_.entry("scenes", GltfFile::count(file_.root(), "scene", 0)), "nodes");
    }
    for (const std::size_t root : to_visit)
      require(nodes_[root].parent == kNone, "its scene lists node ", root, ", which is another node's child");
    // Depth first, parents before their children, in the file's order; a node in a ring has no way in.
    std::reverse(to_visit.begin(), to_visit.end());
    std::vector<bool> seen(num_nodes);
    while (!to_visit.empty()) {
      const std::size_t node = to_visit.back();
      to_visit.pop_back();
      require(!seen[node], "its scene holds node ", node, " twice");
      seen[node] = true;
      order_.push_back(node);
      const std::vector<std::size_t> children = childrenOf(file_.entry("nodes", node));
      to_visit.insert(to_visit.end(), children.rbegin(), children.rend());
    }
    rest_ = worldTransforms(nodes_);
  }

  std::vector<std::size_t> indexList(const Json& object, const char* name) const {
    std::vector<std::size_t> result;
    for (const Json& index : GltfFile::member(object, name, Kind::array)) {
      require(index.is_number_unsigned() && index.get<std::size_t>() < nodes_.size(), "\"", name,
              "\" names a node that there is not");
      result.push_back(index.get<std::size_t>());
    }
    return result;
  }

  std::vector<std::size_t> childrenOf(const Json& node) const { return indexList(node, "children"); }

  // Of the nodes in the scene; the others stay where they are.
  std::vector<Eigen::Affine3d> worldTransforms(const std::vector<Node>& nodes) const {
    std::vector<Eigen::Affine3d> world(nodes.size(), Eigen::Affine3d::Identity());
    for (const std::size_t n : order_) {
      world[n] = nodes[n].parentFromNode();
      if (nodes[n].parent != kNone) world[n] = world[nodes[n].parent] * world[n];
    }
    return world;
  }

  // ---- Joints ----

  void collectJoints() {
    const std::set<std::size_t> in_scene(order_.begin(), order_.end());
    for (const std::size_t node : order_) {
      const std::size_t skin = nodes_[node].skin;
      if (nodes_[node].mesh == kNone || skin == kNone || joints_of_skin_.contains(skin)) continue;
      std::vector<std::size_t>& of_skin = joints_of_skin_[skin];
      for (const std::size_t joint : indexList(file_.entry("skins", skin), "joints")) {
        require(in_scene.contains(joint), "skin ", skin, " has a joint that is not in the scene");
        const auto known = std::find(joints_.begin(), joints_.end(), joint);
        of_skin.push_back(static_cast<std::size_t>(known - joints_.begin()));
        if (known == joints_.end()) joints_.push_back(joint);
        require(joints_.size() <= kMaxJoints, "has more than ", kMaxJoints,
                " joints; export the head's alone");
      }
      require(!of_skin.empty(), "skin ", skin, " has no joints");
    }
  }

  // The joint that carries a node: itself or the nearest of its ancestors; kNone if there is none.
  std::size_t jointAbove(std::size_t node) const {
    for (; node != kNone; node = nodes_[node].parent) {
      const auto found = std::find(joints_.begin(), joints_.end(), node);
      if (found != joints_.end()) return static_cast<std::size_t>(found - joints_.begin());
    }
    return kNone;
  }

  // Where each joint of a skin takes a vertex from where it was bound; empty when it leaves all in place.
  std::vector<Eigen::Affine3d> restFromBind(std::size_t skin) const {
    const Json& entry = file_.entry("skins", skin);
    const std::vector<std::size_t>& of_skin = joints_of_skin_.at(skin);
    std::vector<Eigen::Affine3d> result;
    GltfFile::Rows inverse_binds;
    if (entry.contains("inverseBindMatrices")) {
      inverse_binds = file_.values(GltfFile::index(entry, "inverseBindMatrices"), "MAT4");
      require(inverse_binds.rows() >= static_cast<Eigen::Index>(of_skin.size()), "skin ", skin, " has ",
              inverse_binds.rows(), " inverse bind matrices for ", of_skin.size(), " joints");
    }
    bool moves = false;
    for (std::size_t j = 0; j < of_skin.size(); ++j) {
      Eigen::Affine3d transform = rest_[joints_[of_skin[j]]];
      if (inverse_binds.rows() > 0) {
        Eigen::Matrix4f matrix;
        std::memcpy(matrix.data(), inverse_binds.row(static_cast<Eigen::Index>(j)).data(), sizeof(matrix));
        matrix.row(3) << 0, 0, 0, 1;
        transform = transform * Eigen::Affine3d(matrix.cast<double>());
      }
      moves = moves || !transform.matrix().isApprox(Eigen::Matrix4d::Identity(), kBindTolerance);
      result.push_back(transform);
    }
    if (!moves) result.clear();
    return result;
  }

  // N×joints of the file.
  Eigen::MatrixXf jointWeights(const Json& attributes, std::size_t node, Eigen::Index num_vertices) const {
    if (joints_.empty()) return {};
    file_.claim(sizeof(float) * joints_.size() * static_cast<std::uint64_t>(num_vertices));
    Eigen::MatrixXf weights = Eigen::MatrixXf::Zero(num_vertices, static_cast<Eigen::Index>(joints_.size()));
    const std::size_t skin = nodes_[node].skin;
    if (skin != kNone) {
      const std::vector<std::size_t>& of_skin = joints_of_skin_.at(skin);
      for (std::size_t set = 0; set < kMaxInfluenceSets; ++set) {
        const std::string joints_name = "JOINTS_" + std::to_string(set),
                          weights_name = "WEIGHTS_" + std::to_string(set);
        if (!attributes.contains(joints_name)) break;
        const auto joints = file_.wholeValues(GltfFile::index(attributes, joints_name.c_str()), "VEC4");
        const auto shares = file_.values(GltfFile::index(attributes, weights_name.c_str()), "VEC4");
        require(joints.rows() == num_vertices && shares.rows() == num_vertices,
                "a mesh has joints or weights for another number of vertices");
        for (Eigen::Index i = 0; i < joints.size(); ++i) {
          if (!(shares.data()[i] > 0)) continue;
          const std::uint32_t joint = joints.data()[i];
          require(joint < of_skin.size(), "a vertex hangs on joint ", joint, " of ", of_skin.size());
          weights(i / 4, static_cast<Eigen::Index>(of_skin[joint])) += std::min(shares.data()[i], 1.0F);
        }
      }
    }
    const std::size_t above = jointAbove(node);
    const std::size_t otherwise = above != kNone ? above : skin != kNone ? joints_of_skin_.at(skin)[0] : 0;
    for (Eigen::Index v = 0; v < num_vertices; ++v) {
      const float sum = weights.row(v).sum();
      if (sum > 0) {
        weights.row(v) /= sum;
      } else {
        weights(v, static_cast<Eigen::Index>(otherwise)) = 1;
      }
    }
    return weights;
  }

  // ---- Meshes ----

  // Names of a mesh's targets. Files that name none, or one twice, get a number.
  std::vector<std::string> targetNames(const Json& mesh, const Json& primitive) const {
    const Json& targets = GltfFile::member(primitive, "targets", Kind::array);
    std::vector<std::string> names(targets.size());
    for (std::size_t t = 0; t < names.size(); ++t) {
      require(targets[t].is_object(), "target ", t, " is no object");
      const std::size_t accessor = GltfFile::index(targets[t], "POSITION");
      if (accessor != kNone) names[t] = GltfFile::text(file_.entry("accessors", accessor), "name");
    }
    for (const Json* holder : {&primitive, &mesh}) {
      const auto extras = holder->find("extras");
      if (extras == holder->end() || !extras->is_object()) continue;
      const auto listed = extras->find("targetNames");
      if (listed == extras->end() || !listed->is_array()) continue;
      for (std::size_t t = 0; t < std::min(names.size(), listed->size()); ++t) {
        if ((*listed)[t].is_string()) names[t] = (*listed)[t].get<std::string>();
      }
    }
    std::set<std::string> known;
    for (std::size_t t = 0; t < names.size(); ++t) {
      if (names[t].empty()) names[t] = "target_" + std::to_string(t);
      names[t] = uniqueName(names[t], known);
    }
    return names;
  }

  // How a material places its base colour on the texture coordinates.
  struct TexturePlace {
    std::size_t set = 0;
    bool is_moved = false;
    Eigen::Matrix<float, 2, 3> texture_from_uv = Eigen::Matrix<float, 2, 3>::Identity();
  };

  TexturePlace texturePlace(std::size_t material) const {
    TexturePlace place;
    if (material == kNone) return place;
    const Json& surface =
        GltfFile::member(file_.entry("materials", material), "pbrMetallicRoughness", Kind::object);
    const Json& texture = GltfFile::member(surface, "baseColorTexture", Kind::object);
    place.set = GltfFile::count(texture, "texCoord", 0);
    const Json& extensions = GltfFile::member(texture, "extensions", Kind::object);
    if (extensions.contains("KHR_texture_transform")) {
      const Json& transform = GltfFile::member(extensions, "KHR_texture_transform", Kind::object);
      const auto offset = GltfFile::numbers(transform, "offset", {0, 0});
      const auto scale = GltfFile::numbers(transform, "scale", {1, 1});
      const float angle = GltfFile::number(transform, "rotation", 0);
      const float c = std::cos(angle), s = std::sin(angle);
      place.set = GltfFile::count(transform, "texCoord", place.set);
      place.is_moved = true;
      // Counter-clockwise on the image, whose v points down.
      place.texture_from_uv << c * scale[0], s * scale[1], offset[0], -s * scale[0], c * scale[1], offset[1];
    }
    return place;
  }

  void readMesh(std::size_t node) {
    const Json& mesh = file_.entry("meshes", nodes_[node].mesh);
    const std::size_t skin = nodes_[node].skin;
    // Skinned vertices hang on the joints alone, not on their node.
    const std::vector<Eigen::Affine3d> joint_moves =
        skin != kNone ? restFromBind(skin) : std::vector<Eigen::Affine3d>{};
    const Eigen::Affine3d to_world = skin != kNone ? Eigen::Affine3d::Identity() : rest_[node];
    const bool is_mirrored = to_world.linear().determinant() < 0;
    std::map<std::vector<std::size_t>, std::size_t> known_pieces;
    for (const Json& primitive : GltfFile::member(mesh, "primitives", Kind::array)) {
      require(primitive.is_object(), "a mesh has a primitive that is no object");
      file_.claim(kPrimitiveOverhead);
      const std::size_t mode = GltfFile::count(primitive, "mode", kTriangles);
      if (mode < kTriangles || mode > kTriangleFan) continue;  // points and lines are no surface
      const Json& attributes = GltfFile::member(primitive, "attributes", Kind::object);
      if (!attributes.contains("POSITION")) {
        const auto& extensions = GltfFile::member(primitive, "extensions", Kind::object);
        require(
            !extensions.contains("KHR_draco_mesh_compression"),
            "has Draco-compressed meshes (KHR_draco_mesh_compression), which cannot be read here; export it "
            "without compression, or unpack it: gltf-transform copy IN.glb OUT.glb");
        continue;  // nothing to see
      }
      const Json& targets = GltfFile::member(primitive, "targets", Kind::array);
      const std::vector<std::string> names = targetNames(mesh, primitive);
      const auto [known_names, is_first] = target_names_.emplace(node, names);
      require(is_first || known_names->second.size() == names.size(), "mesh ", nodes_[node].mesh,
              " has primitives with different numbers of morph targets");

      Corners corners;
      corners.material = GltfFile::index(primitive, "material");
      const TexturePlace place = texturePlace(corners.material);
      std::vector<std::size_t> key = {place.set, place.is_moved ? corners.material : kNone};
      const std::string uv_name = "TEXCOORD_" + std::to_string(place.set);
      for (const char* name :
           {"POSITION", uv_name.c_str(), "JOINTS_0", "JOINTS_1", "WEIGHTS_0", "WEIGHTS_1"}) {
        key.push_back(GltfFile::index(attributes, name));
      }
      for (const Json& target : targets) key.push_back(GltfFile::index(target, "POSITION"));
      const auto [found, is_new] = known_pieces.emplace(key, pieces_.size());
      corners.piece = found->second;
      if (is_new)
        pieces_.push_back(readPiece(node, attributes, targets, uv_name, place, to_world, joint_moves));

      const auto num_vertices = static_cast<std::size_t>(pieces_[corners.piece].positions_mm.rows());
      std::vector<std::uint32_t> indices;
      if (primitive.contains("indices")) {
        indices = file_.indices(GltfFile::index(primitive, "indices"));
      } else {
        indices.resize(num_vertices);
        std::iota(indices.begin(), indices.end(), 0U);
      }
      for (const std::uint32_t index : indices) {
        require(index < num_vertices, "a triangle has the corner ", index, "; its mesh has ", num_vertices,
                " vertices");
      }
      corners.triangles = triangleList(std::move(indices), mode);
      if (is_mirrored) {
        for (std::size_t i = 0; i < corners.triangles.size(); i += 3)
          std::swap(corners.triangles[i + 1], corners.triangles[i + 2]);
      }
      if (!corners.triangles.empty()) corners_.push_back(std::move(corners));
    }
  }

  static std::vector<std::uint32_t> triangleList(std::vector<std::uint32_t> indices, std::size_t mode) {
    if (mode == kTriangles) {
      indices.resize(indices.size() / 3 * 3);
      return indices;
    }
    std::vector<std::uint32_t> triangles;
    for (std::size_t i = 2; i < indices.size(); ++i) {
      const std::size_t first = mode == kTriangleFan ? 0 : i - 2;
      const bool is_turned = mode == kTriangleStrip && i % 2 == 1;
      triangles.insert(triangles.end(),
                       {indices[first], indices[is_turned ? i : i - 1], indices[is_turned ? i - 1 : i]});
    }
    return triangles;
  }

  Piece readPiece(std::size_t node, const Json& attributes, const Json& targets, const std::string& uv_name,
                  const TexturePlace& place, const Eigen::Affine3d& to_world,
                  const std::vector<Eigen::Affine3d>& joint_moves) const {
    Piece piece;
    piece.node = node;
    piece.positions_mm = kMillimetresPerMetre * file_.values(GltfFile::index(attributes, "POSITION"), "VEC3");
    const Eigen::Index num_vertices = piece.positions_mm.rows();
    for (const Json& target : targets) {
      Points3 displacement;
      if (target.contains("POSITION")) {
        displacement = kMillimetresPerMetre * file_.values(GltfFile::index(target, "POSITION"), "VEC3");
        require(displacement.rows() == num_vertices, "a morph target moves ", displacement.rows(),
                " vertices of ", num_vertices);
      }
      piece.displacements.push_back(std::move(displacement));
    }
    if (attributes.contains(uv_name)) {
      piece.uv = file_.values(GltfFile::index(attributes, uv_name.c_str()), "VEC2");
      require(piece.uv.rows() == num_vertices, "a mesh has texture coordinates for ", piece.uv.rows(),
              " vertices of ", num_vertices);
      if (place.is_moved) {
        piece.uv = (piece.uv * place.texture_from_uv.leftCols<2>().transpose()).rowwise() +
                   place.texture_from_uv.col(2).transpose();
      }
      require(piece.uv.allFinite(), "a mesh has texture coordinates that are not finite");
      piece.uv.col(1) = 1 - piece.uv.col(1).array();  // glTF counts v from the top
    }
    piece.joint_weights = jointWeights(attributes, node, num_vertices);

    if (!joint_moves.empty()) {
      const std::vector<std::size_t>& of_skin = joints_of_skin_.at(nodes_[node].skin);
      for (Eigen::Index v = 0; v < num_vertices; ++v) {
        Eigen::Matrix4d blended = Eigen::Matrix4d::Zero();
        for (std::size_t j = 0; j < of_skin.size(); ++j) {
          const float weight = piece.joint_weights(v, static_cast<Eigen::Index>(of_skin[j]));
          if (weight > 0) blended += weight * joint_moves[j].matrix();
        }
        moveVertex(piece, v, Eigen::Affine3d(blended));
      }
    } else if (!to_world.matrix().isIdentity(0)) {
      for (Eigen::Index v = 0; v < num_vertices; ++v) moveVertex(piece, v, to_world);
    }
    require(piece.positions_mm.allFinite(), "a node moves its mesh out of all bounds");
    return piece;
  }

  static void moveVertex(Piece& piece, Eigen::Index v, const Eigen::Affine3d& to_world) {
    const Eigen::Vector3d position_mm = piece.positions_mm.row(v).transpose().cast<double>();
    piece.positions_mm.row(v) =
        (to_world.linear() * position_mm + kMillimetresPerMetre * to_world.translation())
            .transpose()
            .cast<float>();
    for (Points3& displacement : piece.displacements) {
      if (displacement.rows() == 0) continue;
      displacement.row(v) =
          (to_world.linear() * displacement.row(v).transpose().cast<double>()).transpose().cast<float>();
    }
  }

  // ---- One mesh ----

  void joinPieces(FaceAsset& asset) {
    std::vector<Eigen::Index> start;
    Eigen::Index num_vertices = 0;
    for (const Piece& piece : pieces_) {
      start.push_back(num_vertices);
      num_vertices += piece.positions_mm.rows();
    }
    require(num_vertices < std::numeric_limits<std::int32_t>::max(), "has ", num_vertices, " vertices");
    bool has_uv = false;
    for (const Piece& piece : pieces_) {
      has_uv = has_uv || piece.uv.rows() > 0;
      const auto& names = target_names_.at(piece.node);
      for (const std::string& name : names) {
        if (!target_index_.contains(name)) {
          target_index_[name] = asset.targets.size();
          asset.targets.push_back({name, {}});
        }
      }
    }
    file_.claim((asset.targets.size() + 1) * sizeof(float) * 3 * static_cast<std::uint64_t>(num_vertices));
    Points3 positions(num_vertices, 3);
    Points2 uv = Points2::Zero(num_vertices, 2);
    for (AssetTarget& target : asset.targets) target.displacement = Points3::Zero(num_vertices, 3);
    Eigen::MatrixXf weights(joints_.empty() ? 0 : num_vertices, static_cast<Eigen::Index>(joints_.size()));
    std::vector<std::size_t> node_of(static_cast<std::size_t>(num_vertices));
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      const Piece& piece = pieces_[p];
      const Eigen::Index count = piece.positions_mm.rows();
      positions.middleRows(start[p], count) = piece.positions_mm.array() + 0.0F;  // no negative zeros
      if (piece.uv.rows() > 0) uv.middleRows(start[p], count) = piece.uv;
      const auto& names = target_names_.at(piece.node);
      for (std::size_t t = 0; t < names.size(); ++t) {
        if (piece.displacements[t].rows() == 0) continue;
        asset.targets[target_index_.at(names[t])].displacement.middleRows(start[p], count) =
            piece.displacements[t].array() + 0.0F;
      }
      if (!joints_.empty()) weights.middleRows(start[p], count) = piece.joint_weights;
      std::fill_n(node_of.begin() + start[p], count, piece.node);
    }

    // Vertices that are one: a hash brings them together, the values decide.
    std::vector<std::uint64_t> hash(node_of.begin(), node_of.end());
    const auto mix = [&](Eigen::Index v, const float* values, Eigen::Index count, Eigen::Index stride) {
      for (Eigen::Index i = 0; i < count; ++i) {
        std::uint32_t bits;
        std::memcpy(&bits, values + i * stride, sizeof(bits));
        hash[v] = (hash[v] ^ bits) * 0x9E3779B97F4A7C15ULL;
        hash[v] ^= hash[v] >> 29;
      }
    };
    for (Eigen::Index v = 0; v < num_vertices; ++v) {
      mix(v, positions.row(v).data(), 3, 1);
      for (const AssetTarget& target : asset.targets) mix(v, target.displacement.row(v).data(), 3, 1);
      if (!joints_.empty()) mix(v, weights.data() + v, weights.cols(), weights.rows());
    }
    const auto same = [&](std::int32_t a, std::int32_t b) {
      return node_of[a] == node_of[b] && positions.row(a) == positions.row(b) &&
             (joints_.empty() || weights.row(a) == weights.row(b)) &&
             std::all_of(asset.targets.begin(), asset.targets.end(), [&](const AssetTarget& target) {
               return target.displacement.row(a) == target.displacement.row(b);
             });
    };
    std::vector<std::int32_t> by_hash(static_cast<std::size_t>(num_vertices));
    std::iota(by_hash.begin(), by_hash.end(), 0);
    std::sort(by_hash.begin(), by_hash.end(),
              [&](std::int32_t a, std::int32_t b) { return std::pair(hash[a], a) < std::pair(hash[b], b); });
    std::vector<std::int32_t> first(static_cast<std::size_t>(num_vertices));  // the vertex that each one is
    for (std::size_t i = 0; i < by_hash.size(); ++i) {
      const std::int32_t v = by_hash[i];
      const std::int32_t candidate = i > 0 ? first[by_hash[i - 1]] : v;
      first[v] = hash[candidate] == hash[v] && same(candidate, v) ? candidate : v;
    }

    // Triangles; those that welding has closed to a line are gone.
    std::vector<std::array<std::int32_t, 3>> triangles;  // into the vertices of the file
    std::vector<bool> is_used(static_cast<std::size_t>(num_vertices)), is_used_itself(is_used);
    for (const Corners& corners : corners_) {
      for (std::size_t i = 0; i < corners.triangles.size(); i += 3) {
        std::array<std::int32_t, 3> triangle;
        for (int c = 0; c < 3; ++c)
          triangle[c] = static_cast<std::int32_t>(start[corners.piece] + corners.triangles[i + c]);
        const auto [a, b, c] = triangle;
        if (first[a] == first[b] || first[b] == first[c] || first[c] == first[a]) continue;
        for (const std::int32_t v : triangle) is_used[first[v]] = is_used_itself[v] = true;
        triangles.push_back(triangle);
        asset.triangle_material.push_back(material_index_.at(corners.material));
      }
    }
    require(!triangles.empty(), "holds no triangle with an area");
    if (asset.materials.size() == 1) asset.triangle_material.clear();

    std::vector<std::int32_t> kept, new_index(static_cast<std::size_t>(num_vertices), -1);
    for (std::int32_t v = 0; v < num_vertices; ++v) {
      if (!is_used[v]) continue;
      new_index[v] = static_cast<std::int32_t>(kept.size());
      kept.push_back(v);
    }
    asset.mesh.vertices = positions(kept, Eigen::all);
    for (AssetTarget& target : asset.targets)
      target.displacement = Points3(target.displacement(kept, Eigen::all));
    if (!joints_.empty()) joint_weights_ = weights(kept, Eigen::all);

    std::map<std::tuple<std::int32_t, float, float>, std::int32_t> uv_index;
    std::vector<std::int32_t> uv_of(static_cast<std::size_t>(num_vertices)), uv_kept;
    for (std::int32_t v = 0; has_uv && v < num_vertices; ++v) {
      if (!is_used_itself[v]) continue;
      const auto [found, is_new] =
          uv_index.try_emplace({first[v], uv(v, 0), uv(v, 1)}, static_cast<std::int32_t>(uv_kept.size()));
      uv_of[v] = found->second;
      if (is_new) uv_kept.push_back(v);
    }
    const auto num_triangles = static_cast<Eigen::Index>(triangles.size());
    asset.mesh.triangles.resize(num_triangles, 3);
    if (has_uv) {
      asset.mesh.uv = uv(uv_kept, Eigen::all);
      asset.mesh.uv_triangles.resize(num_triangles, 3);
    }
    for (Eigen::Index f = 0; f < num_triangles; ++f) {
      for (int c = 0; c < 3; ++c) {
        asset.mesh.triangles(f, c) = new_index[first[triangles[f][c]]];
        if (has_uv) asset.mesh.uv_triangles(f, c) = uv_of[triangles[f][c]];
      }
    }
    if (!has_uv) {
      for (AssetMaterial& material : asset.materials)
        material.base_colour = material.occlusion_roughness = material.normal = nullptr;
    }
    pieces_.clear();
  }

  // ---- Skin ----

  // Parents before children and one root in front.
  void arrangeJoints(FaceAsset& asset) {
    const std::size_t num_joints = joints_.size();
    std::vector<std::size_t> parent(num_joints, kNone);
    std::vector<bool> has_children(num_joints);
    for (std::size_t j = 0; j < num_joints; ++j) {
      const std::size_t above = nodes_[joints_[j]].parent;
      parent[j] = above == kNone ? kNone : jointAbove(above);
      if (parent[j] != kNone) has_children[parent[j]] = true;
    }
    // A root that holds nothing, such as Blender's "neutral_bone", is left out.
    const auto holdsNothing = [&](std::size_t j) {
      return parent[j] == kNone && !has_children[j] &&
             joint_weights_.col(static_cast<Eigen::Index>(j)).isZero(0);
    };
    std::vector<std::size_t> placed;
    std::vector<bool> is_placed(num_joints);
    for (std::size_t round = 0; round < num_joints; ++round) {
      for (std::size_t j = 0; j < num_joints; ++j) {
        if (is_placed[j] || holdsNothing(j) || (parent[j] != kNone && !is_placed[parent[j]])) continue;
        is_placed[j] = true;
        placed.push_back(j);
      }
    }
    const auto num_roots =
        std::count_if(placed.begin(), placed.end(), [&](std::size_t j) { return parent[j] == kNone; });
    const Eigen::Index extra = num_roots > 1 ? 1 : 0;  // a root above them all, at the origin
    const auto num_placed = static_cast<Eigen::Index>(placed.size());
    require(static_cast<std::size_t>(num_placed + extra) <= kMaxJoints, "has more than ", kMaxJoints,
            " joints");
    AssetSkin skin;
    skin.positions = Points3::Zero(num_placed + extra, 3);
    skin.weights = Eigen::MatrixXf::Zero(joint_weights_.rows(), num_placed + extra);
    if (extra > 0) {
      skin.names.push_back("root");
      skin.parent.push_back(-1);
      joint_nodes_.push_back(kNone);
    }
    std::vector<std::int32_t> new_index(num_joints, -1);
    std::set<std::string> known(skin.names.begin(), skin.names.end());
    for (const std::size_t j : placed) {
      const auto index = static_cast<std::int32_t>(skin.names.size());
      new_index[j] = index;
      skin.names.push_back(uniqueName(
          GltfFile::text(file_.entry("nodes", joints_[j]), "name", "joint_" + std::to_string(j)), known));
      skin.parent.push_back(parent[j] != kNone ? new_index[parent[j]] : extra > 0 ? 0 : -1);
      skin.positions.row(index) =
          (kMillimetresPerMetre * rest_[joints_[j]].translation()).transpose().cast<float>();
      skin.weights.col(index) = joint_weights_.col(static_cast<Eigen::Index>(j));
      joint_nodes_.push_back(joints_[j]);
    }
    require(skin.positions.allFinite(), "a joint lies out of all bounds");
    asset.skin = std::move(skin);
  }

  // ---- Materials ----

  std::size_t imageIndexOf(const Json& texture_info) const {
    const std::size_t texture = GltfFile::index(texture_info, "index");
    if (texture == kNone) return kNone;
    const Json& entry = file_.entry("textures", texture);
    std::size_t image = GltfFile::index(entry, "source");
    const Json& extensions = GltfFile::member(entry, "extensions", Kind::object);
    if (extensions.contains("EXT_texture_webp")) {
      image = GltfFile::index(GltfFile::member(extensions, "EXT_texture_webp", Kind::object), "source");
    }
    return image;
  }

  static std::shared_ptr<const Image8> decoded(std::vector<std::uint8_t> bytes, std::size_t image) {
    return std::make_shared<const Image8>(decodeImage(std::move(bytes), "image " + std::to_string(image),
                                                      {.max_pixels = kMaxTexturePixels, .is_texture = true}));
  }

  // Most of the time that a textured head takes is spent on its images: the first few are decoded side by
  // side. One that cannot be read is left to imageOf(), which says so if it is needed.
  void decodeAhead() {
    std::set<std::size_t> wanted;
    for (const Corners& corners : corners_) {
      if (corners.material == kNone || wanted.size() >= kMaxDecodedAhead) continue;
      const Json& entry = file_.entry("materials", corners.material);
      const Json& surface = GltfFile::member(entry, "pbrMetallicRoughness", Kind::object);
      for (const auto& [holder, name] :
           {std::pair(&surface, "baseColorTexture"), std::pair(&surface, "metallicRoughnessTexture"),
            std::pair(&entry, "occlusionTexture"), std::pair(&entry, "normalTexture")}) {
        const std::size_t image = imageIndexOf(GltfFile::member(*holder, name, Kind::object));
        if (image != kNone) wanted.insert(image);
      }
    }
    if (wanted.size() < 2) return;
    std::vector<std::size_t> list;
    std::vector<std::vector<std::uint8_t>> bytes;
    std::vector<std::uint64_t> claimed;  // bytes
    for (const std::size_t image : wanted) {
      std::vector<std::uint8_t> encoded;
      try {
        encoded = file_.imageBytes(image);
      } catch (const std::exception&) {
        continue;
      }
      const auto header = parseImageHeader(encoded);
      if (!header || header->width_px <= 0 || header->height_px <= 0 ||
          header->height_px > kMaxTexturePixels / header->width_px)
        continue;
      // Together they may be more than there is memory for, so what they take is claimed before they are
      // decoded, by the fewest channels that they can have.
      claimed.push_back(static_cast<std::uint64_t>(header->width_px * header->height_px) * kMinChannels);
      file_.claim(claimed.back());
      bytes.push_back(std::move(encoded));
      list.push_back(image);
    }
    std::vector<std::shared_ptr<const Image8>> images(list.size());
    parallelFor(static_cast<int>(list.size()), 1, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) {
        try {
          images[i] = decoded(std::move(bytes[i]), list[i]);
        } catch (const std::exception&) {
        }
      }
    });
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!images[i]) continue;
      if (images[i]->size() > claimed[i]) file_.claim(images[i]->size() - claimed[i]);
      images_[list[i]] = images[i];
    }
  }

  std::shared_ptr<const Image8> imageOf(const Json& texture_info) {
    const std::size_t image = imageIndexOf(texture_info);
    if (image == kNone) return nullptr;
    std::shared_ptr<const Image8>& known = images_[image];
    if (!known) {
      try {
        known = decoded(file_.imageBytes(image), image);
      } catch (const Error& error) {
        throw std::invalid_argument("holds an image that cannot be read: " + std::string(error.what()));
      }
      file_.claim(known->size());
    }
    return known;
  }

  using SharedImage = std::shared_ptr<const Image8>;

  // The first three channels; once per image.
  SharedImage withoutAlpha(const SharedImage& image) {
    if (!image || image->channels() == 3) return image;
    SharedImage& known = opaque_[image];
    if (known) return known;
    file_.claim(image->size());
    auto result = std::make_shared<Image8>(image->width(), image->height(), 3);
    for (int y = 0; y < image->height(); ++y) {
      for (int x = 0; x < image->width(); ++x) std::copy_n(image->at(x, y), 3, result->at(x, y));
    }
    return known = result;
  }

  // Red from one image and green from the other, which may be the same or missing; once per pair.
  SharedImage occlusionRoughness(const SharedImage& occlusion, const SharedImage& roughness) {
    const Image8* size = roughness ? roughness.get() : occlusion.get();
    if (size == nullptr) return nullptr;
    SharedImage& known = packed_[{occlusion, roughness}];
    if (known) return known;
    file_.claim(size->size());
    const bool has_occlusion =
        occlusion && occlusion->width() == size->width() && occlusion->height() == size->height();
    auto result = std::make_shared<Image8>(size->width(), size->height(), 3);
    for (int y = 0; y < size->height(); ++y) {
      for (int x = 0; x < size->width(); ++x) {
        std::uint8_t* pixel = result->at(x, y);
        pixel[0] = has_occlusion ? occlusion->at(x, y)[0] : 255;
        pixel[1] = roughness ? roughness->at(x, y)[1] : 255;
        pixel[2] = 0;
      }
    }
    return known = result;
  }

  AssetMaterial readMaterial(std::size_t index) {
    AssetMaterial material;
    if (index == kNone) {
      material.roughness = 1;  // glTF's own default
      return material;
    }
    const Json& entry = file_.entry("materials", index);
    const Json& surface = GltfFile::member(entry, "pbrMetallicRoughness", Kind::object);
    material.name = GltfFile::text(entry, "name", "material_" + std::to_string(index));
    const auto factor = GltfFile::numbers(surface, "baseColorFactor", {1, 1, 1, 1});
    material.base_colour_factor << factor[0], factor[1], factor[2];
    material.roughness = GltfFile::number(surface, "roughnessFactor", 1);
    const auto double_sided = entry.find("doubleSided");
    material.double_sided =
        double_sided != entry.end() && double_sided->is_boolean() && double_sided->get<bool>();
    const Json& extensions = GltfFile::member(entry, "extensions", Kind::object);
    material.ior =
        GltfFile::number(GltfFile::member(extensions, "KHR_materials_ior", Kind::object), "ior", 1.5F);
    material.specular = GltfFile::number(GltfFile::member(extensions, "KHR_materials_specular", Kind::object),
                                         "specularFactor", 1);

    const Json& colour = GltfFile::member(surface, "baseColorTexture", Kind::object);
    material.base_colour = imageOf(colour);
    if (GltfFile::text(entry, "alphaMode", "OPAQUE") == "OPAQUE") {
      material.base_colour = withoutAlpha(material.base_colour);
    }
    // Data images lie on the same texture coordinates as the colour, or are left out.
    const std::size_t set = GltfFile::count(colour, "texCoord", 0);
    const auto dataImage = [&](const Json& texture) -> std::shared_ptr<const Image8> {
      return GltfFile::count(texture, "texCoord", 0) == set ? imageOf(texture) : nullptr;
    };
    const Json& rough = GltfFile::member(surface, "metallicRoughnessTexture", Kind::object);
    material.occlusion_roughness = occlusionRoughness(
        dataImage(GltfFile::member(entry, "occlusionTexture", Kind::object)), dataImage(rough));
    material.normal = withoutAlpha(dataImage(GltfFile::member(entry, "normalTexture", Kind::object)));
    return material;
  }

  // Those in use, in the file's order; the default one last.
  void readMaterials(FaceAsset& asset) {
    for (const Corners& corners : corners_) material_index_[corners.material] = 0;
    require(material_index_.size() <= kMaxMaterials, "has more than ", kMaxMaterials, " materials");
    asset.materials.clear();
    for (auto& [material, index] : material_index_) {
      index = static_cast<std::uint8_t>(asset.materials.size());
      asset.materials.push_back(readMaterial(material));
    }
  }

  // ---- Motion ----

  struct Track {
    std::size_t node = 0;
    std::string path;           // "weights", "rotation" …
    std::vector<float> time_s;  // rising
    GltfFile::Rows values;      // a row per time; three (in-tangent, value, out-tangent) with cubic splines
    std::string interpolation;

    // At a time, which is held before the first and after the last.
    Eigen::VectorXf at(float t) const {
      const auto after = std::upper_bound(time_s.begin(), time_s.end(), t);
      const bool is_cubic = interpolation == "CUBICSPLINE";
      const auto value = [&](std::ptrdiff_t key, int part) -> Eigen::VectorXf {
        return values.row(is_cubic ? 3 * key + part : key).transpose();
      };
      if (after == time_s.begin()) return value(0, 1);
      const std::ptrdiff_t key = after - time_s.begin() - 1;
      if (after == time_s.end() || interpolation == "STEP") return value(key, 1);
      const float span = *after - time_s[key], s = (t - time_s[key]) / span;
      if (is_cubic) {  // Hermite, with tangents per second
        const float s2 = s * s, s3 = s2 * s;
        return (2 * s3 - 3 * s2 + 1) * value(key, 1) + span * (s3 - 2 * s2 + s) * value(key, 2) +
               (3 * s2 - 2 * s3) * value(key + 1, 1) + span * (s3 - s2) * value(key + 1, 0);
      }
      const Eigen::VectorXf a = value(key, 1), b = value(key + 1, 1);
      if (path != "rotation") return (1 - s) * a + s * b;
      return Eigen::Quaternionf(a.data()).slerp(s, Eigen::Quaternionf(b.data())).coeffs();
    }
  };

  std::vector<Track> readTracks(const Json& animation) const {
    std::vector<Track> tracks;
    const Json& samplers = GltfFile::member(animation, "samplers", Kind::array);
    for (const Json& channel : GltfFile::member(animation, "channels", Kind::array)) {
      require(channel.is_object(), "an animation has a channel that is no object");
      const Json& target = GltfFile::member(channel, "target", Kind::object);
      Track track;
      track.node = GltfFile::index(target, "node");
      track.path = GltfFile::text(target, "path");
      const bool is_weights = track.path == "weights", is_turn = track.path == "rotation";
      if (track.node >= nodes_.size() || !(is_weights || is_turn || track.path == "translation")) continue;
      if (is_weights && !target_names_.contains(track.node)) continue;
      const std::size_t sampler_index = GltfFile::index(channel, "sampler");
      require(sampler_index < samplers.size() && samplers[sampler_index].is_object(),
              "an animation has a channel without a sampler");
      const Json& sampler = samplers[sampler_index];
      track.interpolation = GltfFile::text(sampler, "interpolation", "LINEAR");
      const GltfFile::Rows times = file_.values(GltfFile::index(sampler, "input"), "SCALAR");
      track.time_s.assign(times.data(), times.data() + times.size());
      const GltfFile::Rows values = file_.values(GltfFile::index(sampler, "output"), is_weights ? "SCALAR"
                                                                                     : is_turn  ? "VEC4"
                                                                                                : "VEC3");
      const auto columns =
          is_weights ? static_cast<Eigen::Index>(target_names_.at(track.node).size()) : values.cols();
      const Eigen::Index rows = times.size() * (track.interpolation == "CUBICSPLINE" ? 3 : 1);
      require(times.size() > 0 && columns > 0 && values.size() == rows * columns &&
                  std::adjacent_find(track.time_s.begin(), track.time_s.end(), std::greater_equal<>()) ==
                      track.time_s.end(),
              "an animation's times do not rise, or do not fit its values");
      track.values = Eigen::Map<const GltfFile::Rows>(values.data(), rows, columns);
      tracks.push_back(std::move(track));
    }
    return tracks;
  }

  void readMotion(FaceAsset& asset) const {
    // What carries the whole head: the node above the joints, or the mesh's own.
    const std::size_t root =
        asset.skin ? joint_nodes_[asset.skin->names.size() > 1 && joint_nodes_[0] == kNone ? 1 : 0] : kNone;
    const std::size_t carrier = root != kNone ? nodes_[root].parent : target_names_.begin()->first;
    std::vector<bool> carries_head(nodes_.size());
    for (std::size_t n = carrier; n != kNone; n = nodes_[n].parent) carries_head[n] = true;
    for (const Json& animation : file_.list("animations")) {
      require(animation.is_object(), "an animation is no object");
      const std::vector<Track> tracks = readTracks(animation);
      const auto turnsJoint = [&](const Track& track) {
        return track.path == "rotation" &&
               std::count(joint_nodes_.begin(), joint_nodes_.end(), track.node) > 0;
      };
      const auto movesHead = [&](const Track& track) {
        return track.path != "weights" && carries_head[track.node];
      };
      const bool has_pose = std::any_of(tracks.begin(), tracks.end(), turnsJoint);
      const bool has_path = std::any_of(tracks.begin(), tracks.end(), movesHead);
      std::vector<float> time_s;
      for (const Track& track : tracks) {
        if (track.path == "weights" || turnsJoint(track) || movesHead(track))
          time_s.insert(time_s.end(), track.time_s.begin(), track.time_s.end());
      }
      if (time_s.empty()) continue;
      std::sort(time_s.begin(), time_s.end());
      time_s.erase(std::unique(time_s.begin(), time_s.end()), time_s.end());
      file_.claim(time_s.size() * (sizeof(Eigen::Affine3d) * (nodes_.size() + tracks.size()) +
                                   sizeof(float) * asset.targets.size()));

      AssetMotion motion;
      motion.weights = Eigen::MatrixXf::Zero(static_cast<Eigen::Index>(time_s.size()),
                                             static_cast<Eigen::Index>(asset.targets.size()));
      std::vector<Node> nodes = nodes_;
      for (std::size_t f = 0; f < time_s.size(); ++f) {
        for (const Track& track : tracks) {
          const Eigen::VectorXf value = track.at(time_s[f]);
          if (track.path == "weights") {
            const auto& names = target_names_.at(track.node);
            for (std::size_t t = 0; t < names.size(); ++t) {
              motion.weights(static_cast<Eigen::Index>(f),
                             static_cast<Eigen::Index>(target_index_.at(names[t]))) =
                  value[static_cast<Eigen::Index>(t)];
            }
          } else if (track.path == "rotation") {
            nodes[track.node].rotation = Eigen::Quaternionf(value.data()).normalized().cast<double>();
          } else {
            nodes[track.node].translation = value.cast<double>();
          }
        }
        if (!has_pose && !has_path) continue;
        const std::vector<Eigen::Affine3d> world = worldTransforms(nodes);
        const auto turned = [&](std::size_t node) -> Eigen::Matrix3d {
          return rotationOf(world[node]) * rotationOf(rest_[node]).transpose();
        };
        const Eigen::Matrix3d head_turn = carrier != kNone ? turned(carrier) : Eigen::Matrix3d::Identity();
        if (has_path) {
          // Rigid: the point of the carrier goes where the carrier goes.
          Eigen::Isometry3f pose = Eigen::Isometry3f::Identity();
          pose.linear() = head_turn.cast<float>();
          pose.translation() = (kMillimetresPerMetre *
                                (world[carrier].translation() - head_turn * rest_[carrier].translation()))
                                   .cast<float>();
          motion.world_from_model.push_back(pose);
        }
        if (has_pose) {
          Points3 pose = Points3::Zero(asset.skin->positions.rows(), 3);
          for (std::size_t j = 0; j < joint_nodes_.size(); ++j) {
            if (joint_nodes_[j] == kNone) continue;
            const std::int32_t parent = asset.skin->parent[j];
            const bool has_parent = parent >= 0 && joint_nodes_[parent] != kNone;
            const Eigen::Matrix3d above = has_parent ? turned(joint_nodes_[parent]) : head_turn;
            const Eigen::AngleAxisd turn(Eigen::Matrix3d(above.transpose() * turned(joint_nodes_[j])));
            pose.row(static_cast<Eigen::Index>(j)) = (turn.angle() * turn.axis()).transpose().cast<float>();
          }
          motion.pose.push_back(std::move(pose));
        }
      }
      motion.time_s = std::move(time_s);
      asset.motion = std::move(motion);
      return;
    }
  }

  // ---- What it is called ----

  void readNames(FaceAsset& asset) const {
    const std::size_t node = target_names_.begin()->first;
    asset.name = GltfFile::text(file_.entry("meshes", nodes_[node].mesh), "name", asset.name);
    // Plain members only: nothing that a stranger can nest.
    const Json& head = GltfFile::member(file_.root(), "asset", Kind::object);
    nlohmann::ordered_json kept = nlohmann::ordered_json::object();
    const auto keep = [&](const Json& object) {
      for (const auto& [name, value] : object.items()) {
        if (value.is_string()) kept[name] = value.get<std::string>();
        if (value.is_number()) kept[name] = value.get<double>();
      }
    };
    const auto extras = head.find("extras");
    if (extras != head.end() && extras->is_object()) keep(*extras);
    for (const char* name : {"copyright", "generator"}) {
      if (head.contains(name)) kept[name] = GltfFile::text(head, name);
    }
    if (!kept.empty()) {
      asset.extras_json = kept.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    }
  }

  const GltfFile& file_;
  std::vector<Node> nodes_;
  std::vector<std::size_t> order_;                                  // nodes of the scene
  std::vector<Eigen::Affine3d> rest_;                               // world from node, metres
  std::vector<std::size_t> joints_;                                 // nodes, as the skins list them
  std::map<std::size_t, std::vector<std::size_t>> joints_of_skin_;  // into joints_
  std::vector<Piece> pieces_;
  std::vector<Corners> corners_;
  std::map<std::size_t, std::vector<std::string>> target_names_;  // per node with a mesh, of its mesh
  std::map<std::string, std::size_t> target_index_;               // into the asset's targets
  std::map<std::size_t, std::uint8_t> material_index_;            // into the asset's materials
  std::map<std::size_t, std::shared_ptr<const Image8>> images_;
  Eigen::MatrixXf joint_weights_;         // V×joints_
  std::vector<std::size_t> joint_nodes_;  // of the asset's joints; kNone for a root that was put above them
  std::map<SharedImage, SharedImage> opaque_;
  std::map<std::pair<SharedImage, SharedImage>, SharedImage> packed_;
};

}  // namespace

bool isGltf(ByteSpan bytes) {
  constexpr std::string_view kMagic = "glTF";
  if (bytes.size() >= kMagic.size() && std::equal(kMagic.begin(), kMagic.end(), bytes.begin())) return true;
  // JSON with an asset, the one member that every .gltf has; wherever it stands in it.
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t start = text.find_first_not_of(" \t\r\n");
  return start != std::string_view::npos && text[start] == '{' &&
         text.find("\"asset\"") != std::string_view::npos;
}

FaceAsset glbFrom(const SharedBytes& bytes, const std::filesystem::path& path) try {
  const GltfFile file(bytes, path.parent_path());
  FaceAsset asset = AssetReader(file).read();
  asset.check("readGlb");
  return asset;
} catch (const std::invalid_argument& error) {
  fail(ErrorKind::kInput, path.string(), ": ", error.what());
}

FaceAsset readGlb(const std::filesystem::path& path) { return glbFrom(mapBytes(path), path); }

}  // namespace facet
