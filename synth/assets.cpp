#include "synth/assets.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/mesh.h"
#include "core/parallel.h"
#include "render/rasterize.h"
#include "synth/random.h"

namespace facet::synth {
namespace {

constexpr char kHint[] = "; make it with tools/synth/prepare_assets.py";

const NpyArray& find(const Npz& arrays, const std::string& name, const std::filesystem::path& path) {
  const auto found = arrays.find(name);
  if (found == arrays.end()) fail(ErrorKind::kInput, path.string(), ": array '", name, "' is missing", kHint);
  return found->second;
}

// Picture `index` of an array of uint8 pictures (any number of leading pictures, H×W or H×W×C).
Image8 picture(const NpyArray& array, int index, int height, int width, int channels) {
  Image8 image(width, height, channels);
  std::copy_n(array.bytes.begin() + static_cast<std::ptrdiff_t>(index * image.size()), image.size(),
              image.data());
  return image;
}

template <typename Matrix>
Matrix matrix(const NpyArray& array) {
  const std::vector<float> values = array.asFloat();
  return Eigen::Map<const Matrix>(values.data(),
                                  static_cast<Eigen::Index>(values.size()) / Matrix::ColsAtCompileTime,
                                  Matrix::ColsAtCompileTime);
}

// Fraction of the cosine-weighted sky that each vertex of the mean face sees past the face itself, from depth
// maps in many directions.
std::vector<float> occlusionOf(const Points3& vertices, const Triangles& triangles) {
  constexpr int kDirections = 96, kSize = 256;
  constexpr float kReach_mm = 260, kBias_mm = 2.5F;
  const Points3 normals = vertexNormals(vertices, triangles);
  const Eigen::Index count = vertices.rows();
  Eigen::ArrayXf open = Eigen::ArrayXf::Zero(count), total = Eigen::ArrayXf::Constant(count, 1e-6F);
  for (int k = 0; k < kDirections; ++k) {
    // Directions spread evenly over the sphere (golden spiral).
    const float z = 1 - (2 * k + 1.0F) / kDirections, angle = 2.399963F * k, r = std::sqrt(1 - z * z);
    const Eigen::Vector3f towards(r * std::cos(angle), r * std::sin(angle), z);
    const Eigen::Vector3f right = towards.unitOrthogonal(), up = towards.cross(right);
    Points4 clip(count, 4);
    clip.col(0) = vertices * right / kReach_mm;
    clip.col(1) = vertices * up / kReach_mm;
    clip.col(2) = -(vertices * towards) / kReach_mm;
    clip.col(3).setOnes();
    const Fragments fragments = rasterize(clip, triangles, kSize, kSize);
    for (Eigen::Index v = 0; v < count; ++v) {
      const float cosine = normals.row(v).dot(towards);
      if (cosine <= 0) continue;
      total(v) += cosine;
      const int x = std::clamp(static_cast<int>((clip(v, 0) + 1) / 2 * kSize), 0, kSize - 1);
      const int y = std::clamp(static_cast<int>((1 - clip(v, 1)) / 2 * kSize), 0, kSize - 1);
      const float* hit = fragments.rast.at(x, y);
      if (hit[3] == 0 || clip(v, 2) <= hit[2] + kBias_mm / kReach_mm) open(v) += cosine;
    }
  }
  const Eigen::ArrayXf fraction = open / total;
  return {fraction.data(), fraction.data() + count};
}

// Roots spread evenly over the part of the skin where `weight` of the corners is positive.
template <typename Weight>
std::vector<HairRoot> scatterRoots(const Assets& assets, int count, std::uint64_t seed,
                                   const Weight& weight) {
  std::vector<float> cumulative;
  std::vector<int> candidates;
  float sum = 0;
  const Points3& mean = assets.model.mean;
  for (int f = 0; f < assets.triangles.rows(); ++f) {
    if (assets.material[f] > HeadMaterial::kBack) continue;
    const auto t = assets.triangles.row(f);
    if (std::max({weight(t(0)), weight(t(1)), weight(t(2))}) <= 0) continue;
    const Eigen::Vector3f a = mean.row(t(0)), b = mean.row(t(1)), c = mean.row(t(2));
    sum += (b - a).cross(c - a).norm();
    cumulative.push_back(sum);
    candidates.push_back(f);
  }
  std::vector<HairRoot> roots;
  Random random(seed);
  while (!candidates.empty() && static_cast<int>(roots.size()) < count) {
    const auto at = std::lower_bound(cumulative.begin(), cumulative.end(), random.uniform() * sum);
    HairRoot root;
    root.triangle = candidates[std::min<std::size_t>(at - cumulative.begin(), candidates.size() - 1)];
    float u = random.uniform(), v = random.uniform();
    if (u + v > 1) u = 1 - u, v = 1 - v;
    root.weights = {1 - u - v, u, v};
    root.position.setZero();
    for (int k = 0; k < 3; ++k) {
      const int vertex = assets.triangles(root.triangle, k);
      root.position += root.weights[k] * mean.row(vertex).transpose();
      root.hairline_mm += root.weights[k] * assets.hairline_mm[vertex];
      root.beard += root.weights[k] * assets.beard[vertex];
      root.moustache += root.weights[k] * assets.moustache[vertex];
    }
    roots.push_back(root);
  }
  return roots;
}

}  // namespace

Points3 Assets::ibugLandmarks(const Points3& vertices, float brow_shift) const {
  constexpr int kFirstBrow = 17, kNumBrow = 10;
  Points3 points(kNumIbugLandmarks, 3);
  for (int i = 0; i < kNumIbugLandmarks; ++i) points.row(i) = vertices.row(ibug_vertices[i]);
  const float step = brow_shift_mm[1] - brow_shift_mm[0];
  const float at = std::clamp((brow_shift - brow_shift_mm[0]) / step, 0.0F,
                              static_cast<float>(brow_shift_mm.size()) - 1.001F);
  const int lower = static_cast<int>(at);
  const float t = at - static_cast<float>(lower);
  const auto point = [&](int row) {
    const auto corner = triangles.row(brow_triangle[row]);
    Eigen::RowVector3f p = Eigen::RowVector3f::Zero();
    for (int k = 0; k < 3; ++k) p += brow_weights(row, k) * vertices.row(corner(k));
    return p;
  };
  for (int i = 0; i < kNumBrow; ++i) {
    points.row(kFirstBrow + i) =
        (1 - t) * point(lower * kNumBrow + i) + t * point((lower + 1) * kNumBrow + i);
  }
  return points;
}

Assets loadAssets(const std::filesystem::path& path, const std::string& model) {
  const Npz arrays = readNpz(path);
  Assets assets;
  assets.model = loadModel(model);
  const int num_vertices = assets.model.numVertices();

  const std::vector<std::int32_t> triangles = find(arrays, "triangles", path).asInt32();
  assets.triangles =
      Eigen::Map<const Triangles>(triangles.data(), static_cast<Eigen::Index>(triangles.size() / 3), 3);
  const NpyArray& material = find(arrays, "material", path);
  for (const std::int32_t code : material.asInt32())
    assets.material.push_back(static_cast<HeadMaterial>(code));
  assets.corner_uv =
      matrix<Eigen::Matrix<float, Eigen::Dynamic, 6, Eigen::RowMajor>>(find(arrays, "corner_uv", path));
  assets.num_skin_vertices = find(arrays, "num_skin_vertices", path).asInt32().at(0);
  assets.hairline_mm = find(arrays, "hairline_mm", path).asFloat();
  assets.beard = find(arrays, "beard", path).asFloat();
  assets.moustache = find(arrays, "moustache", path).asFloat();
  assets.eye_xy = matrix<Points2>(find(arrays, "eye_xy", path));
  assets.eye_centres = matrix<Points3>(find(arrays, "eye_centres", path));
  assets.skin_tones = matrix<Points3>(find(arrays, "skin_tones", path));
  if (static_cast<int>(assets.hairline_mm.size()) != num_vertices ||
      assets.triangles.maxCoeff() >= num_vertices) {
    fail(ErrorKind::kModel, path.string(), ": prepared for a model of ", assets.hairline_mm.size(),
         " vertices, but '", model, "' has ", num_vertices, "; give the ICT-FaceKit model with --model");
  }

  const auto pictures = [&](const std::string& name, int channels) {
    const NpyArray& array = find(arrays, name, path);
    std::vector<Image8> result;
    for (int i = 0; i < array.shape[0]; ++i) {
      result.push_back(
          picture(array, i, static_cast<int>(array.shape[1]), static_cast<int>(array.shape[2]), channels));
    }
    return result;
  };
  assets.skins = pictures("skins", 3);
  assets.brows = pictures("brows", 1);
  assets.brow_mm_per_texel = find(arrays, "brow_mm_per_texel", path).asFloat().at(0);
  assets.ibug_vertices = find(arrays, "ibug_vertices", path).asInt32();
  assets.brow_shift_mm = find(arrays, "brow_shift_mm", path).asFloat();
  assets.brow_triangle = find(arrays, "brow_triangle", path).asInt32();
  assets.brow_weights = matrix<Points3>(find(arrays, "brow_weights", path));
  const NpyArray& features = find(arrays, "features", path);
  assets.features =
      picture(features, 0, static_cast<int>(features.shape[0]), static_cast<int>(features.shape[1]), 4);
  const NpyArray& environments = find(arrays, "environments", path);
  const std::vector<float> radiance = environments.asFloat();
  for (int i = 0; i < environments.shape[0]; ++i) {
    ImageF image(static_cast<int>(environments.shape[2]), static_cast<int>(environments.shape[1]), 3);
    std::copy_n(radiance.begin() + static_cast<std::ptrdiff_t>(i * image.size()), image.size(), image.data());
    assets.environments.push_back(std::move(image));
  }
  for (const auto& [name, array] : arrays) {
    if (!name.starts_with("background_")) continue;
    assets.backgrounds.push_back(
        picture(array, 0, static_cast<int>(array.shape[0]), static_cast<int>(array.shape[1]), 3));
  }
  for (const std::int32_t index : find(arrays, "animal_indices", path).asInt32())
    assets.animals.push_back(index);

  assets.occlusion = occlusionOf(assets.model.mean, assets.triangles);
  assets.scalp_roots = scatterRoots(assets, 24'000, 1, [&](int v) { return assets.hairline_mm[v] + 8; });
  assets.beard_roots =
      scatterRoots(assets, 9000, 2, [&](int v) { return std::max(assets.beard[v], assets.moustache[v]); });
  return assets;
}

}  // namespace facet::synth
