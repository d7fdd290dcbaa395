#include "assets/lod.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "assets/head_asset.h"
#include "core/closest_point.h"
#include "core/contacts.h"
#include "core/io/model_io.h"
#include "core/mesh_parts.h"

using namespace facet;

namespace {

const MorphableModel& model() {
  static const MorphableModel result = loadModel("builtin");
  return result;
}

const FaceAsset& whole() {
  static const FaceAsset result =
      headAsset(model(), model().mean,
                {std::make_shared<const Image8>(4, 4, 3, std::uint8_t{128}), nullptr, nullptr}, {1, 1, 1});
  return result;
}

const Points3& displacement(const FaceAsset& asset, const std::string& name) {
  const auto target = std::find_if(asset.targets.begin(), asset.targets.end(),
                                   [&](const AssetTarget& t) { return t.name == name; });
  REQUIRE(target != asset.targets.end());
  return target->displacement;
}

std::vector<std::uint8_t> marked(const std::vector<std::string>& regions, bool others) {
  std::vector<std::uint8_t> marks;
  for (const std::uint8_t r : model().region) {
    const bool is_named = std::any_of(regions.begin(), regions.end(), [&](const std::string& name) {
      return model().region_names[r].starts_with(name);
    });
    marks.push_back(is_named != others);
  }
  return marks;
}

// Edges that belong to one triangle only, as pairs of positions.
std::set<std::pair<std::vector<float>, std::vector<float>>> openEdges(const Mesh& mesh) {
  const Triangles border = borderEdges(mesh.triangles, weldedVertices(mesh.vertices));
  std::set<std::pair<std::vector<float>, std::vector<float>>> edges;
  const auto position = [&](int v) {
    return std::vector<float>{mesh.vertices(v, 0), mesh.vertices(v, 1), mesh.vertices(v, 2)};
  };
  for (Eigen::Index f = 0; f < border.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      if (!border(f, k)) continue;
      edges.insert(
          std::minmax(position(mesh.triangles(f, (k + 1) % 3)), position(mesh.triangles(f, (k + 2) % 3))));
    }
  }
  return edges;
}

}  // namespace

TEST_CASE("simplified: the whole stays the whole") {
  const FaceAsset same = simplified(whole(), 1);
  CHECK(same.mesh.vertices == whole().mesh.vertices);
  CHECK(same.mesh.triangles == whole().mesh.triangles);
}

TEST_CASE("simplified: keeps vertices as they are, with their shapes and texture coordinates") {
  const FaceAsset level = simplified(whole(), 0.25);
  level.check("test");
  CHECK(level.mesh.triangles.rows() < 0.27 * whole().mesh.triangles.rows());
  CHECK(level.mesh.triangles.rows() > 0.2 * whole().mesh.triangles.rows());
  CHECK(level.targets.size() == whole().targets.size());
  // Vertices come in the old order; each is found behind the one before.
  Eigen::Index v = 0;
  for (Eigen::Index i = 0; i < level.mesh.vertices.rows(); ++i, ++v) {
    while (v < whole().mesh.vertices.rows() && whole().mesh.vertices.row(v) != level.mesh.vertices.row(i))
      ++v;
    REQUIRE(v < whole().mesh.vertices.rows());
    for (std::size_t t = 0; t < level.targets.size(); ++t)
      REQUIRE(level.targets[t].displacement.row(i) == whole().targets[t].displacement.row(v));
  }
  // Each corner's texture coordinate is one that its vertex had.
  std::set<std::vector<float>> pairs;
  const auto pair = [](const Mesh& mesh, Eigen::Index f, int k) {
    const int vertex = mesh.triangles(f, k), uv = mesh.uv_triangles(f, k);
    return std::vector<float>{mesh.vertices(vertex, 0), mesh.vertices(vertex, 1), mesh.vertices(vertex, 2),
                              mesh.uv(uv, 0), mesh.uv(uv, 1)};
  };
  for (Eigen::Index f = 0; f < whole().mesh.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) pairs.insert(pair(whole().mesh, f, k));
  }
  for (Eigen::Index f = 0; f < level.mesh.triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) REQUIRE(pairs.count(pair(level.mesh, f, k)) == 1);
  }
}

TEST_CASE("simplified: borders stay, and no seam opens") {
  const FaceAsset level = simplified(whole(), 0.25);
  CHECK(openEdges(level.mesh) == openEdges(whole().mesh));
  CHECK(uvOverlap(level.mesh) < 0.02);
  CHECK(level.materials.size() == whole().materials.size());
  std::map<int, int> count;
  for (const std::uint8_t material : level.triangle_material) ++count[material];
  CHECK(count.size() == whole().materials.size());
}

TEST_CASE("simplified: surface and shapes of the face stay, the less the fewer triangles") {
  const std::vector<std::uint8_t> face =
      marked({"scalp", "neck", "ear", "eyeball", "eye_socket", "mouth_inside", "teeth"}, true);
  const double allowed_mm[] = {0.1, 0.25, 0.6};  // measured 0.06, 0.17, 0.44
  const std::vector<FaceAsset> levels = levelsOfDetail(whole(), {0.5, 0.25, 0.1});
  REQUIRE(levels.size() == 3);
  for (std::size_t i = 0; i < levels.size(); ++i) {
    const LodError error = measureLod(whole(), levels[i], face);
    MESSAGE(levels[i].mesh.triangles.rows(), " triangles, face to the whole, mm: mean ",
            error.neutral_mean_mm, ", max ", error.neutral_max_mm, "; worst shape's mean ",
            *std::max_element(error.target_mean_mm.begin(), error.target_mean_mm.end()));
    CHECK(error.neutral_mean_mm < allowed_mm[i]);
    for (const double mean_mm : error.target_mean_mm) CHECK(mean_mm < allowed_mm[i]);
  }
}

TEST_CASE("simplified: lids and lips go on closing") {
  const std::vector<std::uint8_t> rims = marked({"eye_lid", "lip"}, false);
  for (const auto& [share, allowed_mm] : {std::pair(0.5, 0.05), std::pair(0.25, 0.2), std::pair(0.1, 0.8)}) {
    const FaceAsset level = simplified(whole(), share);
    const SurfaceIndex surface(level.mesh);
    const Points3 normals = vertexNormals(whole().mesh.vertices, whole().mesh.triangles);
    const auto onLevel = [&](int v, const Points3& moved) {
      const SurfaceIndex::Hit hit =
          surface.closest(whole().mesh.vertices.row(v).transpose().cast<double>(),
                          {.normal = normals.row(v).transpose().cast<double>(), .min_cosine = 0.3});
      const Eigen::Vector3f weights = surface.barycentric(hit);
      Eigen::Vector3f point = Eigen::Vector3f::Zero();
      for (int k = 0; k < 3; ++k)
        point += weights[k] * moved.row(level.mesh.triangles(hit.triangle, k)).transpose();
      return point;
    };
    for (const char* name : {"eyeBlinkLeft", "eyeBlinkRight", "jawOpen"}) {
      const bool is_jaw = std::string(name) == "jawOpen";
      const Points3 moved = whole().mesh.vertices + displacement(whole(), name);
      const Points3 closed_level =
          is_jaw ? level.mesh.vertices : Points3(level.mesh.vertices + displacement(level, name));
      const auto contacts =
          contactsOf(is_jaw ? moved : whole().mesh.vertices, is_jaw ? whole().mesh.vertices : moved,
                     whole().mesh.triangles, rims, 1);
      REQUIRE(contacts.size() > 30);
      double sum_mm = 0;
      for (const Contact& contact : contacts) {
        Eigen::Vector3f other = Eigen::Vector3f::Zero();
        for (int k = 0; k < 3; ++k) other += contact.barycentric[k] * onLevel(contact.other[k], closed_level);
        sum_mm += (onLevel(contact.vertex, closed_level) - other - contact.gap_mm).norm();
      }
      MESSAGE(share, " of the triangles, ", std::string(name), ": gap ",
              sum_mm / static_cast<double>(contacts.size()), " mm");
      CHECK(sum_mm / static_cast<double>(contacts.size()) < allowed_mm);
    }
  }
}

TEST_CASE("simplified: joint weights go with their vertices") {
  FaceAsset asset = whole();
  const Eigen::Index count = asset.mesh.vertices.rows();
  AssetSkin skin{{"root", "jaw"}, {-1, 0}, Points3::Zero(2, 3), Eigen::MatrixXf(count, 2)};
  for (Eigen::Index v = 0; v < count; ++v) {
    const float weight = 0.5F + 0.5F * std::sin(asset.mesh.vertices(v, 1));
    skin.weights.row(v) << weight, 1 - weight;
  }
  asset.skin = skin;
  const FaceAsset level = simplified(asset, 0.3);
  level.check("test");
  for (Eigen::Index v = 0; v < level.mesh.vertices.rows(); ++v) {
    REQUIRE(level.skin->weights(v, 0) == 0.5F + 0.5F * std::sin(level.mesh.vertices(v, 1)));
  }
}

TEST_CASE("simplified: a share out of range is refused") {
  CHECK_THROWS_AS(simplified(whole(), 0), std::invalid_argument);
  CHECK_THROWS_AS(simplified(whole(), 1.5), std::invalid_argument);
}
