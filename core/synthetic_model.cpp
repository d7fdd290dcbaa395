#include <Eigen/QR>
#include <array>
#include <cmath>
#include <numbers>
#include <random>
#include <utility>

#include "core/check.h"
#include "core/morphable_model.h"

namespace facet {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

// A sphere of rings and segments. Segment j and kSegments - j mirror each other; segment 0 faces forward
// (+Z).
constexpr int kRings = 19, kSegments = 32;
constexpr int kTop = kRings * kSegments, kBottom = kTop + 1, kVertices = kTop + 2;

int vertexAt(int ring, int segment) { return ring * kSegments + (segment + kSegments) % kSegments; }

struct Bump {
  float x_mm, y_mm, width_mm, height_mm;
};
// Nose, chin, eye sockets; y runs along the height of the face.
constexpr std::array kBumps = {Bump{0, -8, 12, 24}, Bump{0, -78, 24, 8}, Bump{31, 25, 15, -6},
                               Bump{-31, 25, 15, -6}};

Eigen::RowVector3f headPoint(float polar, float azimuth) {
  const Eigen::RowVector3f radii_mm(75, 110, 95);
  Eigen::RowVector3f point(std::sin(polar) * std::sin(azimuth), std::cos(polar),
                           std::sin(polar) * std::cos(azimuth));
  point.array() *= radii_mm.array();
  if (point.z() > 0) {
    for (const Bump& bump : kBumps) {
      const float distance = std::hypot(point.x() - bump.x_mm, point.y() - bump.y_mm) / bump.width_mm;
      point.z() += bump.height_mm * std::exp(-0.5F * distance * distance);
    }
  }
  return point;
}

Points3 headVertices() {
  Points3 vertices(kVertices, 3);
  for (int ring = 0; ring < kRings; ++ring) {
    const float polar = kPi * static_cast<float>(ring + 1) / (kRings + 1);
    for (int segment = 0; segment <= kSegments / 2; ++segment) {
      Eigen::RowVector3f point = headPoint(polar, 2 * kPi * static_cast<float>(segment) / kSegments);
      if (segment == 0 || segment == kSegments / 2) point.x() = 0;
      vertices.row(vertexAt(ring, segment)) = point;
      point.x() = -point.x();
      vertices.row(vertexAt(ring, -segment)) = point;
    }
  }
  vertices.row(kTop) << 0, 110, 0;
  vertices.row(kBottom) << 0, -110, 0;
  return vertices;
}

// Triangles and, with the same corners, UV triangles. The UV seam runs down the back: column -16 and 16 are
// one vertex each but two texture coordinates.
void addTopology(MorphableModel& model) {
  constexpr int kColumns = kSegments + 1, kHalf = kSegments / 2;
  model.uv.resize(kRings * kColumns + 2 * kSegments, 2);
  const auto uvAt = [](int ring, int segment) { return ring * kColumns + segment + kHalf; };
  for (int ring = 0; ring < kRings; ++ring) {
    for (int segment = -kHalf; segment <= kHalf; ++segment) {
      model.uv.row(uvAt(ring, segment)) << 0.5F + static_cast<float>(segment) / kSegments,
          1 - static_cast<float>(ring + 1) / (kRings + 1);
    }
  }
  std::vector<Eigen::RowVector3i> triangles, uv_triangles;
  const auto add = [&](std::array<int, 3> vertex, std::array<int, 3> uv) {
    triangles.emplace_back(vertex[0], vertex[1], vertex[2]);
    uv_triangles.emplace_back(uv[0], uv[1], uv[2]);
  };
  int next_uv = kRings * kColumns;
  for (int j = -kHalf; j < kHalf; ++j) {
    // The poles have a texture coordinate per triangle.
    const float u = 0.5F + (static_cast<float>(j) + 0.5F) / kSegments;
    model.uv.row(next_uv) << u, 1;
    add({kTop, vertexAt(0, j), vertexAt(0, j + 1)}, {next_uv, uvAt(0, j), uvAt(0, j + 1)});
    model.uv.row(++next_uv) << u, 0;
    add({kBottom, vertexAt(kRings - 1, j + 1), vertexAt(kRings - 1, j)},
        {next_uv, uvAt(kRings - 1, j + 1), uvAt(kRings - 1, j)});
    ++next_uv;
    for (int ring = 0; ring + 1 < kRings; ++ring) {
      const std::array<int, 4> v = {vertexAt(ring, j), vertexAt(ring + 1, j), vertexAt(ring + 1, j + 1),
                                    vertexAt(ring, j + 1)};
      const std::array<int, 4> t = {uvAt(ring, j), uvAt(ring + 1, j), uvAt(ring + 1, j + 1),
                                    uvAt(ring, j + 1)};
      // The diagonals of the two sides mirror each other.
      if (j < 0) {
        add({v[0], v[1], v[2]}, {t[0], t[1], t[2]});
        add({v[0], v[2], v[3]}, {t[0], t[2], t[3]});
      } else {
        add({v[0], v[1], v[3]}, {t[0], t[1], t[3]});
        add({v[1], v[2], v[3]}, {t[1], t[2], t[3]});
      }
    }
  }
  model.triangles.resize(static_cast<Eigen::Index>(triangles.size()), 3);
  model.uv_triangles.resize(static_cast<Eigen::Index>(triangles.size()), 3);
  for (std::size_t f = 0; f < triangles.size(); ++f) {
    model.triangles.row(static_cast<Eigen::Index>(f)) = triangles[f];
    model.uv_triangles.row(static_cast<Eigen::Index>(f)) = uv_triangles[f];
  }
}

// The point of the front that a viewer at +Z sees at (x, y).
void addFrontPoint(const MorphableModel& model, const Eigen::Vector2f& point_mm, int index,
                   LandmarkEmbedding& embedding) {
  constexpr float kTolerance = 1e-4F;  // points on an edge belong to either side
  float best_depth_mm = 0;
  int best_triangle = -1;
  Eigen::RowVector3f best_weights = Eigen::RowVector3f::Zero();
  for (int f = 0; f < model.triangles.rows(); ++f) {
    Eigen::Matrix3f corners;  // columns: x, y, 1
    Eigen::RowVector3f depth_mm;
    for (int c = 0; c < 3; ++c) {
      const auto vertex = model.mean.row(model.triangles(f, c));
      corners.col(c) << vertex.x(), vertex.y(), 1;
      depth_mm[c] = vertex.z();
    }
    if (corners.determinant() < 1e-3F) continue;  // seen from behind or edge-on
    const Eigen::RowVector3f weights =
        (corners.inverse() * Eigen::Vector3f(point_mm.x(), point_mm.y(), 1)).transpose();
    if (weights.minCoeff() < -kTolerance) continue;
    const float point_depth_mm = weights.dot(depth_mm);
    if (best_triangle >= 0 && point_depth_mm <= best_depth_mm) continue;
    best_triangle = f;
    best_depth_mm = point_depth_mm;
    best_weights = weights.cwiseMax(0.0F) / weights.cwiseMax(0.0F).sum();
  }
  require(best_triangle >= 0, "makeSyntheticModel: landmark ", index, " misses the face");
  embedding.triangle.push_back(best_triangle);
  embedding.barycentric.row(index) = best_weights;
}

// iBUG-68 in millimetres, seen from the front; the subject's right half, the other half mirrors it.
Points2 landmarkTemplate() {
  Points2 points = Points2::Zero(kNumIbugLandmarks, 2);
  const auto set = [&points](int index, float x_mm, float y_mm) {
    points.row(index) << x_mm, y_mm;
    points.row(mirroredIbugIndex(index)) << -x_mm, y_mm;
  };
  for (int i = 0; i <= 8; ++i) {
    const float angle = kPi / 16 * static_cast<float>(8 - i);
    set(i, i == 8 ? 0 : -66 * std::sin(angle), 20 - 100 * std::cos(angle));
  }
  const float brows[5][2] = {{-52, 42}, {-43, 47}, {-34, 49}, {-24, 48}, {-14, 44}};
  for (int i = 0; i < 5; ++i) set(17 + i, brows[i][0], brows[i][1]);
  for (int i = 0; i < 4; ++i) set(27 + i, 0, 25 - 11 * static_cast<float>(i));
  set(31, -13, -19), set(32, -7, -21), set(33, 0, -23);
  const float eye[6][2] = {{-43, 25}, {-36, 29}, {-27, 29}, {-20, 25}, {-27, 21}, {-36, 21}};
  for (int i = 0; i < 6; ++i) set(36 + i, eye[i][0], eye[i][1]);
  set(48, -25, -45), set(49, -16, -40), set(50, -6, -38), set(51, 0, -39);
  set(59, -16, -51), set(58, -7, -54), set(57, 0, -55);
  set(60, -20, -45), set(61, -7, -43), set(62, 0, -43.5F), set(67, -7, -47), set(66, 0, -47.5F);
  return points;
}

// The 68 and a spiral over the front of the face, like the dense sets of the real models.
Points2 denseTemplate() {
  constexpr int kExtra = 82;
  Points2 points(kNumIbugLandmarks + kExtra, 2);
  points.topRows<kNumIbugLandmarks>() = landmarkTemplate();
  for (int i = 0; i < kExtra; ++i) {
    const float golden_angle = kPi * (3 - std::sqrt(5.0F));
    const float radius = std::sqrt((static_cast<float>(i) + 0.5F) / kExtra);
    const float angle = golden_angle * static_cast<float>(i);
    points.row(kNumIbugLandmarks + i) << 58 * radius * std::cos(angle), -10 + 75 * radius * std::sin(angle);
  }
  return points;
}

LandmarkEmbedding embeddingOf(const MorphableModel& model, const Points2& points_mm) {
  LandmarkEmbedding embedding;
  embedding.barycentric.resize(points_mm.rows(), 3);
  for (int i = 0; i < points_mm.rows(); ++i) addFrontPoint(model, points_mm.row(i), i, embedding);
  return embedding;
}

// Numbers that do not depend on the standard library's distributions.
class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}
  float uniform(float low, float high) {
    return low + (high - low) * static_cast<float>(engine_() >> 8) * 0x1p-24F;
  }

 private:
  std::mt19937 engine_;
};

// A vector field of waves some ten centimetres long, flattened like a column of a Basis.
Eigen::VectorXf smoothField(const Points3& positions, Random& random) {
  constexpr int kWaves = 4;
  Points3 field = Points3::Zero(positions.rows(), 3);
  for (int axis = 0; axis < 3; ++axis) {
    for (int wave = 0; wave < kWaves; ++wave) {
      Eigen::Vector3f frequency;
      for (float& component : frequency) component = random.uniform(-0.045F, 0.045F);  // radians per mm
      const float phase = random.uniform(0, 2 * kPi), amplitude = random.uniform(0.3F, 1.0F);
      field.col(axis).array() += amplitude * ((positions * frequency).array() + phase).sin();
    }
  }
  return Eigen::Map<const Eigen::VectorXf>(field.data(), field.size());
}

// Smooth fields made orthogonal to each other and to what pose and camera explain (shift, turn, size), so
// that a fit can tell them apart. Root mean square per vertex: 3 mm, falling with the index.
Eigen::MatrixXf identityBasis(const Points3& mean, int count, Random& random) {
  constexpr int kPoseFields = 7;
  Eigen::MatrixXf fields(mean.size(), kPoseFields + count);
  for (Eigen::Index v = 0; v < mean.rows(); ++v) {
    const Eigen::Vector3f p = mean.row(v);
    auto rows = fields.middleRows<3>(3 * v);
    rows.leftCols<3>().setIdentity();
    for (int axis = 0; axis < 3; ++axis) rows.col(3 + axis) = Eigen::Vector3f::Unit(axis).cross(p);
    rows.col(6) = p;
  }
  for (int i = 0; i < count; ++i) fields.col(kPoseFields + i) = smoothField(mean, random);
  const Eigen::MatrixXf orthonormal = Eigen::HouseholderQR<Eigen::MatrixXf>(fields).householderQ() *
                                      Eigen::MatrixXf::Identity(fields.rows(), fields.cols());
  Eigen::MatrixXf basis = orthonormal.rightCols(count);
  for (int i = 0; i < count; ++i) {
    const float rms_mm = 3 / (1 + 0.15F * static_cast<float>(i));
    basis.col(i) *= rms_mm * std::sqrt(static_cast<float>(mean.rows()));
  }
  return basis;
}

struct LocalShape {
  const char* name;
  float x_mm, y_mm, width_mm;
  float move_mm[3];
};
constexpr std::array kExpressions = {LocalShape{"jawOpen", 0, -75, 28, {0, -14, -4}},
                                     LocalShape{"mouthSmileLeft", 25, -45, 14, {6, 5, -2}},
                                     LocalShape{"mouthSmileRight", -25, -45, 14, {-6, 5, -2}},
                                     LocalShape{"browInnerUpLeft", 20, 47, 14, {0, 6, 1}},
                                     LocalShape{"browInnerUpRight", -20, 47, 14, {0, 6, 1}},
                                     LocalShape{"mouthPucker", 0, -46, 16, {0, 0, 8}},
                                     LocalShape{"eyeBlinkLeft", 31, 28, 9, {0, -5, 2}},
                                     LocalShape{"eyeBlinkRight", -31, 28, 9, {0, -5, 2}}};

// A patch of the front that moves, fading out like a Gaussian.
Eigen::VectorXf localField(const Points3& mean, const LocalShape& shape) {
  Points3 field = Points3::Zero(mean.rows(), 3);
  for (Eigen::Index v = 0; v < mean.rows(); ++v) {
    if (mean(v, 2) <= 0) continue;
    const float distance = std::hypot(mean(v, 0) - shape.x_mm, mean(v, 1) - shape.y_mm) / shape.width_mm;
    if (distance > 3) continue;
    field.row(v) =
        std::exp(-0.5F * distance * distance) * Eigen::Map<const Eigen::RowVector3f>(shape.move_mm);
  }
  return Eigen::Map<const Eigen::VectorXf>(field.data(), field.size());
}

}  // namespace

MorphableModel makeSyntheticModel(unsigned seed, int num_identity, int num_expression, int num_albedo) {
  require(num_identity >= 0 && num_expression >= 0 && num_albedo >= 0,
          "makeSyntheticModel: negative number of modes");
  Random random(seed);
  MorphableModel model;
  model.id = "synthetic";
  model.name = "Synthetic test head";
  model.licence = "MIT";
  model.source = "makeSyntheticModel()";
  model.topology = "synthetic";
  model.mean = headVertices();
  addTopology(model);
  model.identity = identityBasis(model.mean, num_identity, random);

  Eigen::MatrixXf expression(model.mean.size(), num_expression);
  for (int i = 0; i < num_expression; ++i) {
    if (i < static_cast<int>(kExpressions.size())) {
      model.expression_names.emplace_back(kExpressions[i].name);
      expression.col(i) = localField(model.mean, kExpressions[i]);
    } else {
      model.expression_names.push_back("expression" + std::to_string(i));
      const LocalShape shape{"",
                             random.uniform(-45, 45),
                             random.uniform(-70, 50),
                             15,
                             {random.uniform(-6, 6), random.uniform(-6, 6), random.uniform(-3, 3)}};
      expression.col(i) = localField(model.mean, shape);
    }
  }

  model.expression = std::move(expression);
  model.num_blendshapes = num_expression;

  model.albedo_mean.resize(model.mean.rows(), 3);
  model.albedo_mean.rowwise() = Eigen::RowVector3f(0.45F, 0.28F, 0.21F);
  Eigen::MatrixXf albedo(model.mean.size(), num_albedo);
  for (int i = 0; i < num_albedo; ++i) {
    albedo.col(i) = 0.03F * smoothField(model.mean, random);
    model.albedo_names.push_back("tone" + std::to_string(i));
  }
  model.albedo = std::move(albedo);

  for (int ring = 0; ring < kRings; ++ring) {
    for (int segment = 0; segment < kSegments; ++segment) model.symmetry.push_back(vertexAt(ring, -segment));
  }
  model.symmetry.insert(model.symmetry.end(), {kTop, kBottom});
  model.region_names = {"face", "scalp"};
  for (Eigen::Index v = 0; v < model.mean.rows(); ++v) model.region.push_back(model.mean(v, 2) > 0 ? 0 : 1);
  model.material_names = {"skin"};
  model.triangle_material.assign(static_cast<std::size_t>(model.triangles.rows()), 0);
  model.landmarks68 = embeddingOf(model, landmarkTemplate());
  model.dense = embeddingOf(model, denseTemplate());
  model.check();
  return model;
}

}  // namespace facet
