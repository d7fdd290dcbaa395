#include "core/io/glb_model.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <random>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/glb.h"
#include "core/io/model_io.h"
#include "tests/data.h"

using namespace facet;

namespace {

FaceAsset assetOf(const MorphableModel& model) {
  FaceAsset asset;
  asset.mesh = model.mesh(model.mean);
  for (int e = 0; e < model.numExpression(); ++e) {
    asset.targets.push_back({model.expression_names[e], model.expression.points(e)});
  }
  asset.extras_json = R"({"licence": "MIT", "model": "synthetic"})";
  return asset;
}

// The asset with its vertices in another order; `moved_to` is where each went.
FaceAsset shuffled(FaceAsset asset, const std::vector<std::int32_t>& moved_to) {
  const auto move = [&](Points3& points) {
    const Points3 before = points;
    for (Eigen::Index v = 0; v < before.rows(); ++v) points.row(moved_to[v]) = before.row(v);
  };
  move(asset.mesh.vertices);
  for (AssetTarget& target : asset.targets) move(target.displacement);
  for (Eigen::Index i = 0; i < asset.mesh.triangles.size(); ++i) {
    asset.mesh.triangles.data()[i] = moved_to[asset.mesh.triangles.data()[i]];
  }
  return asset;
}

}  // namespace

TEST_CASE(
    "GLB model: targets are expressions with weights from 0 to 1, in millimetres whatever the unit was") {
  const MorphableModel source = makeSyntheticModel(1, 0, 4, 1);
  FaceAsset asset = assetOf(source);
  const MorphableModel model = modelFromAsset(asset, "some/where/head.glb");
  CHECK(model.name == "head");
  CHECK(model.licence == "MIT");
  CHECK(model.numIdentity() == 0);
  CHECK(model.num_blendshapes == 4);
  CHECK(model.expression_names == source.expression_names);
  CHECK((model.mean - source.mean).isZero(1e-4F));
  CHECK(model.albedo_mean.rows() == 0);  // no colour at all

  // A file in centimetres, although glTF says metres: ten times too large for a head after reading.
  asset.mesh.vertices *= 100;
  for (AssetTarget& target : asset.targets) target.displacement *= 100;
  const MorphableModel from_centimetres = modelFromAsset(asset, "head.glb");
  CHECK((from_centimetres.mean - source.mean).isZero(1e-3F));
  CHECK((from_centimetres.expression.dense() - source.expression.dense()).isZero(1e-3F));
  CHECK(from_centimetres.reader_notes[0].find("centimetres") != std::string::npos);
}

TEST_CASE("GLB model: the albedo is the base colour at the vertices, times its factor, linear") {
  FaceAsset asset = assetOf(makeSyntheticModel(1, 0, 1, 1));
  auto image = std::make_shared<Image8>(64, 64, 3);
  for (int y = 0; y < 64; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (int c = 0; c < 3; ++c)
        image->at(x, y)[c] = static_cast<std::uint8_t>(c == 0 ? 4 * x : c == 1 ? 4 * y : 99);
    }
  }
  asset.materials[0].base_colour = image;
  asset.materials[0].base_colour_factor << 1, 1, 0.5F;
  const MorphableModel model = modelFromAsset(asset, "head.glb");
  REQUIRE(model.albedo_mean.rows() == asset.mesh.vertices.rows());
  int checked = 0;
  for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); ++f) {
    const Eigen::RowVector2f uv = asset.mesh.uv.row(asset.mesh.uv_triangles(f, 0));
    if (uv.x() < 0.1F || uv.x() > 0.9F || uv.y() < 0.1F || uv.y() > 0.9F)
      continue;  // off the seam and the edge
    const Eigen::RowVector3f colour = model.albedo_mean.row(asset.mesh.triangles(f, 0));
    CHECK(srgbFromLinear(colour[0]) == doctest::Approx((256 * uv.x() - 2) / 255).epsilon(0.02));
    CHECK(srgbFromLinear(colour[1]) == doctest::Approx((256 * (1 - uv.y()) - 2) / 255).epsilon(0.02));
    CHECK(colour[2] == doctest::Approx(0.5F * linearFromSrgb(99.0F / 255)));
    ++checked;
  }
  CHECK(checked > 100);
}

TEST_CASE("GLB model: joints lie where the file has them") {
  FaceAsset asset = assetOf(makeSyntheticModel(1, 0, 1, 1));
  AssetSkin skin;
  skin.names = {"root", "jaw"};
  skin.parent = {-1, 0};
  skin.positions.resize(2, 3);
  skin.positions << 0, -60, -10, 3, -20, 15;
  skin.weights = Eigen::MatrixXf::Zero(asset.mesh.vertices.rows(), 2);
  for (Eigen::Index v = 0; v < skin.weights.rows(); ++v)
    skin.weights(v, asset.mesh.vertices(v, 1) < -30 ? 1 : 0) = 1;
  asset.skin = skin;
  const MorphableModel model = modelFromAsset(asset, "head.glb");
  REQUIRE(model.skeleton);
  CHECK((model.skeleton->joints(model.mean) - skin.positions).cwiseAbs().maxCoeff() < 0.01F);
  // They go with the head.
  const Points3 moved = (model.mean.array() + 10).matrix();
  CHECK((model.skeleton->joints(moved) - skin.positions).array().isApproxToConstant(10, 1e-2F));
}

TEST_CASE("GLB model: vertices that were put in another order are found again by their texture coordinates") {
  const MorphableModel reference = makeSyntheticModel(1, 0, 3, 1);
  std::vector<std::int32_t> moved_to(static_cast<std::size_t>(reference.numVertices()));
  std::iota(moved_to.begin(), moved_to.end(), 0);
  std::shuffle(moved_to.begin(), moved_to.end(), std::mt19937(2));
  FaceAsset asset = shuffled(assetOf(reference), moved_to);
  for (Eigen::Index f = 0; f < asset.mesh.triangles.rows(); f += 3) {  // some begin at another corner
    const Eigen::RowVector3i corners = asset.mesh.triangles.row(f), uv = asset.mesh.uv_triangles.row(f);
    asset.mesh.triangles.row(f) << corners[1], corners[2], corners[0];
    asset.mesh.uv_triangles.row(f) << uv[1], uv[2], uv[0];
  }
  asset.mesh.uv.array() += 1e-5F;
  const auto order = orderLike(asset.mesh, reference);
  REQUIRE(order);
  CHECK(*order == moved_to);

  MorphableModel model = modelFromAsset(asset, "head.glb");
  takeTopology(*order, reference, model);
  CHECK((model.mean - reference.mean).isZero(1e-4F));
  CHECK((model.expression.dense() - reference.expression.dense()).isZero(1e-4F));
  CHECK(model.triangles == reference.triangles);
  CHECK(model.topology == reference.topology);
  CHECK(model.region == reference.region);
  CHECK((model.landmarks68.points(model.mean, model.triangles) -
         reference.landmarks68.points(reference.mean, reference.triangles))
            .isZero(1e-3F));

  // Another layout, and another mesh under the same layout, are other topologies.
  Mesh other = asset.mesh;
  other.uv.col(0) *= 0.9F;
  CHECK_FALSE(orderLike(other, reference));
  other = asset.mesh;
  std::swap(other.triangles(0, 0), other.triangles(0, 1));
  CHECK_FALSE(orderLike(other, reference));
  other.triangles.conservativeResize(other.triangles.rows() - 1, 3);
  other.uv_triangles.conservativeResize(other.triangles.rows(), 3);
  CHECK_FALSE(orderLike(other, reference));
}

TEST_CASE("loadModel: a GLB is a model; one that is damaged or no head is a model error") {
  const test::TemporaryFolder folder("glb_model");
  const MorphableModel source = makeSyntheticModel(1, 0, 2, 1);
  FaceAsset asset = assetOf(source);
  writeGlb(folder / "head.glb", asset);
  const MorphableModel model = loadModel((folder / "head.glb").string());
  CHECK(model.expression_names == source.expression_names);
  CHECK(model.numVertices() == source.numVertices());
  const auto refuses = [&](const std::string& part) {
    try {
      loadModel((folder / "bad.glb").string());
      FAIL_CHECK("no error: ", part);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kModel);
      CHECK_MESSAGE(std::string(error.what()).find(part) != std::string::npos, error.what());
    }
  };
  const std::vector<std::uint8_t> bytes = readBytes(folder / "head.glb");
  writeBytes(folder / "bad.glb", bytes.data(), bytes.size() / 2);
  refuses("cut off");
  asset.mesh.vertices *= 1e-9F;
  asset.targets.clear();
  writeGlb(folder / "bad.glb", asset);
  refuses("bad.glb: is not a head");
}
