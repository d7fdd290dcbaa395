#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/model_io.h"
#include "core/io/npz.h"
#include "tests/data.h"

using namespace facet;
namespace fs = std::filesystem;

namespace {

// A head of the synthetic model in the layout and the unit (centimetres) of the published FaceXModel folder,
// with the last triangles as a transparent overlay.
void writeObjLikeIct(const fs::path& path, const MorphableModel& model, const Points3& vertices_mm) {
  std::ostringstream text;
  text.precision(9);
  text << "# ICT-FaceKit\nmtllib ICTFaceModelMaterial.mtl\no head\n";
  for (Eigen::Index v = 0; v < vertices_mm.rows(); ++v) text << "v " << vertices_mm.row(v) / 10 << '\n';
  for (Eigen::Index t = 0; t < model.uv.rows(); ++t) text << "vt " << model.uv.row(t) << '\n';
  text << "usemtl M_Face\n";
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    if (f == 1000) text << "usemtl M_EyeOcclusion\n";
    text << 'f';
    for (int c = 0; c < 3; ++c)
      text << ' ' << model.triangles(f, c) + 1 << '/' << model.uv_triangles(f, c) + 1;
    text << '\n';
  }
  writeText(path, text.str());
}

void writeIctFolder(const fs::path& folder, const MorphableModel& model) {
  fs::create_directories(folder);
  writeObjLikeIct(folder / "generic_neutral_mesh.obj", model, model.mean);
  for (int k = 0; k < 2; ++k) {
    writeObjLikeIct(folder / ("identity00" + std::to_string(k) + ".obj"), model,
                    model.vertices(Eigen::VectorXf::Unit(model.numIdentity(), k)));
  }
  writeObjLikeIct(folder / "eyeBlink_L.obj", model,
                  model.vertices({}, Eigen::VectorXf::Unit(model.numExpression(), 0)));
  writeObjLikeIct(folder / "jawOpen.obj", model,
                  model.vertices({}, Eigen::VectorXf::Unit(model.numExpression(), 1)));
  std::string landmarks;
  for (int i = 0; i < 68; ++i) landmarks += (i ? ", " : "") + std::to_string(model.triangles(7 * i, 0));
  writeText(folder / "vertex_indices.json",
            R"({"expressions": ["eyeBlink_L", "jawOpen"], "idx_to_landmark_verts": [)" + landmarks + "]}");
}

}  // namespace

TEST_CASE("ICT folder: shapes become differences in millimetres under ARKit's names") {
  const test::TemporaryFolder folder("ict");
  const MorphableModel source = makeSyntheticModel();
  writeIctFolder(folder / "FaceXModel", source);
  for (const fs::path& path : {folder.path(), folder / "FaceXModel"}) {
    const MorphableModel model = loadModel(path);
    CHECK((model.mean - source.mean).cwiseAbs().maxCoeff() < 1e-4F);
    REQUIRE(model.numIdentity() == 2);
    REQUIRE(model.numExpression() == 2);
    CHECK((model.identity.col(1) - source.identity.col(1)).cwiseAbs().maxCoeff() < 1e-3F);
    CHECK((model.expression.col(0) - source.expression.col(0)).cwiseAbs().maxCoeff() < 1e-3F);
    CHECK(model.expression_names == std::vector<std::string>{"eyeBlinkLeft", "jawOpen"});
    CHECK(model.licence.find("MIT") == 0);
    CHECK(model.triangles == source.triangles.topRows(1000));  // without the overlay
    // The face's tile lies in the upper left 70 % of the texture, with a margin of 1 %.
    REQUIRE(model.uv_triangles.rows() == 1000);
    const Eigen::RowVector2f corner(0.007F, 0.307F);
    int num_misplaced = 0;
    for (Eigen::Index f = 0; f < 500; ++f) {
      for (int k = 0; k < 3; ++k) {
        const Eigen::RowVector2f expected = corner + 0.686F * source.uv.row(source.uv_triangles(f, k));
        num_misplaced += (model.uv.row(model.uv_triangles(f, k)) - expected).norm() > 1e-5F;
      }
    }
    CHECK(num_misplaced == 0);
    CHECK(model.symmetry == source.symmetry);
    REQUIRE(model.landmarks68.size() == 68);
    const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
    for (int i = 0; i < 68; ++i) CHECK(landmarks.row(i).isApprox(model.mean.row(source.triangles(7 * i, 0))));
    CHECK(model.dense.size() == 0);  // the dense set belongs to the published mesh
  }
}

TEST_CASE("ICT folder: a missing or foreign shape is a model error that names it") {
  const test::TemporaryFolder folder("ict");
  const MorphableModel source = makeSyntheticModel();
  writeIctFolder(folder.path(), source);
  writeText(folder / "jawOpen.obj", "v 0 0 0\n");
  CHECK_THROWS_WITH_AS(readIctModel(folder.path()), doctest::Contains("jawOpen.obj"), Error);
  fs::remove(folder / "jawOpen.obj");
  CHECK_THROWS_WITH_AS(readIctModel(folder.path()), doctest::Contains("jawOpen.obj"), Error);
  writeText(folder / "vertex_indices.json", "{");
  CHECK_THROWS_WITH_AS(readIctModel(folder.path()), doctest::Contains("vertex_indices.json"), Error);
  const float one = 1;
  writeNpz(folder / "a.npz", {{"mean", NpyArray::fromFloat(&one, {1})}});
  CHECK_THROWS_WITH_AS(readIctModel(folder / "a.npz"), doctest::Contains("packed ICT-FaceKit"), Error);
}

TEST_CASE(
    "ICT npz: the real model is its raw arrays in millimetres, of the published sizes, symmetric left and "
    "right") {
  const auto data = test::realData();
  if (!data || !fs::exists(*data / "ict_facekit/ict_facekit_light.npz")) {
    MESSAGE("skipped: no real data");
    return;
  }
  const fs::path path = *data / "ict_facekit/ict_facekit_light.npz";
  const MorphableModel model = loadModel(path);
  const Npz raw = readNpz(path);  // centimetres
  const auto expectEqual = [&](const char* key, const Basis& basis) {
    const std::vector<float> values = raw.at(key).asFloat();
    const Eigen::Map<const Eigen::MatrixXf> expected(values.data(), basis.rows(), basis.cols());
    CHECK((basis.dense() - 10 * expected).cwiseAbs().maxCoeff() == 0);
  };
  expectEqual("identity", model.identity);
  expectEqual("expression", model.expression);
  const std::vector<float> mean = raw.at("mean").asFloat();
  CHECK((model.mean - 10 * Eigen::Map<const Points3>(mean.data(), model.numVertices(), 3)).isZero(0));
  CHECK(model.numVertices() == 26719);
  CHECK(model.numIdentity() == 100);
  CHECK(model.numExpression() == 53);
  CHECK(
      uvOverlap({.uv = Eigen::Map<const Points2>(raw.at("uv").asFloat().data(), raw.at("uv").count() / 2, 2),
                 .uv_triangles = Eigen::Map<const Triangles>(raw.at("triangles_uv").asInt32().data(),
                                                             raw.at("triangles_uv").count() / 3, 3)}) > 0.5);
  CHECK(uvOverlap(model.mesh(model.mean)) < 0.005);  // its tiles are packed into one square
  CHECK(model.expressionIndex("browInnerUpLeft"));
  CHECK(model.expressionIndex("jawOpen"));
  CHECK_FALSE(model.expressionIndex("eyeBlink_L"));
  REQUIRE(model.symmetry.size() == 26719);
  int differing_regions = 0;
  for (int v = 0; v < model.numVertices(); ++v) {
    CHECK(model.symmetry[model.symmetry[v]] == v);
    differing_regions += model.region[v] != model.region[model.symmetry[v]];
  }
  CHECK(differing_regions == 0);
  const Points3 landmarks = model.landmarks68.points(model.mean, model.triangles);
  CHECK(landmarks(36, 0) < landmarks(45, 0));  // the subject's right eye first
  CHECK((landmarks.row(45) - landmarks.row(36)).norm() == doctest::Approx(89.2).epsilon(0.01));  // mm
  // Eyelids, lips and eyeballs differ in colour.
  const auto colourOf = [&](int landmark) {
    const int triangle = model.landmarks68.triangle[landmark];
    Eigen::Index corner;
    model.landmarks68.barycentric.row(landmark).maxCoeff(&corner);
    return Eigen::RowVector3f(model.albedo_mean.row(model.triangles(triangle, corner)));
  };
  CHECK_FALSE(colourOf(27).isApprox(colourOf(62), 0.05F));
}
