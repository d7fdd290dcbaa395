// glTF 2.0 specification, Khronos Group, 2021; sections 3.6 (buffers, sparse accessors), 3.7 (meshes, morph
// targets) and 4.4 (the binary container).
#include "core/io/glb.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "core/check.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "core/parallel.h"
#include "core/split_mesh.h"

namespace facet {
namespace {

using Json = nlohmann::ordered_json;

constexpr float kMetresPerMillimetre = 1e-3F;
// A target moves a vertex that goes further than this; less is rounding.
constexpr float kMinMove_m = 1e-7F, kMinNormalChange = 1e-4F;
// Beyond this share of moved vertices a dense accessor is the smaller one (an index costs a third of a
// value).
constexpr double kMaxSparseShare = 0.6;

// Numbers that glTF inherits from OpenGL.
constexpr int kUnsignedByte = 5121, kFloat = 5126, kUnsignedShort = 5123, kUnsignedInt = 5125;
constexpr int kArrayBuffer = 34962, kElementArrayBuffer = 34963, kNoTarget = 0;
constexpr int kLinear = 9729, kLinearMipmapLinear = 9987, kClampToEdge = 33071;

// glTF wants unit normals everywhere, also where a vertex has no area round it.
Points3 unitNormals(const Points3& vertices, const Triangles& triangles) {
  Points3 normals = vertexNormals(vertices, triangles);
  for (Eigen::Index v = 0; v < normals.rows(); ++v) {
    if (!(normals.row(v).squaredNorm() > 0.5F)) normals.row(v) << 0, 0, 1;
  }
  return normals;
}

// Builds the binary chunk and the JSON that describes it.
class GlbBuilder {
 public:
  Json json = {{"asset", {{"version", "2.0"}, {"generator", "facet"}}}};

  int addView(const void* data, std::size_t size, int target) {
    bytes_.resize((bytes_.size() + 3) / 4 * 4);  // every view starts on a multiple of four
    Json view = {{"buffer", 0}, {"byteOffset", bytes_.size()}, {"byteLength", size}};
    if (target != kNoTarget) view["target"] = target;
    const auto* begin = static_cast<const std::uint8_t*>(data);
    bytes_.insert(bytes_.end(), begin, begin + size);
    return append("bufferViews", std::move(view));
  }

  // Rows of floats, one per vertex. Positions must say their range.
  template <typename Matrix>
  int addVertices(const Matrix& values, bool with_range) {
    Json accessor = describe(values, with_range);
    accessor["bufferView"] = addView(values.data(), values.size() * sizeof(float), kArrayBuffer);
    return append("accessors", std::move(accessor));
  }

  // Up to four joints per vertex, as JOINTS_0 and WEIGHTS_0.
  void addInfluences(const Eigen::MatrixXf& weights, const std::vector<std::int32_t>& source,
                     Json& attributes) {
    const auto count = static_cast<Eigen::Index>(source.size());
    const auto num_joints = static_cast<int>(weights.cols());
    std::vector<std::uint8_t> joints(4 * source.size(), 0);
    Points4 shares = Points4::Zero(count, 4);
    std::vector<int> order(num_joints);
    for (Eigen::Index i = 0; i < count; ++i) {
      const Eigen::RowVectorXf row = weights.row(source[i]);
      std::iota(order.begin(), order.end(), 0);
      std::stable_sort(order.begin(), order.end(), [&row](int a, int b) { return row[a] > row[b]; });
      for (int k = 0; k < std::min(4, num_joints); ++k) {
        if (!(row[order[k]] > 0)) break;
        joints[4 * i + k] = static_cast<std::uint8_t>(order[k]);
        shares(i, k) = row[order[k]];
      }
      shares.row(i) /= shares.row(i).sum();
    }
    attributes["JOINTS_0"] =
        append("accessors", {{"bufferView", addView(joints.data(), joints.size(), kArrayBuffer)},
                             {"componentType", kUnsignedByte},
                             {"count", count},
                             {"type", "VEC4"}});
    attributes["WEIGHTS_0"] = addVertices(shares, false);
  }

  // Nodes of the joints, and the skin. Returns the root's node.
  int addSkin(const AssetSkin& skin) {
    const Points3 positions_m = kMetresPerMillimetre * skin.positions;
    const int first = json.contains("nodes") ? static_cast<int>(json["nodes"].size()) : 0;
    Json joints = Json::array();
    Eigen::Matrix<float, Eigen::Dynamic, 16, Eigen::RowMajor> inverse_binds(positions_m.rows(), 16);
    for (Eigen::Index j = 0; j < positions_m.rows(); ++j) {
      Eigen::RowVector3f offset_m = positions_m.row(j);
      if (skin.parent[j] >= 0) offset_m -= positions_m.row(skin.parent[j]);
      const int node = append(
          "nodes",
          {{"name", skin.names[j]}, {"translation", std::vector<float>(offset_m.begin(), offset_m.end())}});
      if (skin.parent[j] >= 0) json["nodes"][first + skin.parent[j]]["children"].push_back(node);
      joints.push_back(node);
      Eigen::Matrix4f inverse_bind = Eigen::Matrix4f::Identity();  // column-major, as glTF has it
      inverse_bind.topRightCorner<3, 1>() = -positions_m.row(j).transpose();
      inverse_binds.row(j) = Eigen::Map<const Eigen::RowVector<float, 16>>(inverse_bind.data());
    }
    const int matrices = append(
        "accessors",
        {{"bufferView", addView(inverse_binds.data(), inverse_binds.size() * sizeof(float), kNoTarget)},
         {"componentType", kFloat},
         {"count", positions_m.rows()},
         {"type", "MAT4"}});
    append("skins", {{"joints", joints}, {"skeleton", first}, {"inverseBindMatrices", matrices}});
    return first;
  }

  // Like addVertices() for values most of which are zero.
  int addDisplacements(const Points3& values, bool with_range) {
    std::vector<std::uint32_t> moved;
    for (Eigen::Index v = 0; v < values.rows(); ++v) {
      if (!values.row(v).isZero(0)) moved.push_back(static_cast<std::uint32_t>(v));
    }
    if (static_cast<double>(moved.size()) > kMaxSparseShare * static_cast<double>(values.rows())) {
      return addVertices(values, with_range);
    }
    if (moved.empty()) moved.push_back(0);  // a sparse accessor has one item at least
    Points3 moved_values(static_cast<Eigen::Index>(moved.size()), 3);
    for (std::size_t i = 0; i < moved.size(); ++i)
      moved_values.row(static_cast<Eigen::Index>(i)) = values.row(moved[i]);
    Json accessor = describe(values, with_range);
    const auto [index_view, index_type] =
        addIndexView(moved, static_cast<std::size_t>(values.rows()), kNoTarget);
    const int value_view = addView(moved_values.data(), moved_values.size() * sizeof(float), kNoTarget);
    accessor["sparse"] = {{"count", moved.size()},
                          {"indices", {{"bufferView", index_view}, {"componentType", index_type}}},
                          {"values", {{"bufferView", value_view}}}};
    return append("accessors", std::move(accessor));
  }

  int addIndices(const std::vector<std::uint32_t>& indices, std::size_t num_vertices) {
    const auto [view, type] = addIndexView(indices, num_vertices, kElementArrayBuffer);
    return append(
        "accessors",
        {{"bufferView", view}, {"componentType", type}, {"count", indices.size()}, {"type", "SCALAR"}});
  }

  int append(const char* list, Json item) {
    json[list].push_back(std::move(item));
    return static_cast<int>(json[list].size()) - 1;
  }

  // The container: a header, a JSON chunk padded with spaces, a binary chunk padded with zeros.
  std::vector<std::uint8_t> finish() {
    bytes_.resize((bytes_.size() + 3) / 4 * 4);
    json["buffers"] = {{{"byteLength", bytes_.size()}}};
    std::string text = json.dump();
    text.resize((text.size() + 3) / 4 * 4, ' ');
    constexpr std::uint32_t kMagic = 0x46546C67, kVersion = 2, kJsonChunk = 0x4E4F534A,
                            kBinaryChunk = 0x004E4942;
    const std::size_t total = 12 + 8 + text.size() + 8 + bytes_.size();
    require(total < 0xFFFFFFFFU, "writeGlb: the asset would pass 4 GB");
    std::vector<std::uint8_t> file;
    file.reserve(total);
    const auto append32 = [&file](std::size_t value) {
      for (int shift = 0; shift < 32; shift += 8) file.push_back(static_cast<std::uint8_t>(value >> shift));
    };
    append32(kMagic), append32(kVersion), append32(total);
    append32(text.size()), append32(kJsonChunk);
    file.insert(file.end(), text.begin(), text.end());
    append32(bytes_.size()), append32(kBinaryChunk);
    file.insert(file.end(), bytes_.begin(), bytes_.end());
    return file;
  }

 private:
  template <typename Matrix>
  static Json describe(const Matrix& values, bool with_range) {
    Json accessor = {
        {"componentType", kFloat}, {"count", values.rows()}, {"type", "VEC" + std::to_string(values.cols())}};
    if (with_range) {
      const Eigen::RowVectorXf low = values.colwise().minCoeff(), high = values.colwise().maxCoeff();
      accessor["min"] = std::vector<float>(low.begin(), low.end());
      accessor["max"] = std::vector<float>(high.begin(), high.end());
    }
    return accessor;
  }

  // Sixteen bits where they do; 65535 itself is reserved.
  std::pair<int, int> addIndexView(const std::vector<std::uint32_t>& indices, std::size_t limit, int target) {
    if (limit > 65535)
      return {addView(indices.data(), indices.size() * sizeof(std::uint32_t), target), kUnsignedInt};
    const std::vector<std::uint16_t> narrow(indices.begin(), indices.end());
    return {addView(narrow.data(), narrow.size() * sizeof(std::uint16_t), target), kUnsignedShort};
  }

  std::vector<std::uint8_t> bytes_;
};

// Index of the material's texture. An image that an earlier material has too is stored once.
int addTexture(const std::vector<AssetMaterial>& materials, std::size_t index,
               std::map<std::size_t, int>& textures, GlbBuilder& glb) {
  const Image8& image = *materials[index].base_colour;
  for (const auto& [earlier, texture] : textures) {
    if (materials[earlier].base_colour == materials[index].base_colour) return texture;
  }
  if (!glb.json.contains("samplers")) {
    glb.append("samplers", {{"magFilter", kLinear},
                            {"minFilter", kLinearMipmapLinear},
                            {"wrapS", kClampToEdge},
                            {"wrapT", kClampToEdge}});
  }
  const std::vector<std::uint8_t> png = encodePng(image);
  const int view = glb.addView(png.data(), png.size(), kNoTarget);
  const int source = glb.append(
      "images", {{"name", materials[index].name}, {"bufferView", view}, {"mimeType", "image/png"}});
  return textures[index] = glb.append("textures", {{"sampler", 0}, {"source", source}});
}

int addMaterial(const std::vector<AssetMaterial>& materials, std::size_t index,
                std::map<std::size_t, int>& textures, GlbBuilder& glb) {
  const AssetMaterial& material = materials[index];
  const Eigen::Vector3f& factor = material.base_colour_factor;
  Json surface = {{"baseColorFactor", {factor.x(), factor.y(), factor.z(), 1.0F}},
                  {"metallicFactor", 0},
                  {"roughnessFactor", material.roughness}};
  Json entry = {{"name", material.name}};
  if (material.base_colour) {
    surface["baseColorTexture"] = {{"index", addTexture(materials, index, textures, glb)}};
    if (material.base_colour->channels() == 4) entry["alphaMode"] = "MASK";
  }
  entry["pbrMetallicRoughness"] = surface;
  if (material.double_sided) entry["doubleSided"] = true;
  return glb.append("materials", std::move(entry));
}

struct TargetDeltas {
  Points3 position_m, normal;  // V×3, exact zeros where nothing moves
};

}  // namespace

void writeGlb(const std::filesystem::path& path, const FaceAsset& asset) {
  asset.check("writeGlb");
  const Mesh& mesh = asset.mesh;
  const SplitMesh split = splitAtSeams(mesh);
  // Normals belong to the welded mesh, so that both sides of a seam get the same ones.
  const Points3 normals = unitNormals(mesh.vertices, mesh.triangles);
  const Points3 positions_m = kMetresPerMillimetre * mesh.vertices;
  GlbBuilder glb;
  std::map<std::size_t, int> textures;  // of the materials that brought an image of their own
  if (!asset.extras_json.empty()) {
    glb.json["asset"]["extras"] = Json::parse(asset.extras_json, nullptr, /*allow_exceptions=*/false);
    require(glb.json["asset"]["extras"].is_object(), "writeGlb: extras_json is not a JSON object");
  }
  glb.json["scene"] = 0;
  glb.append("scenes", {{"nodes", {0}}});
  glb.append("nodes", {{"name", asset.name}, {"mesh", 0}});
  if (asset.skin) {
    const int root = glb.addSkin(*asset.skin);  // first: it adds members to the JSON, which moves the others
    glb.json["scenes"][0]["nodes"].push_back(root);
    glb.json["nodes"][0]["skin"] = 0;
  }

  Json attributes = {{"POSITION", glb.addVertices(gatherRows(positions_m, split.source), true)},
                     {"NORMAL", glb.addVertices(gatherRows(normals, split.source), false)}};
  if (mesh.hasUv()) {
    Points2 uv = gatherRows(mesh.uv, split.uv_source);
    uv.col(1) = 1 - uv.col(1).array();  // glTF counts v from the top
    attributes["TEXCOORD_0"] = glb.addVertices(uv, false);
  }

  if (asset.skin) glb.addInfluences(asset.skin->weights, split.source, attributes);

  std::vector<TargetDeltas> deltas(asset.targets.size());
  parallelFor(static_cast<int>(deltas.size()), 1, [&](int begin, int end) {
    for (int t = begin; t < end; ++t) {
      const Points3& displacement = asset.targets[t].displacement;
      TargetDeltas& delta = deltas[t];
      delta.position_m = kMetresPerMillimetre * displacement;
      delta.normal = unitNormals(mesh.vertices + displacement, mesh.triangles) - normals;
      for (Eigen::Index v = 0; v < normals.rows(); ++v) {
        if (delta.position_m.row(v).cwiseAbs().maxCoeff() < kMinMove_m) delta.position_m.row(v).setZero();
        if (delta.normal.row(v).cwiseAbs().maxCoeff() < kMinNormalChange) delta.normal.row(v).setZero();
      }
    }
  });
  Json targets = Json::array(), target_names = Json::array(), weights = Json::array();
  for (std::size_t t = 0; t < deltas.size(); ++t) {
    targets.push_back(
        {{"POSITION", glb.addDisplacements(gatherRows(deltas[t].position_m, split.source), true)},
         {"NORMAL", glb.addDisplacements(gatherRows(deltas[t].normal, split.source), false)}});
    target_names.push_back(asset.targets[t].name);
    weights.push_back(0);
  }

  // One primitive per material that has triangles; all share the vertices.
  Json primitives = Json::array();
  for (std::size_t m = 0; m < asset.materials.size(); ++m) {
    std::vector<std::uint32_t> indices;
    for (Eigen::Index f = 0; f < split.triangles.rows(); ++f) {
      const std::size_t material = asset.triangle_material.empty() ? 0 : asset.triangle_material[f];
      if (material != m) continue;
      for (int corner = 0; corner < 3; ++corner)
        indices.push_back(static_cast<std::uint32_t>(split.triangles(f, corner)));
    }
    if (indices.empty()) continue;
    Json primitive = {{"attributes", attributes},
                      {"indices", glb.addIndices(indices, split.source.size())},
                      {"material", addMaterial(asset.materials, m, textures, glb)}};
    if (!targets.empty()) {
      primitive["targets"] = targets;
      primitive["extras"] = {{"targetNames", target_names}};
    }
    primitives.push_back(std::move(primitive));
  }
  Json gltf_mesh = {{"name", asset.name}, {"primitives", primitives}};
  if (!targets.empty()) {
    gltf_mesh["weights"] = weights;
    gltf_mesh["extras"] = {{"targetNames", target_names}};
  }
  glb.append("meshes", std::move(gltf_mesh));
  const std::vector<std::uint8_t> file = glb.finish();
  writeBytes(path, file.data(), file.size());
}

}  // namespace facet
