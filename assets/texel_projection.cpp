#include "assets/texel_projection.h"

#include <Eigen/Geometry>
#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <queue>
#include <utility>

#include "core/check.h"
#include "core/closest_point.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"
#include "core/split_mesh.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 4;

// Length of the shortest way along the edges from each vertex to an outer border, mm. Holes for eyes, mouth
// and nostrils have borders too, but the surface is good up to these.
std::vector<float> distanceToBorder(const Mesh& mesh) {
  constexpr float kOuter_mm = 250;  // length of a border from which on it is no hole; a wide mouth has 150
  const std::vector<int> welded = weldedVertices(mesh.vertices);
  const Triangles border = borderEdges(mesh.triangles, welded);
  const std::size_t count = static_cast<std::size_t>(mesh.vertices.rows());
  std::vector<std::vector<int>> neighbours(count), along_border(count);
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int a = welded[mesh.triangles(f, (k + 1) % 3)], b = welded[mesh.triangles(f, (k + 2) % 3)];
      neighbours[a].push_back(b);
      neighbours[b].push_back(a);
      if (border(f, k)) along_border[a].push_back(b), along_border[b].push_back(a);
    }
  }
  const auto length = [&](int a, int b) { return (mesh.vertices.row(a) - mesh.vertices.row(b)).norm(); };
  using Step = std::pair<float, int>;
  std::priority_queue<Step, std::vector<Step>, std::greater<>> steps;
  std::vector<std::uint8_t> is_seen(count, 0);
  for (std::size_t start = 0; start < count; ++start) {
    if (is_seen[start] || along_border[start].empty()) continue;
    std::vector<int> loop = {static_cast<int>(start)};
    is_seen[start] = 1;
    float twice_mm = 0;  // each edge is met from both ends
    for (std::size_t i = 0; i < loop.size(); ++i) {
      for (const int next : along_border[loop[i]]) {
        twice_mm += length(loop[i], next);
        if (is_seen[next]) continue;
        is_seen[next] = 1;
        loop.push_back(next);
      }
    }
    if (twice_mm < 2 * kOuter_mm) continue;
    for (const int v : loop) steps.emplace(0.0F, v);
  }
  std::vector<float> distance(count, std::numeric_limits<float>::max());
  while (!steps.empty()) {
    const auto [way_mm, v] = steps.top();
    steps.pop();
    if (way_mm >= distance[v]) continue;
    distance[v] = way_mm;
    for (const int next : neighbours[v]) {
      const float there_mm = way_mm + length(next, v);
      if (there_mm < distance[next]) steps.emplace(there_mm, next);
    }
  }
  for (std::size_t v = 0; v < count; ++v) distance[v] = distance[welded[v]];
  return distance;
}

struct LabelledSurface {
  std::vector<int> triangle;  // of the whole source
  SurfaceIndex index;
};

std::map<int, LabelledSurface> surfacesByLabel(const Mesh& source, const std::vector<int>& label) {
  std::map<int, LabelledSurface> surfaces;
  std::vector<int> labels = label.empty() ? std::vector<int>{0} : label;
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  for (const int l : labels) {
    if (l < 0) continue;
    SubMesh sub = subMesh(source.vertices, source.triangles,
                          [&](int f) { return label.empty() || label[static_cast<std::size_t>(f)] == l; });
    surfaces.emplace(l, LabelledSurface{std::move(sub.triangle), SurfaceIndex(sub.mesh)});
  }
  return surfaces;
}

Eigen::Vector3f cornerWeights(const Fragments& layout, int x, int y) {
  const float* const fragment = layout.rast.at(x, y);
  return {fragment[0], fragment[1], 1 - fragment[0] - fragment[1]};
}

template <typename Rows>
Eigen::Vector3f blend(const Rows& values, const Triangles& triangles, int triangle,
                      const Eigen::Vector3f& weights) {
  Eigen::Vector3f sum = Eigen::Vector3f::Zero();
  for (int k = 0; k < 3; ++k) {
    sum += weights[k] * values.row(triangles(triangle, k)).template head<3>().transpose();
  }
  return sum;
}

// Normals and tangents of a mesh as a viewer interpolates them.
struct TangentFrames {
  SplitMesh split;
  Points3 normals;
  Points4 tangents;

  explicit TangentFrames(const Mesh& mesh) : split(splitAtSeams(mesh)) {
    normals = gatherRows(vertexNormals(mesh.vertices, mesh.triangles), split.source);
    tangents = vertexTangents(gatherRows(mesh.vertices, split.source), normals,
                              gatherRows(mesh.uv, split.uv_source), split.triangles);
  }
  // Columns: tangent, bitangent, normal; model_from_tangent.
  Eigen::Matrix3f at(int triangle, const Eigen::Vector3f& weights) const {
    const Eigen::Vector3f normal = blend(normals, split.triangles, triangle, weights).normalized();
    const Eigen::Vector3f tangent = blend(tangents, split.triangles, triangle, weights).normalized();
    Eigen::Matrix3f frame;
    frame << tangent, tangents(split.triangles(triangle, 0), 3) * normal.cross(tangent), normal;
    return frame;
  }
};

}  // namespace

void ProjectionOptions::check() const {
  require(reach_mm > 0, "ProjectionOptions: reach_mm is ", reach_mm, ", it must be above 0");
  require(min_cosine >= -1 && min_cosine < 1, "ProjectionOptions: min_cosine is ", min_cosine,
          ", it must lie in [-1, 1)");
  require(feather_mm >= 0, "ProjectionOptions: feather_mm is ", feather_mm, ", it must not be negative");
}

TexelProjection projectTexels(const Mesh& target, const Mesh& source, int size_px,
                              const ProjectionOptions& options) {
  options.check();
  const auto fits = [](const std::vector<int>& label, const Mesh& mesh) {
    return label.empty() || static_cast<Eigen::Index>(label.size()) == mesh.triangles.rows();
  };
  require(fits(options.target_label, target) && fits(options.source_label, source),
          "projectTexels: labels are per triangle, and their number is another");
  TexelProjection result;
  result.layout = rasterizeUv(target, size_px);
  const std::size_t num_texels = static_cast<std::size_t>(size_px) * static_cast<std::size_t>(size_px);
  result.triangle.assign(num_texels, -1);
  result.barycentric = Points3::Zero(static_cast<Eigen::Index>(num_texels), 3);
  result.weight = ImageF(size_px, size_px, 1);
  const std::map<int, LabelledSurface> surfaces = surfacesByLabel(source, options.source_label);
  const std::vector<float> to_border_mm = distanceToBorder(source);
  const Points3 normals = vertexNormals(target.vertices, target.triangles);
  parallelFor(size_px, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size_px; ++x) {
        const int triangle = result.layout.triangle(x, y);
        if (triangle < 0) continue;
        const auto surface = surfaces.find(options.target_label.empty() ? 0 : options.target_label[triangle]);
        if (surface == surfaces.end()) continue;
        const Eigen::Vector3f weights = cornerWeights(result.layout, x, y);
        const Eigen::Vector3d point =
            blend(target.vertices, target.triangles, triangle, weights).cast<double>();
        const Eigen::Vector3d normal =
            blend(normals, target.triangles, triangle, weights).normalized().cast<double>();
        // Most places are near; a short reach prunes the search.
        SurfaceIndex::Hit hit;
        hit.triangle = -1;
        for (const double reach_mm : {options.reach_mm / 8, options.reach_mm}) {
          hit = surface->second.index.closest(
              point, {.max_distance = reach_mm, .normal = normal, .min_cosine = options.min_cosine});
          if (hit.triangle >= 0) break;
        }
        if (hit.triangle < 0) continue;
        const Eigen::Vector3f there = surface->second.index.barycentric(hit);
        const std::size_t texel = static_cast<std::size_t>(y) * size_px + x;
        result.triangle[texel] = surface->second.triangle[hit.triangle];
        result.barycentric.row(static_cast<Eigen::Index>(texel)) = there.transpose();
        float border_mm = 0;
        for (int k = 0; k < 3; ++k)
          border_mm += there[k] * std::min(to_border_mm[source.triangles(result.triangle[texel], k)], 1e6F);
        const float inside = options.feather_mm > 0
                                 ? std::clamp(border_mm / static_cast<float>(options.feather_mm), 0.0F, 1.0F)
                                 : 1.0F;
        // Full up to half the reach, then falling.
        const float near =
            std::clamp(2 - 2 * static_cast<float>(hit.distance / options.reach_mm), 0.0F, 1.0F);
        *result.weight.at(x, y) = inside * inside * (3 - 2 * inside) * near;
      }
    }
  });
  return result;
}

ExtractedTexture projectTexture(const TexelProjection& projection, const Mesh& source,
                                const ImageF& texture) {
  require(source.hasUv(), "projectTexture: the source has no texture coordinates");
  const int size = projection.layout.width;
  ImageF uv(size, size, 2, -1.0F);
  for (std::size_t texel = 0; texel < projection.triangle.size(); ++texel) {
    const int triangle = projection.triangle[texel];
    if (triangle < 0) continue;
    Eigen::RowVector2f place(0, 0);
    for (int k = 0; k < 3; ++k) {
      place += projection.barycentric(static_cast<Eigen::Index>(texel), k) *
               source.uv.row(source.uv_triangles(triangle, k));
    }
    uv.data()[2 * texel] = place.x();
    uv.data()[2 * texel + 1] = place.y();
  }
  ExtractedTexture result{sampleTexture(texture, uv), projection.weight};
  for (std::size_t texel = 0; texel < projection.triangle.size(); ++texel) {
    if (projection.triangle[texel] >= 0) continue;
    std::fill_n(result.colour.data() + texel * result.colour.channels(), result.colour.channels(), 0.0F);
  }
  return result;
}

Image8 normalMapImage(const ImageF& normals) {
  // Ordered dither (Bayer, 1973), another offset per channel.
  constexpr int kBayer[4][4] = {{0, 8, 2, 10}, {12, 4, 14, 6}, {3, 11, 1, 9}, {15, 7, 13, 5}};
  Image8 image(normals.width(), normals.height(), 3);
  for (int y = 0; y < image.height(); ++y) {
    for (int x = 0; x < image.width(); ++x) {
      for (int c = 0; c < 3; ++c) {
        const float value = 127.5F * (normals.at(x, y)[c] + 1);
        const float threshold = (static_cast<float>(kBayer[(y + c) & 3][(x + 2 * c) & 3]) + 0.5F) / 16;
        // A flat normal stays exactly flat: 127.5 becomes 128 everywhere, which readers take for 0.
        const bool is_flat = std::abs(value - 127.5F) < 0.02F;
        const float level = is_flat ? 128.0F : std::floor(value + threshold);
        image.at(x, y)[c] = static_cast<std::uint8_t>(std::clamp(level, 0.0F, 255.0F));
      }
    }
  }
  return image;
}

Image8 bakeNormalMap(const Mesh& target, const Mesh& source, const Points3& source_normals,
                     const TexelProjection& projection) {
  require(source_normals.rows() == source.vertices.rows(), "bakeNormalMap: ", source_normals.rows(),
          " normals for a source of ", source.vertices.rows(), " vertices");
  const TangentFrames frames(target);
  const int size = projection.layout.width;
  ImageF normals(size, size, 3);
  parallelFor(size, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size; ++x) {
        Eigen::Map<Eigen::Vector3f> normal(normals.at(x, y));
        normal = Eigen::Vector3f::UnitZ();
        const std::size_t texel = static_cast<std::size_t>(y) * size + x;
        const int triangle = projection.layout.triangle(x, y), there = projection.triangle[texel];
        const float weight = *projection.weight.at(x, y);
        if (triangle < 0 || there < 0 || weight <= 0) continue;
        const Eigen::Vector3f in_model =
            blend(source_normals, source.triangles, there,
                  projection.barycentric.row(static_cast<Eigen::Index>(texel)).transpose());
        const Eigen::Matrix3f frame = frames.at(triangle, cornerWeights(projection.layout, x, y));
        // The interpolated frame is not quite orthogonal; its inverse gives what the viewer turns back.
        const Eigen::Vector3f in_tangent = (frame.inverse() * in_model).normalized();
        if (!in_tangent.allFinite() || in_tangent.z() <= 0) continue;
        normal = (weight * in_tangent + (1 - weight) * Eigen::Vector3f::UnitZ()).normalized();
      }
    }
  });
  padSeams(normals, uvCoverage(projection.layout));
  return normalMapImage(normals);
}

ImageF objectSpaceNormals(const Mesh& mesh, const Image8& normal_map) {
  require(normal_map.width() == normal_map.height() && normal_map.channels() == 3,
          "objectSpaceNormals: the normal map is ", normal_map.width(), "x", normal_map.height(), "x",
          normal_map.channels(), ", expected size×size×3");
  const TangentFrames frames(mesh);
  const int size = normal_map.width();
  const Fragments layout = rasterizeUv(mesh, size);
  ImageF normals(size, size, 3);
  parallelFor(size, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size; ++x) {
        const int triangle = layout.triangle(x, y);
        if (triangle < 0) continue;
        const std::uint8_t* const texel = normal_map.at(x, y);
        Eigen::Vector3f in_tangent;
        for (int c = 0; c < 3; ++c) {
          in_tangent[c] = texel[c] == 128 ? 0.0F : static_cast<float>(texel[c]) / 127.5F - 1;
        }
        Eigen::Map<Eigen::Vector3f>(normals.at(x, y)) =
            (frames.at(triangle, cornerWeights(layout, x, y)) * in_tangent).normalized();
      }
    }
  });
  padSeams(normals, uvCoverage(layout));
  return normals;
}

}  // namespace facet
