#include "assets/baked_maps.h"

#include <Eigen/Geometry>
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "core/arkit_shapes.h"
#include "core/check.h"
#include "core/mesh_parts.h"
#include "core/parallel.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

constexpr int kVertexChunk = 1024;

// Even directions: a Fibonacci lattice on the sphere.
Eigen::Vector3f latticeDirection(int index, int count) {
  const float golden_angle = std::numbers::pi_v<float> * (3 - std::sqrt(5.0F));
  const float z = 1 - 2 * (static_cast<float>(index) + 0.5F) / static_cast<float>(count);
  const float radius = std::sqrt(std::max(0.0F, 1 - z * z));
  const float angle = golden_angle * static_cast<float>(index);
  return {radius * std::cos(angle), radius * std::sin(angle), z};
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// GGX roughness of clean skin without make-up, as artists set it; glTF squares it. What is not named here is
// cheek.
float roughnessOfRegion(const std::string& name) {
  constexpr float kSkin = 0.5F;
  const std::pair<const char*, float> table[] = {
      {"scalp", 0.55F}, {"forehead", 0.43F}, {"glabella", 0.43F}, {"nose", 0.38F}, {"philtrum", 0.47F},
      {"chin", 0.46F},  {"jaw", 0.54F},      {"lid", 0.46F},      {"ear", 0.56F},  {"neck", 0.58F}};
  for (const auto& [part, roughness] : table) {
    if (contains(name, part)) return roughness;
  }
  return kSkin;
}

enum class Surface { kSkin, kEye, kMouth, kTeeth };

Surface surfaceOf(const std::string& name) {
  if (contains(name, "socket")) return Surface::kSkin;
  if (contains(name, "eyeball") || name == "eye" || contains(name, "cornea")) return Surface::kEye;
  if (contains(name, "teeth") || contains(name, "tooth")) return Surface::kTeeth;
  if (contains(name, "mouth_inside") || name == "mouth" || contains(name, "gum") || contains(name, "tongue"))
    return Surface::kMouth;
  return Surface::kSkin;
}

// V; by the material of a vertex's triangles, else by its region.
std::vector<Surface> surfaces(const MorphableModel& model) {
  std::vector<Surface> result(static_cast<std::size_t>(model.numVertices()), Surface::kSkin);
  if (!model.region.empty()) {
    for (std::size_t v = 0; v < result.size(); ++v)
      result[v] = surfaceOf(model.region_names[model.region[v]]);
  }
  if (model.triangle_material.empty()) return result;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    const Surface surface = surfaceOf(model.material_names[model.triangle_material[f]]);
    if (surface == Surface::kSkin) continue;
    for (int k = 0; k < 3; ++k) result[model.triangles(f, k)] = surface;
  }
  return result;
}

// The head with the named shapes at weight 1, as far as the model has them.
Points3 posed(const MorphableModel& model, const Points3& neutral, std::initializer_list<const char*> names) {
  Points3 vertices = neutral;
  for (const std::string name : names) {
    const auto blendshape = std::find(model.blendshape_names.begin(), model.blendshape_names.end(), name);
    if (blendshape != model.blendshape_names.end()) {
      vertices += model.blendshapes.points(blendshape - model.blendshape_names.begin());
    } else if (const auto expression = arkitExpression(model, name);
               expression && model.isBlendshape(*expression)) {
      vertices += model.expression.points(*expression);
    }
  }
  return vertices;
}

}  // namespace

ImageF albedoTexture(const MorphableModel& model, int size_px) {
  constexpr float kGrey = 0.35F;
  const Mesh mesh = model.mesh(model.mean);
  const Fragments layout = rasterizeUv(mesh, size_px);
  ImageF map = attributesInUv(mesh, layout,
                              model.albedo_mean.rows() > 0
                                  ? model.albedo_mean
                                  : Points3(Points3::Constant(model.numVertices(), 3, kGrey)));
  padSeams(map, uvCoverage(layout));
  return map;
}

void OcclusionOptions::check() const {
  require(num_directions > 0, "OcclusionOptions: num_directions is ", num_directions, ", it must be above 0");
  require(depth_map_px >= 8, "OcclusionOptions: depth_map_px is ", depth_map_px, ", it must be 8 or more");
}

Eigen::VectorXf ambientOcclusion(const Points3& vertices, const Triangles& triangles,
                                 const OcclusionOptions& options) {
  options.check();
  const int count = static_cast<int>(vertices.rows());
  require(count > 0 && triangles.rows() > 0, "ambientOcclusion: the mesh has no triangles");
  const Points3 normals = vertexNormals(vertices, triangles);
  const Eigen::RowVector3f centre = 0.5F * (vertices.colwise().minCoeff() + vertices.colwise().maxCoeff());
  const float radius_mm = (vertices.rowwise() - centre).rowwise().norm().maxCoeff();
  const float texel_mm = 2 * radius_mm / static_cast<float>(options.depth_map_px);
  // A vertex looks from a little above its surface, or the texels that it lies in would hide it.
  const float lift_mm = 0.75F * texel_mm;
  constexpr float kGrazing = 0.05F;  // cosine below which a direction neither counts nor is asked
  Eigen::VectorXf open = Eigen::VectorXf::Zero(count), all = open;
  Points4 clip(count, 4);
  clip.col(3).setOnes();
  for (int d = 0; d < options.num_directions; ++d) {
    const Eigen::Vector3f to_light = latticeDirection(d, options.num_directions);
    const Eigen::Vector3f right = to_light.unitOrthogonal(), up = to_light.cross(right);
    Eigen::Matrix3f clip_from_model;  // orthographic; what is nearer to the light has the smaller depth
    clip_from_model << right.transpose(), up.transpose(), -to_light.transpose();
    clip_from_model /= 1.001F * radius_mm;
    clip.leftCols<3>() = (vertices.rowwise() - centre) * clip_from_model.transpose();
    const Fragments depth = rasterize(clip, triangles, options.depth_map_px, options.depth_map_px);
    const Points3 lifted = clip.leftCols<3>() + lift_mm * normals * clip_from_model.transpose();
    parallelFor(count, kVertexChunk, [&](int begin, int end) {
      for (int v = begin; v < end; ++v) {
        const float cosine = normals.row(v).dot(to_light);
        if (cosine < kGrazing) continue;
        const float side = static_cast<float>(options.depth_map_px);
        const float x = (lifted(v, 0) + 1) / 2 * side - 0.5F, y = (1 - lifted(v, 1)) / 2 * side - 0.5F;
        const int left = static_cast<int>(std::floor(x)), top = static_cast<int>(std::floor(y));
        // Share of the four texels round it that do not hide it, weighted bilinearly.
        float visible = 0;
        for (int k = 0; k < 4; ++k) {
          const int tx = left + (k & 1), ty = top + (k >> 1);
          const float weight = std::abs(1 - (k & 1) - (x - static_cast<float>(left))) *
                               std::abs(1 - (k >> 1) - (y - static_cast<float>(top)));
          const bool is_inside = tx >= 0 && ty >= 0 && tx < depth.width && ty < depth.height;
          const bool is_hidden =
              is_inside && depth.rast.at(tx, ty)[3] > 0 && depth.rast.at(tx, ty)[2] < lifted(v, 2);
          if (!is_hidden) visible += weight;
        }
        open[v] += cosine * visible;
        all[v] += cosine;
      }
    });
  }
  return open.cwiseQuotient(all.cwiseMax(1e-6F));
}

Eigen::VectorXf skinRoughness(const MorphableModel& model) {
  constexpr float kEye = 0.1F, kTeeth = 0.22F, kMouth = 0.35F, kLips = 0.34F;
  constexpr double kRegionBorder_mm = 10, kLipBorder_mm = 1.5;
  const std::vector<Surface> surface = surfaces(model);
  Eigen::VectorXf roughness(model.numVertices());
  for (int v = 0; v < model.numVertices(); ++v) {
    roughness[v] = roughnessOfRegion(model.region.empty() ? "" : model.region_names[model.region[v]]);
  }
  roughness = spreadOver(model.mean, model.triangles, std::move(roughness), kRegionBorder_mm);
  for (int v = 0; v < model.numVertices(); ++v) {
    if (!model.region.empty() && model.region_names[model.region[v]].starts_with("lip")) roughness[v] = kLips;
  }
  roughness = spreadOver(model.mean, model.triangles, std::move(roughness), kLipBorder_mm);
  for (int v = 0; v < model.numVertices(); ++v) {
    if (surface[v] == Surface::kEye) roughness[v] = kEye;
    if (surface[v] == Surface::kTeeth) roughness[v] = kTeeth;
    if (surface[v] == Surface::kMouth) roughness[v] = kMouth;
  }
  return roughness;
}

Image8 occlusionRoughnessMap(const MorphableModel& model, const Points3& neutral,
                             const OcclusionRoughnessOptions& options) {
  require(neutral.rows() == model.mean.rows(), "occlusionRoughnessMap: ", neutral.rows(),
          " vertices for a model of ", model.numVertices());
  if (!model.hasUsableUv()) return {};
  constexpr float kDarkestEye = 0.5F, kDarkestTooth = 0.3F;
  constexpr double kNoise_mm = 1;  // over which the few directions' error is evened out
  const Points3 opened = posed(model, neutral, {"jawOpen", "eyeBlinkLeft", "eyeBlinkRight"});
  Eigen::VectorXf occlusion = ambientOcclusion(neutral, model.triangles, options.occlusion);
  if (opened != neutral) {
    const std::vector<Surface> surface = surfaces(model);
    const Eigen::VectorXf in_opened = ambientOcclusion(opened, model.triangles, options.occlusion);
    for (int v = 0; v < model.numVertices(); ++v) {
      if (surface[v] == Surface::kSkin) occlusion[v] = 0.5F * (occlusion[v] + in_opened[v]);
      if (surface[v] == Surface::kMouth) occlusion[v] = in_opened[v];
      if (surface[v] == Surface::kTeeth) occlusion[v] = kDarkestTooth + (1 - kDarkestTooth) * in_opened[v];
      if (surface[v] == Surface::kEye) occlusion[v] = kDarkestEye + (1 - kDarkestEye) * occlusion[v];
    }
  }
  occlusion = spreadOver(neutral, model.triangles, std::move(occlusion), kNoise_mm);
  Points3 values(model.numVertices(), 3);
  values.col(0) = occlusion;
  values.col(1) = skinRoughness(model);
  values.col(2).setZero();

  const Mesh mesh = model.mesh(neutral);
  const Fragments layout = rasterizeUv(mesh, options.size_px);
  ImageF map = attributesInUv(mesh, layout, values);
  padSeams(map, uvCoverage(layout));
  Image8 packed(options.size_px, options.size_px, 3);
  for (std::size_t i = 0; i < map.size(); ++i) {
    packed.data()[i] = static_cast<std::uint8_t>(std::lround(255 * std::clamp(map.data()[i], 0.0F, 1.0F)));
  }
  return packed;
}

}  // namespace facet
