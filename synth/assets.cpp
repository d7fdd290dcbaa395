#include "synth/assets.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "core/landmarks.h"
#include "core/mesh.h"
#include "core/parallel.h"
#include "core/spherical_harmonics.h"
#include "render/rasterize.h"
#include "synth/random.h"

namespace facet::synth {
namespace {

constexpr char kHint[] =
    "; make it with tools/synth/prepare_assets.py, for the built-in head carry_assets.py";

constexpr int kPaintLevels = 3;
constexpr int kMinBackground_px = 32;  // photoPiece() cuts no smaller squares
constexpr int kNumHeadMaterials = static_cast<int>(HeadMaterial::kSocket) + 1;
constexpr std::int64_t kAny = -1, kSome = -2;  // lengths of an axis: any, any but 0

// numpy's types of items.
constexpr std::string_view kFloats = "<f2 <f4 <f8", kIntegers = "|i1 |u1 <i2 <u2 <i4 <i8", kBytes = "|u1";

// The arrays of an assets file. Each is checked when it is asked for: Error(kInput) names file and array.
class AssetFile {
 public:
  explicit AssetFile(const std::filesystem::path& path) : path_(path), arrays_(readNpz(path)) {}

  bool has(const std::string& name) const { return arrays_.contains(name); }
  std::vector<std::string> namesFrom(const std::string& beginning) const {
    std::vector<std::string> names;
    for (const auto& [name, array] : arrays_)
      if (name.starts_with(beginning)) names.push_back(name);
    return names;
  }

  template <typename... Parts>
  [[noreturn]] void failArray(const std::string& name, const Parts&... what) const {
    fail(ErrorKind::kInput, path_.string(), ": array '", name, "' ", what..., kHint);
  }

  const NpyArray& find(const std::string& name, std::string_view dtypes,
                       const std::vector<std::int64_t>& shape) const {
    const auto found = arrays_.find(name);
    if (found == arrays_.end()) failArray(name, "is missing");
    const NpyArray& array = found->second;
    if (dtypes.find(array.dtype) == std::string_view::npos)
      failArray(name, "has items of type ", array.dtype, " instead of one of ", dtypes);
    const bool same =
        std::equal(shape.begin(), shape.end(), array.shape.begin(), array.shape.end(),
                   [](std::int64_t wanted, std::int64_t length) {
                     return wanted == length || wanted == kAny || (wanted == kSome && length > 0);
                   });
    if (!same) failArray(name, "has shape ", shapeText(array.shape), " instead of ", shapeText(shape));
    return array;
  }

  std::vector<float> floats(const std::string& name, const std::vector<std::int64_t>& shape) const {
    return find(name, kFloats, shape).asFloat();
  }

  // Whole numbers in [0, end).
  std::vector<std::int32_t> indices(const std::string& name, const std::vector<std::int64_t>& shape,
                                    std::int64_t end) const {
    std::vector<std::int32_t> values = find(name, kIntegers, shape).asInt32();
    for (const std::int32_t value : values)
      if (value < 0 || value >= end) failArray(name, "holds ", value, ", which is not in [0, ", end, ")");
    return values;
  }

 private:
  static std::string shapeText(const std::vector<std::int64_t>& shape) {
    std::string text;
    for (const std::int64_t length : shape)
      text += (text.empty() ? "" : "×") + (length < 0 ? std::string("N") : std::to_string(length));
    return text;
  }

  std::filesystem::path path_;
  Npz arrays_;
};

// Picture `index` of an array of pictures (any number of leading pictures, H×W or H×W×C).
template <typename T>
ImageT<T> picture(const std::vector<T>& values, std::int64_t index, std::int64_t height, std::int64_t width,
                  int channels) {
  ImageT<T> image(static_cast<int>(width), static_cast<int>(height), channels);
  std::copy_n(values.begin() + index * static_cast<std::ptrdiff_t>(image.size()), image.size(), image.data());
  return image;
}

template <typename Matrix>
Matrix matrix(const std::vector<float>& values) {
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
  const Points3 directions = sphereDirections(kDirections);
  for (int k = 0; k < kDirections; ++k) {
    const Eigen::Vector3f towards = directions.row(k);
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
      root.hairline_mm += root.weights[k] * assets.traits[vertex].hairline_mm;
      root.beard += root.weights[k] * assets.traits[vertex].beard;
      root.moustache += root.weights[k] * assets.traits[vertex].moustache;
    }
    roots.push_back(root);
  }
  return roots;
}

// Piecewise linear through (x, y) pairs of rising x.
float interpolated(std::initializer_list<std::pair<float, float>> points, float x) {
  const auto* before = points.begin();
  if (x <= before->first) return before->second;
  for (const auto* after = before + 1; after != points.end(); before = after++) {
    if (x > after->first) continue;
    const float t = (x - before->first) / (after->first - before->first);
    return before->second + (after->second - before->second) * t;
  }
  return before->second;
}

// Nose, ears and neck on the mean head, from its landmarks: their outlines in front and side view.
void findParts(Assets& assets) {
  const Points3& mean = assets.model.mean;
  const Points3 landmarks = assets.ibug.points(mean, assets.triangles);
  const auto landmark = [&](int i) { return Eigen::Vector3f(landmarks.row(i)); };
  const Eigen::Vector3f bridge = landmark(27), base = landmark(33), wing = landmark(35);
  const float height = bridge.y() - base.y(), wing_mm = std::abs(wing.x());
  assets.mouth_line_mm = (landmark(62).y() + landmark(66).y()) / 2;
  // Jaw outline of the subject's left side by angle around a vertical axis through the neck.
  constexpr float kAxisZ_mm = 10;
  const auto angle = [](const Eigen::Vector3f& p) { return std::atan2(std::abs(p.x()), p.z() - kAxisZ_mm); };
  const float lobe_y = landmark(14).y() - 17;
  for (SkinTraits& t : assets.traits) {
    const Eigen::Vector3f& p = t.mean;
    const float up = (p.y() - base.y()) / height;  // 0 under the nose, 1 at its bridge
    const float half_width = wing_mm * interpolated({{-0.06F, 0.7F},
                                                     {0.06F, 1.14F},
                                                     {0.25F, 1.22F},
                                                     {0.38F, 1.0F},
                                                     {0.57F, 0.65F},
                                                     {0.8F, 0.48F},
                                                     {1, 0.32F},
                                                     {1.1F, 0.1F}},
                                                    up);
    t.nose_mm = std::min({half_width - std::abs(p.x()), p.y() - base.y() + 1.5F, p.z() - wing.z() + 14,
                          bridge.y() + 4 - p.y()});
    // Bumps in front view: forehead, ridge and tip of the nose, chin, cheekbones; height in the nose's.
    const auto bump = [&](float x, float y, float width, float tall) {
      const float dx = (std::abs(p.x()) - x * wing_mm) / (width * wing_mm), dy = (up - y) / tall;
      return std::exp(-dx * dx - dy * dy);
    };
    if (p.z() > 30) {
      t.shine = std::max({bump(0, 2.3F, 2.2F, 0.55F), bump(0, 0.5F, 0.45F, 0.45F), bump(0, 0.25F, 0.7F, 0.2F),
                          0.8F * bump(0, -1.05F, 0.9F, 0.22F), 0.75F * bump(2.6F, 0.55F, 0.8F, 0.25F)});
    }
    // An ellipse in side view, leaning back, outside the skull.
    const Eigen::Vector2f offset(p.z() - 4, p.y() - 8);
    const float lean = 0.2F;
    const float along = offset.y() * std::cos(lean) - offset.x() * std::sin(lean);
    const float across = offset.x() * std::cos(lean) + offset.y() * std::sin(lean);
    t.ear_mm = std::min(std::abs(p.x()) - 66,
                        20 * (1 - std::hypot(along / 30.5F, across / (across > 0 ? 15.5F : 23.0F))));
    float boundary = landmark(8).y();
    const float a = angle(p);
    for (int i = 8; i < 14; ++i) {
      const Eigen::Vector3f low = landmark(i), high = landmark(i + 1);
      if (a >= angle(low)) {
        boundary =
            low.y() + (high.y() - low.y()) * (a - angle(low)) / std::max(1e-3F, angle(high) - angle(low));
      }
    }
    boundary = std::min(boundary - 4, lobe_y) - 6 * smoothStep(2, 3, a);
    t.neck_mm = boundary - p.y();
  }
}

// Places points of the model on the drawn triangles: on the same triangle where it is drawn, else at the
// nearest corner of one that is.
LandmarkEmbedding onDrawnTriangles(const Assets& assets, const LandmarkEmbedding& points) {
  std::vector<std::int32_t> some_triangle(assets.model.numVertices(), -1);
  std::map<std::array<std::int32_t, 3>, std::int32_t> drawn;
  for (int f = 0; f < assets.triangles.rows(); ++f) {
    const auto t = assets.triangles.row(f);
    drawn[{t(0), t(1), t(2)}] = f;
    for (int k = 0; k < 3; ++k) some_triangle[t(k)] = f;
  }
  LandmarkEmbedding result{std::vector<std::int32_t>(points.size(), -1), Points3::Zero(points.size(), 3)};
  for (int i = 0; i < points.size(); ++i) {
    if (!points.has(i)) continue;
    const auto t = assets.model.triangles.row(points.triangle[i]);
    if (const auto found = drawn.find({t(0), t(1), t(2)}); found != drawn.end()) {
      result.triangle[i] = found->second;
      result.barycentric.row(i) = points.barycentric.row(i);
      continue;
    }
    int nearest = 0;
    points.barycentric.row(i).maxCoeff(&nearest);
    const std::int32_t f = result.triangle[i] = some_triangle[t(nearest)];
    if (f < 0) continue;
    for (int k = 0; k < 3; ++k) result.barycentric(i, k) = assets.triangles(f, k) == t(nearest) ? 1.0F : 0.0F;
  }
  return result;
}

// Vertices as points of triangles; Error(kInput) for a vertex that none has.
LandmarkEmbedding embeddingOfVertices(const Assets& assets, const AssetFile& file) {
  LandmarkEmbedding result{std::vector<std::int32_t>(assets.ibug_vertices.size(), -1),
                           Points3::Zero(static_cast<Eigen::Index>(assets.ibug_vertices.size()), 3)};
  for (std::size_t i = 0; i < assets.ibug_vertices.size(); ++i) {
    for (int f = 0; f < assets.triangles.rows() && result.triangle[i] < 0; ++f) {
      for (int k = 0; k < 3; ++k) {
        if (assets.triangles(f, k) != assets.ibug_vertices[i]) continue;
        result.triangle[i] = f;
        result.barycentric(static_cast<Eigen::Index>(i), k) = 1;
        break;
      }
    }
    if (result.triangle[i] < 0) file.failArray("ibug_vertices", "has a vertex of no triangle, entry ", i);
  }
  return result;
}

// The face's triangles drawn into their UV tile.
FaceAtlas atlasOf(const Assets& assets) {
  constexpr int kSize = FaceAtlas::kSize;
  const Eigen::Index count = assets.triangles.rows();
  Points4 clip(3 * count, 4);
  Triangles corners(count, 3);
  Eigen::Index used = 0;
  std::vector<int> source;
  for (Eigen::Index f = 0; f < count; ++f) {
    if (assets.material[f] != HeadMaterial::kFace) continue;
    for (int k = 0; k < 3; ++k) {
      clip.row(3 * used + k) << 2 * assets.corner_uv(f, 2 * k) - 1, 2 * assets.corner_uv(f, 2 * k + 1) - 1, 0,
          1;
      corners(used, k) = static_cast<std::int32_t>(3 * used + k);
    }
    source.push_back(static_cast<int>(f));
    ++used;
  }
  FaceAtlas atlas;
  atlas.surface.resize(kSize * kSize);
  atlas.position = Points3::Zero(kSize * kSize, 3);
  if (used == 0) return atlas;
  const Fragments fragments = rasterize(clip.topRows(3 * used), corners.topRows(used), kSize, kSize);
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const int f = fragments.triangle(x, y);
      if (f < 0) continue;
      const float* rast = fragments.rast.at(x, y);
      SurfacePoint& point = atlas.surface[static_cast<std::size_t>(y) * kSize + x];
      point = {source[f], {rast[0], rast[1], 1 - rast[0] - rast[1]}};
      for (int k = 0; k < 3; ++k) {
        atlas.position.row(y * kSize + x) +=
            point.weights[k] * assets.model.mean.row(assets.triangles(point.triangle, k));
      }
    }
  }
  return atlas;
}

}  // namespace

Image8 halved(const Image8& image) {
  Image8 result(image.width() / 2, image.height() / 2, image.channels());
  const int channels = image.channels(), row = image.width() * channels;
  for (int y = 0; y < result.height(); ++y) {
    for (int x = 0; x < result.width(); ++x) {
      const std::uint8_t* from = image.at(2 * x, 2 * y);
      for (int c = 0; c < channels; ++c) {
        result.at(x, y)[c] = static_cast<std::uint8_t>(
            (from[c] + from[c + channels] + from[c + row] + from[c + row + channels] + 2) / 4);
      }
    }
  }
  return result;
}

Points3 Assets::ibugLandmarks(const Points3& vertices, const std::array<SurfacePoint, 10>& brows) const {
  constexpr int kFirstBrow = 17;
  Points3 points(kNumIbugLandmarks, 3);
  points = ibug.points(vertices, triangles);
  for (std::size_t i = 0; i < brows.size(); ++i) {
    if (brows[i].triangle < 0) continue;
    auto point = points.row(kFirstBrow + static_cast<int>(i));
    point.setZero();
    for (int k = 0; k < 3; ++k) point += brows[i].weights[k] * vertices.row(triangles(brows[i].triangle, k));
  }
  return points;
}

Assets loadAssets(const std::filesystem::path& path, const std::string& model) {
  const AssetFile file(path);
  Assets assets;
  assets.model = loadModel(model);
  const std::int64_t num_vertices = assets.model.numVertices();
  // Halves what a new person costs; 4 µm off at most.
  assets.model.identity = Basis::half(assets.model.identity.dense());
  for (int k = 0; k < assets.model.numExpression(); ++k) {
    assets.shapes.push_back(Basis::half(Eigen::MatrixXf(assets.model.expression.col(k))));
  }

  const std::vector<float> hairline_mm = file.floats("hairline_mm", {kSome});
  if (static_cast<std::int64_t>(hairline_mm.size()) != num_vertices) {
    fail(ErrorKind::kModel, path.string(), ": prepared for a model of ", hairline_mm.size(),
         " vertices, but '", model, "' has ", num_vertices, "; give that model with --model");
  }
  const std::vector<std::int32_t> triangles = file.indices("triangles", {kSome, 3}, num_vertices);
  assets.triangles =
      Eigen::Map<const Triangles>(triangles.data(), static_cast<Eigen::Index>(triangles.size() / 3), 3);
  const std::int64_t num_triangles = assets.triangles.rows();
  for (const std::int32_t code : file.indices("material", {num_triangles}, kNumHeadMaterials))
    assets.material.push_back(static_cast<HeadMaterial>(code));
  assets.corner_uv = matrix<Eigen::Matrix<float, Eigen::Dynamic, 6, Eigen::RowMajor>>(
      file.floats("corner_uv", {num_triangles, 3, 2}));
  assets.num_skin_vertices = file.indices("num_skin_vertices", {1}, num_vertices + 1)[0];
  const std::vector<float> beard = file.floats("beard", {num_vertices});
  const std::vector<float> moustache = file.floats("moustache", {num_vertices});
  assets.eye_xy = matrix<Points2>(file.floats("eye_xy", {num_vertices, 2}));
  assets.eye_centres = matrix<Points3>(file.floats("eye_centres", {2, 3}));

  std::vector<std::uint8_t> is_eye(num_vertices);
  for (int v = 0; v < num_vertices; ++v)
    is_eye[v] = assets.eye_xy.row(v).any() && assets.eye_xy.row(v).norm() < 1.1F;
  assets.lids = Lids(assets.model, assets.num_skin_vertices, assets.eye_centres, is_eye);

  assets.ibug_vertices = file.indices("ibug_vertices", {kNumIbugLandmarks}, num_vertices);
  if (file.has("ibug_triangle")) {
    assets.ibug.triangle = file.indices("ibug_triangle", {kNumIbugLandmarks}, num_triangles);
    assets.ibug.barycentric = matrix<Points3>(file.floats("ibug_weights", {kNumIbugLandmarks, 3}));
  } else {
    assets.ibug = embeddingOfVertices(assets, file);
  }
  assets.atlas = atlasOf(assets);

  const NpyArray& skins = file.find("skins", kBytes, {kSome, kSome, kSome, 3});
  const std::int64_t num_skins = skins.shape[0], side = skins.shape[1];
  if (skins.shape[2] != side || side % (1 << (kPaintLevels - 1)) != 0)
    file.failArray("skins", "has pictures of ", skins.shape[2], "×", side,
                   " texels; give squares whose side is a multiple of ", 1 << (kPaintLevels - 1));
  const NpyArray& brows = file.find("brows", kBytes, {kSome, side, side});
  SkinPaint paint;
  for (std::int64_t i = 0; i < num_skins; ++i) paint.skins.push_back(picture(skins.bytes, i, side, side, 3));
  for (std::int64_t i = 0; i < brows.shape[0]; ++i)
    paint.brows.push_back(picture(brows.bytes, i, side, side, 1));
  paint.features = picture(file.find("features", kBytes, {side, side, 4}).bytes, 0, side, side, 4);
  paint.mm_per_texel = file.floats("brow_mm_per_texel", {1})[0];
  assets.skin_tones = matrix<Points3>(file.floats("skin_tones", {num_skins, 3}));
  for (int level = 0; level < kPaintLevels; ++level) {
    assets.paint.push_back(paint);
    for (Image8& skin : paint.skins) skin = halved(skin);
    for (Image8& brow : paint.brows) brow = halved(brow);
    paint.features = halved(paint.features);
    paint.mm_per_texel *= 2;
  }
  const NpyArray& environments = file.find("environments", kFloats, {kSome, kSome, kSome, 3});
  const std::vector<float> radiance = environments.asFloat();
  for (std::int64_t i = 0; i < environments.shape[0]; ++i)
    assets.environments.push_back(picture(radiance, i, environments.shape[1], environments.shape[2], 3));
  for (const std::string& name : file.namesFrom("background_")) {
    const NpyArray& background = file.find(name, kBytes, {kSome, kSome, 3});
    if (std::min(background.shape[0], background.shape[1]) < kMinBackground_px)
      file.failArray(name, "is less than ", kMinBackground_px, " pixels high or wide");
    assets.backgrounds.push_back(picture(background.bytes, 0, background.shape[0], background.shape[1], 3));
  }
  if (assets.backgrounds.empty()) file.failArray("background_00", "is missing");
  assets.animals =
      file.indices("animal_indices", {kAny}, static_cast<std::int64_t>(assets.backgrounds.size()));

  const std::vector<float> occlusion = occlusionOf(assets.model.mean, assets.triangles);
  assets.traits.resize(num_vertices);
  for (int v = 0; v < num_vertices; ++v) {
    SkinTraits& t = assets.traits[v];
    t.mean = assets.model.mean.row(v);
    t.occlusion = occlusion[v];
    t.hairline_mm = hairline_mm[v];
    t.beard = beard[v];
    t.moustache = moustache[v];
  }
  findParts(assets);
  assets.dense = onDrawnTriangles(assets, assets.model.dense);
  assets.scalp_roots = scatterRoots(assets, 24'000, 1, [&](int v) { return hairline_mm[v] + 8; });
  assets.beard_roots = scatterRoots(assets, 9000, 2, [&](int v) { return std::max(beard[v], moustache[v]); });
  return assets;
}

}  // namespace facet::synth
