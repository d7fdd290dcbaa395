#include "assets/retopology.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/complete_model.h"
#include "core/contacts.h"
#include "core/io/model_io.h"
#include "render/uv_maps.h"
#include "tests/data.h"

using namespace facet;

namespace {

// Every triangle in four, in both index buffers.
void halveEdges(Triangles& triangles, Eigen::Index& count, std::vector<std::pair<int, int>>& middles) {
  std::map<std::pair<int, int>, int> middle;
  const auto middleOf = [&](int a, int b) {
    const auto [entry, is_new] = middle.try_emplace(std::minmax(a, b), static_cast<int>(count));
    if (is_new) {
      middles.push_back(std::minmax(a, b));
      ++count;
    }
    return entry->second;
  };
  Triangles finer(4 * triangles.rows(), 3);
  for (Eigen::Index f = 0; f < triangles.rows(); ++f) {
    const int a = triangles(f, 0), b = triangles(f, 1), c = triangles(f, 2);
    const int ab = middleOf(a, b), bc = middleOf(b, c), ca = middleOf(c, a);
    finer.middleRows(4 * f, 4) << a, ab, ca, b, bc, ab, c, ca, bc, ab, bc, ca;
  }
  triangles = finer;
}

template <typename Rows>
Rows withMiddles(const Rows& rows, const std::vector<std::pair<int, int>>& middles) {
  Rows result(rows.rows() + static_cast<Eigen::Index>(middles.size()), rows.cols());
  result.topRows(rows.rows()) = rows;
  for (std::size_t i = 0; i < middles.size(); ++i) {
    result.row(rows.rows() + static_cast<Eigen::Index>(i)) =
        0.5F * (rows.row(middles[i].first) + rows.row(middles[i].second));
  }
  return result;
}

const MorphableModel& builtin() {
  static const MorphableModel model = loadModel("builtin");
  return model;
}

Points3 someone() {
  Eigen::VectorXf identity(20);
  for (int k = 0; k < 20; ++k) identity[k] = 0.8F * std::sin(1.7F * static_cast<float>(k) + 1);
  return builtin().vertices(identity);
}

// A head in another topology, of which the truth is known: the built-in one with halved edges, its skin and
// eyes only, without shapes, regions or anything else but landmarks and texture coordinates.
MorphableModel anotherTopology(const Points3& shape) {
  const MorphableModel& model = builtin();
  MorphableModel result;
  result.id = result.name = result.topology = "halved";
  result.triangles = model.triangles;
  result.uv_triangles = model.uv_triangles;
  Eigen::Index num_vertices = model.numVertices(), num_uv = model.uv.rows();
  std::vector<std::pair<int, int>> middles, uv_middles;
  halveEdges(result.triangles, num_vertices, middles);
  halveEdges(result.uv_triangles, num_uv, uv_middles);
  result.mean = withMiddles(shape, middles);
  result.uv = withMiddles(model.uv, uv_middles);
  result.landmarks68 = model.landmarks68;
  for (int i = 0; i < model.landmarks68.size(); ++i) {
    // To the corner with the most weight, in the quarter that has it as its first vertex.
    int corner = 0;
    model.landmarks68.barycentric.row(i).maxCoeff(&corner);
    result.landmarks68.triangle[i] = 4 * model.landmarks68.triangle[i] + corner;
    result.landmarks68.barycentric.row(i) << 1, 0, 0;
  }
  return result;
}

RetopologyOptions quick() {
  RetopologyOptions options;
  options.texture_size_px = 512;
  options.normal_map_size_px = 256;
  return options;
}

bool isFace(const std::string& region) {
  for (const char* elsewhere : {"scalp", "neck", "ear", "eyeball", "eye_socket", "mouth_inside", "teeth"}) {
    if (region.starts_with(elsewhere)) return false;
  }
  return true;
}

// A smooth pattern, linear, as a function of the place in the layout.
ImageF pattern(int size) {
  ImageF image(size, size, 3);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float u = static_cast<float>(x) / static_cast<float>(size);
      const float v = static_cast<float>(y) / static_cast<float>(size);
      image.at(x, y)[0] = 0.5F + 0.3F * std::sin(12 * u);
      image.at(x, y)[1] = 0.4F + 0.2F * std::cos(10 * v);
      image.at(x, y)[2] = 0.4F + 0.2F * std::sin(9 * (u + v));
    }
  }
  return image;
}

struct Wrapped {
  Points3 shape = someone();
  MorphableModel source = anotherTopology(shape);
  WrappedHead head = wrapHead(builtin(), source, source.mean, pattern(512), quick());
};

const Wrapped& wrapped() {
  static const Wrapped result;
  return result;
}

}  // namespace

TEST_CASE("wrapHead: a head of the same topology is passed through") {
  const Points3 shape = someone();
  const ImageF texture = pattern(512);
  const WrappedHead head = wrapHead(builtin(), builtin(), shape, texture, quick());
  CHECK(head.is_same_topology);
  CHECK((head.model.mean - shape).cwiseAbs().maxCoeff() <= 0.01F);
  CHECK(head.model.expression_names == builtin().expression_names);
  CHECK(head.model.expression.dense() == builtin().expression.dense());
  float largest = 0;
  for (std::size_t i = 0; i < texture.size(); ++i)
    largest = std::max(largest, std::abs(texture.data()[i] - head.texture.data()[i]));
  CHECK(largest < 1e-4F);
}

TEST_CASE("wrapHead: the wrapped head lies on the source") {
  const WrapError& error = wrapped().head.error;
  CHECK(error.mean_mm < 0.1);
  CHECK(error.p99_mm < 0.5);
  CHECK(error.covered > 0.97);
  CHECK(wrapped().head.model.triangles == builtin().triangles);
  wrapped().head.model.check();
}

TEST_CASE("wrapHead: the shapes move the wrapped head as they move the same head in its own topology") {
  const MorphableModel& model = wrapped().head.model;
  REQUIRE(model.expression_names == builtin().expression_names);
  REQUIRE(model.num_blendshapes == builtin().num_blendshapes);
  for (const char* name : {"jawOpen", "mouthSmileLeft", "eyeBlinkRight", "browInnerUp"}) {
    const Points3 own = builtin().expression.points(*builtin().expressionIndex(name));
    const Points3 moved = model.expression.points(*model.expressionIndex(name));
    double error_mm = 0, moving_mm = 0;
    for (int v = 0; v < model.numVertices(); ++v) {
      if (!isFace(model.region_names[model.region[v]])) continue;
      error_mm += (own.row(v) - moved.row(v)).norm();
      moving_mm += own.row(v).norm();
    }
    CAPTURE(name);
    CHECK(error_mm < 0.25 * moving_mm);  // another head's jaw is longer or shorter
  }
}

TEST_CASE("wrapHead: the lips of a closed mouth lie on each other as the topology's do") {
  const Points3& wrapped_mean = wrapped().head.model.mean;
  std::vector<std::uint8_t> is_lip;
  for (const std::uint8_t region : builtin().region)
    is_lip.push_back(builtin().region_names[region].starts_with("lip"));
  const Points3 open = builtin().mean + builtin().expression.points(*builtin().expressionIndex("jawOpen"));
  const auto contacts = contactsOf(open, builtin().mean, builtin().triangles, is_lip, 1);
  REQUIRE(contacts.size() > 100);
  double change_mm = 0;
  const Points3 normals = vertexNormals(wrapped_mean, builtin().triangles);
  for (const Contact& contact : contacts) {
    Eigen::RowVector3f gap = wrapped_mean.row(contact.vertex);
    Eigen::RowVector3f facing = -normals.row(contact.vertex);
    for (int k = 0; k < 3; ++k) {
      gap -= contact.barycentric[k] * wrapped_mean.row(contact.other[k]);
      facing += contact.barycentric[k] * normals.row(contact.other[k]);
    }
    const float change = (gap - contact.gap_mm.transpose()).dot(facing.normalized());
    change_mm += std::abs(change) / static_cast<double>(contacts.size());
  }
  MESSAGE("change of the gap ", change_mm, " mm");
  CHECK(change_mm < 0.1);  // 0.14 as the registration leaves it
}

TEST_CASE("wrapHead: the texture is the source's, in the new layout") {
  const ImageF expected = pattern(512);
  const WrappedHead& head = wrapped().head;
  const Fragments layout = rasterizeUv(head.model.mesh(head.model.mean), 512);
  double sum = 0;
  int count = 0;
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      const int triangle = layout.triangle(x, y);
      if (triangle < 0 || *head.from_source.at(x, y) < 0.99F) continue;
      if (!isFace(head.model.region_names[head.model.region[head.model.triangles(triangle, 0)]])) continue;
      for (int c = 0; c < 3; ++c) sum += std::abs(expected.at(x, y)[c] - head.texture.at(x, y)[c]);
      ++count;
    }
  }
  REQUIRE(count > 20000);
  // The pattern changes by up to 0.007 per texel, and a vertex may slide along the surface by a texel or two.
  CHECK(sum / (3.0 * count) < 0.01);
}

TEST_CASE("wrapHead: eyes stay between their lids, teeth behind the lips") {
  const MorphableModel& model = wrapped().head.model;
  for (int v = 0; v < model.numVertices(); ++v) {
    const std::string& region = model.region_names[model.region[v]];
    if (!region.starts_with("eyeball") && region != "teeth") continue;
    REQUIRE((model.mean.row(v) - wrapped().shape.row(v)).norm() < 4);
  }
}

TEST_CASE("wrapHead: a mask gets the back of a head, without a step at its edge") {
  // The front only, as face models have it.
  MorphableModel mask = anotherTopology(someone());
  std::vector<int> kept;
  std::map<int, int> place;
  for (int f = 0; f < mask.triangles.rows(); ++f) {
    bool is_front = f / 4 < builtin().triangles.rows();
    for (int k = 0; k < 3; ++k) is_front = is_front && mask.mean(mask.triangles(f, k), 2) > 25;
    const std::string& region = builtin().region_names[builtin().region[builtin().triangles(f / 4, 0)]];
    is_front = is_front && isFace(region);
    if (!is_front) continue;
    place[f] = static_cast<int>(kept.size());
    kept.push_back(f);
  }
  const Triangles all = mask.triangles, all_uv = mask.uv_triangles;
  mask.triangles.resize(static_cast<Eigen::Index>(kept.size()), 3);
  mask.uv_triangles.resize(static_cast<Eigen::Index>(kept.size()), 3);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    mask.triangles.row(static_cast<Eigen::Index>(i)) = all.row(kept[i]);
    mask.uv_triangles.row(static_cast<Eigen::Index>(i)) = all_uv.row(kept[i]);
  }
  Points3 landmarks = mask.landmarks68.points(mask.mean, all);
  mask.landmarks68 = {};
  ImageF texture(64, 64, 3, 0.3F);
  const WrappedHead head = wrapHead(builtin(), mask, mask.mean, texture, quick(), landmarks);
  CHECK(head.error.mean_mm < 0.1);
  CHECK(head.error.p99_mm < 0.6);
  // As deep as a head, and every edge about as long as in the template.
  CHECK(head.model.mean.col(2).maxCoeff() - head.model.mean.col(2).minCoeff() > 150);
  int num_torn = 0;
  for (Eigen::Index f = 0; f < builtin().triangles.rows(); ++f) {
    for (int k = 0; k < 3; ++k) {
      const int a = builtin().triangles(f, k), b = builtin().triangles(f, (k + 1) % 3);
      const float own = (builtin().mean.row(a) - builtin().mean.row(b)).norm();
      const float now = (head.model.mean.row(a) - head.model.mean.row(b)).norm();
      num_torn += now > 3 * own + 1;
    }
  }
  CHECK(num_torn < 30);
  // The texture goes on in the mask's tone.
  const Fragments layout = rasterizeUv(head.model.mesh(head.model.mean), 512);
  double neck = 0;
  int count = 0;
  for (int y = 0; y < 512; ++y) {
    for (int x = 0; x < 512; ++x) {
      const int triangle = layout.triangle(x, y);
      if (triangle < 0) continue;
      if (head.model.region_names[head.model.region[head.model.triangles(triangle, 0)]] != "neck") continue;
      neck += head.texture.at(x, y)[1];
      ++count;
    }
  }
  REQUIRE(count > 0);
  CHECK(neck / count == doctest::Approx(0.3).epsilon(0.35));
}

TEST_CASE("wrapHead: an ICT-FaceKit head in the built-in topology, to a third of a millimetre") {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  const MorphableModel ict = loadModel((*data / "ict_facekit" / "ict_facekit_light.npz").string());
  const WrappedHead head =
      wrapHead(builtin(), ict, ict.vertices(Eigen::VectorXf::Constant(10, 0.7F)), {}, quick());
  MESSAGE("face to source, mm: mean ", head.error.mean_mm, ", p99 ", head.error.p99_mm, ", max ",
          head.error.max_mm, "; covered ", head.error.covered);
  CHECK(head.error.mean_mm < 0.1);
  CHECK(head.error.p99_mm < 0.6);
  CHECK(head.error.max_mm < 1.5);
  CHECK(head.error.covered > 0.99);
}

TEST_CASE("wrapHead: a built-in head in ICT-FaceKit's topology") {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  MorphableModel ict = loadModel((*data / "ict_facekit" / "ict_facekit_light.npz").string());
  completeModel(ict, builtin());
  const WrappedHead head = wrapHead(ict, builtin(), someone(), pattern(512), quick());
  MESSAGE("face to source, mm: mean ", head.error.mean_mm, ", p99 ", head.error.p99_mm, ", max ",
          head.error.max_mm, "; covered ", head.error.covered);
  CHECK(head.model.triangles == ict.triangles);
  CHECK(head.model.expression_names == ict.expression_names);
  CHECK(head.error.mean_mm < 0.1);
  CHECK(head.error.p99_mm < 0.6);
  CHECK(head.error.covered > 0.9);  // the corners of the eyes and the lips' insides are other geometry
}

TEST_CASE("wrapHead: a closed-eyed scan with its texture in the built-in topology") {
  const auto data = test::realData();
  if (!data) {
    MESSAGE("skipped: no real test data");
    return;
  }
  const MorphableModel scan = loadModel((*data / "lee_perry_smith" / "scan_mm.obj").string());
  // Seven of the 68 landmarks are known: corners of the eyes, base of the nose, corners of the mouth.
  Points3 landmarks = Points3::Constant(68, 3, std::numeric_limits<float>::quiet_NaN());
  std::ifstream file(*data / "lee_perry_smith" / "landmarks7.json");
  const nlohmann::json known = nlohmann::json::parse(file);
  for (const auto& [name, index] :
       {std::pair("right_eye_outer", 36), std::pair("right_eye_inner", 39), std::pair("left_eye_inner", 42),
        std::pair("left_eye_outer", 45), std::pair("nose_bottom", 33), std::pair("mouth_right", 48),
        std::pair("mouth_left", 54)}) {
    for (int k = 0; k < 3; ++k) landmarks(index, k) = known.at(name).at(k).get<float>();
  }
  const WrappedHead head = wrapHead(builtin(), scan, scan.mean, ImageF(64, 64, 3, 0.3F), quick(), landmarks);
  MESSAGE("face to source, mm: mean ", head.error.mean_mm, ", p99 ", head.error.p99_mm, ", max ",
          head.error.max_mm, "; covered ", head.error.covered);
  CHECK(head.error.mean_mm < 0.15);
  CHECK(head.error.p99_mm < 1);
  CHECK(head.error.covered > 0.98);
}

TEST_CASE("wrapHead: says what is missing") {
  MorphableModel bare = anotherTopology(someone());
  bare.landmarks68 = {};
  CHECK_THROWS_AS(wrapHead(builtin(), bare, bare.mean, {}, quick()), std::invalid_argument);
  MorphableModel no_uv = anotherTopology(someone());
  no_uv.uv.resize(0, 2);
  no_uv.uv_triangles.resize(0, 3);
  CHECK_THROWS_AS(wrapHead(builtin(), no_uv, no_uv.mean, pattern(16), quick()), std::invalid_argument);
}
