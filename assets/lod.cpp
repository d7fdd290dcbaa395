#include "assets/lod.h"

#include <meshoptimizer.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "core/arkit.h"
#include "core/check.h"
#include "core/closest_point.h"
#include "core/contacts.h"
#include "core/mesh_parts.h"
#include "core/split_mesh.h"

namespace facet {
namespace {

int materialOf(const FaceAsset& asset, Eigen::Index triangle) {
  return asset.triangle_material.empty() ? 0 : asset.triangle_material[static_cast<std::size_t>(triangle)];
}

bool isSkin(const FaceAsset& asset, Eigen::Index triangle) {
  return asset.materials[static_cast<std::size_t>(materialOf(asset, triangle))].name == "skin";
}

// Vertices where lids meet in a blink and lips in the neutral face.
std::vector<int> rimVertices(const FaceAsset& asset) {
  constexpr double kTouching_mm = 1;
  std::vector<int> rim;
  std::vector<std::uint8_t> is_skin(static_cast<std::size_t>(asset.mesh.vertices.rows()), 0);
  for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
    if (!isSkin(asset, f)) continue;
    for (int k = 0; k < 3; ++k) is_skin[static_cast<std::size_t>(asset.mesh.triangles(f, k))] = 1;
  }
  for (const AssetTarget& target : asset.targets) {
    const std::string_view name = arkitName(target.name).value_or("");
    const bool is_blink = name.starts_with("eyeBlink"), is_jaw = name == "jawOpen";
    if (!is_blink && !is_jaw) continue;
    const Points3 moved = asset.mesh.vertices + target.displacement;
    const Points3& open = is_blink ? asset.mesh.vertices : moved;
    const Points3& closed = is_blink ? moved : asset.mesh.vertices;
    for (const Contact& contact : contactsOf(open, closed, asset.mesh.triangles, is_skin, kTouching_mm)) {
      rim.push_back(contact.vertex);
    }
  }
  std::sort(rim.begin(), rim.end());
  rim.erase(std::unique(rim.begin(), rim.end()), rim.end());
  return rim;
}

// F: triangles that are simplified together. Every material is a group of its own, and so is the skin round
// lids and lips; borders between groups stay.
struct Groups {
  std::vector<int> of_triangle;
  std::vector<double> density;  // per group
};

Groups groupsOf(const FaceAsset& asset, const LodOptions& options) {
  const Mesh& mesh = asset.mesh;
  const std::vector<int> rim = rimVertices(asset);
  std::vector<std::uint8_t> near_rim(static_cast<std::size_t>(mesh.vertices.rows()), 0);
  for (Eigen::Index v = 0; v < mesh.vertices.rows() && !rim.empty(); ++v) {
    for (const int r : rim) {
      if ((mesh.vertices.row(v) - mesh.vertices.row(r)).norm() > options.rim_reach_mm) continue;
      near_rim[static_cast<std::size_t>(v)] = 1;
      break;
    }
  }
  Groups groups;
  groups.density.assign(2 * asset.materials.size(), 1);
  for (std::size_t m = 0; m < asset.materials.size(); ++m) groups.density[2 * m + 1] = options.rim_density;
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    const int material = materialOf(asset, f);
    bool is_near = isSkin(asset, f);
    for (int k = 0; k < 3; ++k)
      is_near = is_near && near_rim[static_cast<std::size_t>(mesh.triangles(f, k))] != 0;
    groups.of_triangle.push_back(2 * material + (is_near ? 1 : 0));
  }
  return groups;
}

// Triangles for each group: in proportion to its density, none more than it has, `total` together.
std::vector<double> quotas(const std::vector<double>& count, const std::vector<double>& density,
                           double total) {
  double low = 0, high = 1e3;
  const auto quota = [&](std::size_t g, double factor) {
    return std::min(count[g], factor * density[g] * count[g]);
  };
  for (int i = 0; i < 60; ++i) {
    const double factor = (low + high) / 2;
    double sum = 0;
    for (std::size_t g = 0; g < count.size(); ++g) sum += quota(g, factor);
    (sum < total ? low : high) = factor;
  }
  std::vector<double> result;
  for (std::size_t g = 0; g < count.size(); ++g) result.push_back(quota(g, high));
  return result;
}

template <typename Matrix>
Matrix rowsOf(const Matrix& values, const std::vector<int>& rows) {
  Matrix result(values.rows() > 0 ? static_cast<Eigen::Index>(rows.size()) : 0, values.cols());
  for (Eigen::Index i = 0; i < result.rows(); ++i) result.row(i) = values.row(rows[i]);
  return result;
}

// Old indices in use, ascending, and the new index of each.
std::vector<int> compact(Triangles& triangles, Eigen::Index count) {
  std::vector<int> index(static_cast<std::size_t>(count), -1), kept;
  for (Eigen::Index i = 0; i < triangles.size(); ++i) index[triangles.data()[i]] = 0;
  for (int v = 0; v < count; ++v) {
    if (index[v] < 0) continue;
    index[v] = static_cast<int>(kept.size());
    kept.push_back(v);
  }
  for (Eigen::Index i = 0; i < triangles.size(); ++i) triangles.data()[i] = index[triangles.data()[i]];
  return kept;
}

}  // namespace

void LodOptions::check() const {
  require(rim_density >= 1, "LodOptions: rim_density is ", rim_density, ", it must be 1 or more");
  require(rim_reach_mm >= 0, "LodOptions: rim_reach_mm is ", rim_reach_mm, ", it must not be negative");
}

FaceAsset simplified(const FaceAsset& asset, double triangle_share, const LodOptions& options) {
  options.check();
  asset.check("simplified");
  require(triangle_share > 0 && triangle_share <= 1, "simplified: the share of triangles is ", triangle_share,
          ", it must lie in (0, 1]");
  FaceAsset result = asset;
  if (triangle_share == 1) return result;

  // Where shapes pull a little: those that bend the surface most, and no two that cancel out, such as brows
  // up and down.
  constexpr float kPull = 0.8F;
  const SplitMesh split = splitAtSeams(asset.mesh);
  Points3 pulled = asset.mesh.vertices;
  for (const AssetTarget& target : asset.targets) {
    for (const char* name :
         {"jawOpen", "mouthSmile", "eyeBlink", "browInnerUp", "noseSneer", "mouthFunnel"}) {
      if (arkitName(target.name).value_or("").starts_with(name)) pulled += kPull * target.displacement;
    }
  }
  const Points3 positions = gatherRows(pulled, split.source);

  const Groups groups = groupsOf(asset, options);
  std::vector<double> count(groups.density.size(), 0);
  for (const int group : groups.of_triangle) ++count[static_cast<std::size_t>(group)];
  const std::vector<double> quota =
      quotas(count, groups.density, triangle_share * static_cast<double>(asset.mesh.triangles.rows()));
  std::vector<std::uint32_t> kept;          // corners of the split mesh
  std::vector<std::uint8_t> kept_material;  // per triangle
  for (std::size_t g = 0; g < count.size(); ++g) {
    if (count[g] == 0) continue;
    std::vector<std::uint32_t> corners;
    for (Eigen::Index f = 0; f < split.triangles.rows(); ++f) {
      if (groups.of_triangle[static_cast<std::size_t>(f)] != static_cast<int>(g)) continue;
      for (int k = 0; k < 3; ++k) corners.push_back(static_cast<std::uint32_t>(split.triangles(f, k)));
    }
    std::vector<std::uint32_t> simpler(corners.size());
    constexpr float kAnyError = 1;  // of the mesh's extent: the number of triangles decides
    simpler.resize(meshopt_simplify(simpler.data(), corners.data(), corners.size(), positions.data(),
                                    static_cast<std::size_t>(positions.rows()), sizeof(float) * 3,
                                    3 * static_cast<std::size_t>(quota[g]), kAnyError,
                                    meshopt_SimplifyLockBorder, nullptr));
    kept.insert(kept.end(), simpler.begin(), simpler.end());
    kept_material.insert(kept_material.end(), simpler.size() / 3, static_cast<std::uint8_t>(g / 2));
  }

  // Back from the split mesh, without what is no longer used.
  const auto num_triangles = static_cast<Eigen::Index>(kept.size() / 3);
  Mesh& mesh = result.mesh;
  mesh.triangles.resize(num_triangles, 3);
  for (Eigen::Index i = 0; i < mesh.triangles.size(); ++i) mesh.triangles.data()[i] = split.source[kept[i]];
  const std::vector<int> vertices = compact(mesh.triangles, asset.mesh.vertices.rows());
  mesh.vertices = rowsOf(asset.mesh.vertices, vertices);
  mesh.colours = rowsOf(asset.mesh.colours, vertices);
  if (asset.mesh.hasUv()) {
    mesh.uv_triangles.resize(num_triangles, 3);
    for (Eigen::Index i = 0; i < mesh.uv_triangles.size(); ++i)
      mesh.uv_triangles.data()[i] = split.uv_source[kept[i]];
    mesh.uv = rowsOf(asset.mesh.uv, compact(mesh.uv_triangles, asset.mesh.uv.rows()));
  }
  if (!asset.triangle_material.empty()) result.triangle_material = kept_material;
  // Long triangles of a coarse mesh bend its normals; those of the whole shade it as what it stands for.
  const Points3 normals = asset.vertexNormals();
  result.normals = rowsOf(normals, vertices);
  for (AssetTarget& target : result.targets) {
    target.normal_change = rowsOf(asset.normalChange(target, normals), vertices);
    target.displacement = rowsOf(target.displacement, vertices);
  }
  if (result.skin) result.skin->weights = rowsOf(result.skin->weights, vertices);
  return result;
}

std::vector<FaceAsset> levelsOfDetail(const FaceAsset& asset, const std::vector<double>& triangle_shares,
                                      const LodOptions& options) {
  std::vector<FaceAsset> levels;
  for (const double share : triangle_shares) levels.push_back(simplified(asset, share, options));
  return levels;
}

LodError measureLod(const FaceAsset& whole, const FaceAsset& level, const std::vector<std::uint8_t>& which) {
  require(static_cast<Eigen::Index>(which.size()) == whole.mesh.vertices.rows(), "measureLod: ", which.size(),
          " marks for ", whole.mesh.vertices.rows(), " vertices");
  require(whole.targets.size() == level.targets.size(), "measureLod: the level has other shapes");
  const SurfaceIndex surface(level.mesh);
  const Points3 normals = vertexNormals(whole.mesh.vertices, whole.mesh.triangles);
  LodError error;
  error.target_mean_mm.assign(whole.targets.size(), 0);
  error.target_max_mm.assign(whole.targets.size(), 0);
  int count = 0;
  for (Eigen::Index v = 0; v < whole.mesh.vertices.rows(); ++v) {
    if (which[static_cast<std::size_t>(v)] == 0) continue;
    ++count;
    const Eigen::Vector3d point = whole.mesh.vertices.row(v).transpose().cast<double>();
    // Facing the same way, so that a vertex of one lip is not measured against the other.
    SurfaceIndex::Hit hit =
        surface.closest(point, {.normal = normals.row(v).transpose().cast<double>(), .min_cosine = 0.3});
    if (hit.triangle < 0) hit = surface.closest(point);
    error.neutral_mean_mm += hit.distance;
    error.neutral_max_mm = std::max(error.neutral_max_mm, hit.distance);
    const Eigen::Vector3f weights = surface.barycentric(hit);
    for (std::size_t t = 0; t < whole.targets.size(); ++t) {
      Eigen::RowVector3f difference = -whole.targets[t].displacement.row(v);
      for (int k = 0; k < 3; ++k) {
        difference += weights[k] * level.targets[t].displacement.row(level.mesh.triangles(hit.triangle, k));
      }
      error.target_mean_mm[t] += difference.norm();
      error.target_max_mm[t] = std::max<double>(error.target_max_mm[t], difference.norm());
    }
  }
  error.neutral_mean_mm /= std::max(1, count);
  for (double& mean : error.target_mean_mm) mean /= std::max(1, count);
  return error;
}

}  // namespace facet
