#include "core/io/flame_model.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/image.h"
#include "core/io/files.h"
#include "core/io/mesh_io.h"
#include "core/io/npz.h"
#include "tests/core/io/flame_fixture.h"
#include "tests/data.h"

using namespace facet;
using facet::test::FlameArrays;
using facet::test::PickleWriter;

namespace {

MorphableModel read(const std::vector<std::uint8_t>& bytes, const std::string& name = "generic_model.pkl") {
  return flameModelFrom(readPython(SharedBytes(std::vector<std::uint8_t>(bytes)), name));
}

std::string errorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    CHECK(std::string(error.what()).find('\n') == std::string::npos);
    return error.what();
  }
  return "";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void write(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  writeBytes(path, bytes.data(), bytes.size());
}

NpyArray npy(const Eigen::MatrixXd& matrix, std::vector<std::int64_t> shape) {
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = matrix;
  return NpyArray::fromDouble(rows.data(), std::move(shape));
}

Npz npzOf(const FlameArrays& flame) {
  const std::int64_t v = flame.numVertices();
  return {{"v_template", npy(flame.v_template, {v, 3})},
          {"f", NpyArray::fromInt32(flame.f.data(), {flame.f.rows(), 3})},
          {"shapedirs", npy(flame.shapedirs, {v, 3, flame.shapedirs.cols()})},
          {"posedirs", npy(flame.posedirs, {v, 3, 36})},
          {"J_regressor", npy(Eigen::MatrixXd(flame.J_regressor), {5, v})},
          {"kintree_table", npy(flame.kintree_table, {2, 5})},
          {"weights", npy(flame.weights, {v, 5})}};
}

void checkAgainst(const MorphableModel& model, const FlameArrays& flame, int num_identity) {
  REQUIRE(model.numVertices() == flame.numVertices());
  CHECK(model.mean.isApprox(1000 * flame.v_template.cast<float>(), 1e-6F));
  CHECK(model.triangles == flame.f);
  REQUIRE(model.numIdentity() == num_identity);
  REQUIRE(model.numExpression() == flame.shapedirs.cols() - num_identity);
  CHECK(model.identity.dense().isApprox(1000 * flame.shapedirs.leftCols(num_identity).cast<float>(), 1e-6F));
  CHECK(model.expression.dense().isApprox(
      1000 * flame.shapedirs.rightCols(model.numExpression()).cast<float>(), 1e-6F));
  REQUIRE(model.skeleton);
  const Skeleton& skeleton = *model.skeleton;
  CHECK(skeleton.names == std::vector<std::string>{"root", "neck", "jaw", "left_eye", "right_eye"});
  CHECK(skeleton.parent == std::vector<std::int32_t>{-1, 0, 1, 1, 1});
  CHECK(skeleton.weights.isApprox(flame.weights.cast<float>()));
  CHECK(Eigen::MatrixXf(skeleton.regressor).isApprox(Eigen::MatrixXd(flame.J_regressor).cast<float>()));
  CHECK(skeleton.pose_correctives.dense().isApprox(1000 * flame.posedirs.cast<float>(), 1e-6F));
}

// The published equations, written out in double: Rodrigues, blend shapes, correctives, skinning. Metres.
Eigen::MatrixXd flameByTheBook(const FlameArrays& flame, const Eigen::VectorXd& betas,
                               const Eigen::MatrixXd& pose) {
  const int num_vertices = flame.numVertices(), num_joints = 5;
  Eigen::MatrixXd shaped = flame.v_template;
  for (int v = 0; v < num_vertices; ++v) {
    for (int k = 0; k < 3; ++k) shaped(v, k) += flame.shapedirs.row(3 * v + k).head(betas.size()).dot(betas);
  }
  std::vector<Eigen::Matrix3d> rotations;
  for (int j = 0; j < num_joints; ++j) {
    const Eigen::Vector3d r = pose.row(j);
    const double angle = r.norm();
    Eigen::Matrix3d cross;
    cross << 0, -r.z(), r.y(), r.z(), 0, -r.x(), -r.y(), r.x(), 0;
    rotations.push_back(angle == 0
                            ? Eigen::Matrix3d(Eigen::Matrix3d::Identity())
                            : Eigen::Matrix3d(Eigen::Matrix3d::Identity() + std::sin(angle) / angle * cross +
                                              (1 - std::cos(angle)) / (angle * angle) * cross * cross));
  }
  const Eigen::MatrixXd joints = flame.J_regressor * shaped;
  Eigen::VectorXd features(36);
  for (int j = 1; j < num_joints; ++j) {
    for (int k = 0; k < 9; ++k) features[9 * (j - 1) + k] = rotations[j](k / 3, k % 3) - (k % 4 == 0 ? 1 : 0);
  }
  std::vector<Eigen::Matrix4d> chain;
  const int parents[] = {-1, 0, 1, 1, 1};
  for (int j = 0; j < num_joints; ++j) {
    Eigen::Matrix4d local = Eigen::Matrix4d::Identity();
    local.topLeftCorner<3, 3>() = rotations[j];
    local.topRightCorner<3, 1>() = joints.row(j).transpose();
    if (j > 0) local.topRightCorner<3, 1>() -= joints.row(parents[j]).transpose();
    chain.push_back(j ? Eigen::Matrix4d(chain[parents[j]] * local) : local);
  }
  Eigen::MatrixXd result(num_vertices, 3);
  for (int v = 0; v < num_vertices; ++v) {
    Eigen::Vector3d corrected = shaped.row(v).transpose() + flame.posedirs.middleRows<3>(3 * v) * features;
    Eigen::Vector4d sum = Eigen::Vector4d::Zero();
    for (int j = 0; j < num_joints; ++j) {
      Eigen::Matrix4d relative = chain[j];
      relative.topRightCorner<3, 1>() -= chain[j].topLeftCorner<3, 3>() * joints.row(j).transpose();
      sum += flame.weights(v, j) * (relative * corrected.homogeneous());
    }
    result.row(v) = sum.head<3>();
  }
  return result;
}

}  // namespace

TEST_CASE(
    "FLAME: pickles of protocols 0, 2 and 4, of Python 2 and 3, with and without chumpy, give the same "
    "model") {
  const FlameArrays flame = test::makeFlameArrays();
  for (const int protocol : {0, 2, 4}) {
    for (const bool python2 : {true, false}) {
      if (python2 && protocol == 4) continue;
      for (const bool chumpy : {true, false}) {
        CAPTURE(protocol);
        CAPTURE(python2);
        CAPTURE(chumpy);
        checkAgainst(read(test::flamePickle(flame, protocol, python2, chumpy)), flame, 100);
      }
    }
  }
}

TEST_CASE("FLAME: 400 modes are 300 of identity and 100 of expression; other numbers are said") {
  const FlameArrays whole = test::makeFlameArrays(400);
  const MorphableModel model = read(test::flamePickle(whole));
  checkAgainst(model, whole, 300);
  CHECK(model.num_blendshapes == 0);
  CHECK(model.reader_notes == std::vector<std::string>{"stored in metres, converted to millimetres"});
  const FlameArrays odd = test::makeFlameArrays(37);
  const MorphableModel few = read(test::flamePickle(odd));
  CHECK(few.numIdentity() == 37);
  CHECK(few.numExpression() == 0);
  CHECK(holds(few.reader_notes.at(1), "has 37 modes where FLAME has 400"));
}

TEST_CASE("FLAME: an npz, stored or compressed, gives the same model as the pickle") {
  const FlameArrays flame = test::makeFlameArrays();
  const test::TemporaryFolder folder("flame-npz");
  for (const bool compress : {false, true}) {
    writeNpz(folder / "flame.npz", npzOf(flame), compress);
    checkAgainst(readFlameModel(folder / "flame.npz"), flame, 100);
  }
}

TEST_CASE("FLAME: shape and pose agree with the published equations to a hundredth of a millimetre") {
  const FlameArrays flame = test::makeFlameArrays(400);
  const MorphableModel model = read(test::flamePickle(flame));
  Eigen::VectorXd betas = Eigen::VectorXd::Zero(400);
  for (int i = 0; i < 400; i += 7) betas[i] = std::sin(i) * 2;
  Eigen::MatrixXd pose(5, 3);
  pose << 0.1, -0.2, 0.05, 0.3, 0.4, -0.1, 0.5, 0.02, 0, 0.1, -0.3, 0, -0.2, 0.2, 0.1;
  const Points3 shaped = model.vertices(betas.head(300).cast<float>(), betas.tail(100).cast<float>());
  const Points3 posed = model.skeleton->posed(shaped, pose.cast<float>());
  const Eigen::MatrixXd expected = 1000 * flameByTheBook(flame, betas, pose);
  CHECK((posed.cast<double>() - expected).rowwise().norm().maxCoeff() < 0.01);  // 1e-5 m
  CHECK((shaped - posed).rowwise().norm().maxCoeff() > 10);
}

TEST_CASE("FLAME: triangles of vertices that follow an eye wholly are eyes") {
  const FlameArrays flame = test::makeFlameArrays();
  const MorphableModel model = read(test::flamePickle(flame));
  REQUIRE(model.material_names == std::vector<std::string>{"skin", "eye"});
  int num_eye = 0;
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    double least = 1;
    for (int k = 0; k < 3; ++k)
      least = std::min(least, flame.weights.row(model.triangles(f, k)).tail(2).sum());
    CHECK((model.triangle_material[f] == 1) == (least == 1));
    num_eye += model.triangle_material[f];
  }
  CHECK(num_eye == 4);  // a quad on each side
}

TEST_CASE("FLAME: triangles wound inwards are reversed and files in millimetres are understood, both said") {
  FlameArrays flame = test::makeFlameArrays();
  flame.f.col(1).swap(flame.f.col(2));
  flame.v_template *= 1000;
  flame.shapedirs *= 1000;
  flame.posedirs *= 1000;
  const MorphableModel model = read(test::flamePickle(flame));
  CHECK(holds(model.reader_notes.at(0), "millimetres"));
  CHECK(holds(model.reader_notes.back(), "reversed"));
  const FlameArrays usual = test::makeFlameArrays();
  CHECK(model.triangles == usual.f);
  CHECK(model.identity.dense().isApprox(1000 * usual.shapedirs.leftCols(100).cast<float>(), 1e-5F));
  flame.v_template *= 1e9;
  CHECK(holds(errorOf([&] { read(test::flamePickle(flame)); }), "no face in any unit"));
}

TEST_CASE("FLAME: what lies beside the model is recognized by its content and used") {
  const FlameArrays flame = test::makeFlameArrays();
  const test::TemporaryFolder folder("flame-2020");
  write(folder / "generic_model.pkl", test::flamePickle(flame));
  const Eigen::Index num_vertices = flame.numVertices(), num_triangles = flame.f.rows();

  const MorphableModel bare = readFlameModel(folder / "generic_model.pkl");
  CHECK(bare.landmarks68.size() == 0);
  CHECK(holds(bare.reader_notes.back(), "has no landmarks"));
  CHECK(bare.region.empty());

  // Eyelids, under names that say nothing: each lies on one side. A smoother field over the whole head is
  // none.
  Eigen::MatrixXf lid[2] = {Eigen::MatrixXf::Zero(num_vertices, 3), Eigen::MatrixXf::Zero(num_vertices, 3)};
  for (Eigen::Index v = 0; v < num_vertices; ++v) {
    if (std::abs(flame.v_template(v, 0)) < 0.02 || flame.v_template(v, 2) < 0.03) continue;
    lid[flame.v_template(v, 0) > 0 ? 0 : 1](v, 1) = -0.003F;
  }
  const auto saveNpy = [&](const std::string& name, const Eigen::MatrixXf& m,
                           std::vector<std::int64_t> shape) {
    const Points3 rows = m;
    std::string dims;
    for (const std::int64_t length : shape) dims += std::to_string(length) + ", ";
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + dims + "), }";
    header.append(63 - (10 + header.size()) % 64, ' ');
    header += '\n';
    std::string bytes("\x93NUMPY\x01\x00", 8);
    bytes += static_cast<char>(header.size() & 0xFF);
    bytes += static_cast<char>(header.size() >> 8);
    bytes += header;
    bytes.append(reinterpret_cast<const char*>(rows.data()), static_cast<std::size_t>(rows.size()) * 4);
    writeBytes(folder / name, bytes.data(), bytes.size());
  };
  saveNpy("one.npy", lid[1], {1, num_vertices, 3});
  saveNpy("two.npy", lid[0], {num_vertices, 3});
  saveNpy("other.npy", Eigen::MatrixXf::Constant(num_vertices, 3, 0.001F), {num_vertices, 3});

  // Landmarks: 51 static ones and 79 rows of 17; row 39 puts the left jaw forward.
  Eigen::MatrixXd weights = Eigen::MatrixXd::Constant(79 * 17, 3, 0.25);
  weights.col(1).setConstant(0.5);
  Eigen::MatrixXd static_triangles(51, 1), dynamic_triangles(79 * 17, 1);
  for (int i = 0; i < 51; ++i) static_triangles(i) = i % static_cast<int>(num_triangles);
  const auto triangleAt = [&](double x, double z) {  // nearest in direction
    Eigen::Index best = 0;
    double best_distance = 1e9;
    for (Eigen::Index f = 0; f < num_triangles; ++f) {
      Eigen::RowVector3d centre = Eigen::RowVector3d::Zero();
      for (int k = 0; k < 3; ++k) centre += flame.v_template.row(flame.f(f, k)) / 3;
      const double distance = std::hypot(centre.x() - 0.1 * x, centre.y(), centre.z() - 0.1 * z);
      if (distance < best_distance) best = f, best_distance = distance;
    }
    return static_cast<double>(best);
  };
  for (int row = 0; row < 79; ++row) {
    const double yaw = row < 40 ? row : 39 - row;  // positive: left slides forward
    for (int i = 0; i < 17; ++i) {
      const double side = (i - 8) / 8.0, angle = side * (1.5 - 0.02 * side * yaw);
      dynamic_triangles(row * 17 + i) = triangleAt(std::sin(angle), std::cos(angle));
    }
  }
  PickleWriter landmarks(2, true);
  landmarks.dict({{"static_lmk_faces_idx", [&] { landmarks.uint32s(static_triangles, {51}); }},
                  {"static_lmk_bary_coords",
                   [&] {
                     landmarks.doubles(weights.topRows(51), {51, 3});
                   }},
                  {"dynamic_lmk_faces_idx",
                   [&] {
                     landmarks.uint32s(dynamic_triangles, {79, 17});
                   }},
                  {"dynamic_lmk_bary_coords", [&] {
                     landmarks.doubles(weights, {79, 17, 3});
                   }}});
  write(folder / "embedding.pkl", landmarks.finish());

  PickleWriter masks(2, true);
  const Eigen::VectorXd face = Eigen::VectorXd::LinSpaced(40, 0, 39),
                        nose = Eigen::VectorXd::LinSpaced(3, 5, 7);
  masks.dict({{"nose", [&] { masks.uint32s(nose, {3}); }},
              {"face", [&] { masks.uint32s(face, {40}); }},
              {"neck", [&] { masks.uint32s(Eigen::VectorXd::Constant(1, 60), {1}); }}});
  write(folder / "masks.pkl", masks.finish());
  write(folder / "evil.pkl", {'c', 'o', 's', '\n', 's', 'y', 's', 't', 'e', 'm', '\n', '.'});

  const MorphableModel model = readFlameModel(folder / "generic_model.pkl");
  CHECK(model.num_blendshapes == 2);
  REQUIRE(model.numExpression() == 52);
  CHECK(model.expression_names[50] == "eyelidLeft");
  CHECK(model.expression_names[51] == "eyelidRight");
  for (int side = 0; side < 2; ++side) {
    const Points3 rows = 1000 * lid[side];
    CHECK(model.expression.col(50 + side).isApprox(
        Eigen::Map<const Eigen::VectorXf>(rows.data(), rows.size())));
  }
  REQUIRE(model.landmarks68.size() == 68);
  CHECK(model.landmarks68.triangle[17] == static_triangles(0));
  CHECK(model.landmarks68.triangle[0] == dynamic_triangles(0));
  REQUIRE(model.contour_by_yaw.size() == 79);
  CHECK(model.contour_by_yaw[39].triangle[16] == dynamic_triangles(39 * 17 + 16));
  CHECK(model.contour_by_yaw[78].triangle[0] == dynamic_triangles(78 * 17));
  REQUIRE(model.region.size() == static_cast<std::size_t>(num_vertices));
  CHECK(model.region_names[model.region[6]] == "nose");
  CHECK(model.region_names[model.region[20]] == "face");
  CHECK(model.region_names[model.region[60]] == "neck");
  CHECK(model.region_names[model.region[70]] == "rest");
  std::string notes;
  for (const std::string& note : model.reader_notes) notes += note + "\n";
  CHECK(holds(notes, "read with it: embedding.pkl, masks.pkl, one.npy, two.npy\n"));
  CHECK(holds(notes, "evil.pkl: the pickle asks for os.system"));

  // The same rows for the other direction of yaw: the geometry tells, and they change places.
  Eigen::MatrixXd other = dynamic_triangles;
  for (int yaw = 1; yaw < 40; ++yaw) {
    other.middleRows(yaw * 17, 17).swap(other.middleRows((39 + yaw) * 17, 17));
  }
  PickleWriter reversed(4);
  reversed.dict({{"lmk_face_idx",
                  [&] {
                    reversed.uint32s(other, {79, 17});
                  }},
                 {"lmk_b_coords", [&] {
                    reversed.doubles(weights, {79, 17, 3});
                  }}});
  write(folder / "z_dynamic.pkl", reversed.finish());
  const MorphableModel again = readFlameModel(folder / "generic_model.pkl");
  for (int row = 0; row < 79; ++row) {
    CHECK(again.contour_by_yaw[row].triangle == model.contour_by_yaw[row].triangle);
  }
}

TEST_CASE(
    "FLAME: an albedo model in UV space is sampled at the vertices, blue channel first or last, as linear "
    "light") {
  const FlameArrays flame = test::makeFlameArrays();
  const test::TemporaryFolder folder("flame-albedo");
  write(folder / "generic_model.pkl", test::flamePickle(flame));
  // UVs: each vertex has a place of its own in the lower left quarter, from the bottom.
  const int size = 64, num_vertices = flame.numVertices();
  Eigen::MatrixXd vt(num_vertices, 2);
  for (int v = 0; v < num_vertices; ++v) vt.row(v) << (v % 16 + 0.5) / 64, (v / 16 + 0.5) / 64;
  // In BGR and 0 to 255: red falls to the right, green rises upwards.
  const auto red = [](int column) { return 220.0 - 4 * column; };
  const auto green = [](int row_from_bottom) { return 100.0 + 5 * row_from_bottom; };
  Eigen::MatrixXd mean(size * size * 3, 1), modes(size * size * 3, 2);
  for (int row = 0; row < size; ++row) {
    for (int column = 0; column < size; ++column) {
      const int at = (row * size + column) * 3;
      mean.middleRows<3>(at) << 90, green(size - 1 - row), red(column);
      modes.middleRows<3>(at) << 0, 0, 1, 2, 2, 2;
    }
  }
  const FlameArrays& f = flame;
  writeNpz(folder / "FLAME_texture.npz", {{"mean", npy(mean, {size, size, 3})},
                                          {"tex_dir", npy(modes, {size, size, 3, 2})},
                                          {"vt", npy(vt, {num_vertices, 2})},
                                          {"ft", NpyArray::fromInt32(f.f.data(), {f.f.rows(), 3})}});
  const MorphableModel model = readFlameModel(folder / "generic_model.pkl");
  REQUIRE(model.albedo_mean.rows() == num_vertices);
  CHECK(model.uv_triangles == flame.f);
  for (const int v : {0, 5, 17, 40, 97}) {
    CAPTURE(v);
    const float expected_red = static_cast<float>(red(v % 16)) / 255,
                expected_green = static_cast<float>(green(v / 16)) / 255;
    CHECK(model.albedo_mean(v, 0) == doctest::Approx(linearFromSrgb(expected_red)).epsilon(1e-3));
    CHECK(model.albedo_mean(v, 1) == doctest::Approx(linearFromSrgb(expected_green)).epsilon(1e-3));
    CHECK(model.albedo_mean(v, 2) == doctest::Approx(linearFromSrgb(90 / 255.0F)).epsilon(1e-3));
  }
  REQUIRE(model.numAlbedo() == 2);
  // In the file's order a texel's blue, green and red have the modes (0, 0), (1, 2), (2, 2).
  const float step = 1 / 255.0F,
              slope = (linearFromSrgb(220 / 255.0F + step) - linearFromSrgb(220 / 255.0F - step)) / 2;
  CHECK(model.albedo(0, 0) == doctest::Approx(2 * slope).epsilon(0.01));
  CHECK(model.albedo(0, 1) == doctest::Approx(2 * slope).epsilon(0.01));
  CHECK(model.albedo(2, 0) == 0);
  CHECK(model.albedo(1, 1) == doctest::Approx(2 * model.albedo(1, 0)));
}

TEST_CASE("FLAME: a broken file is refused with the place and the way out, and what was expected") {
  const FlameArrays good = test::makeFlameArrays();
  const auto errorWith = [&](const std::function<void(FlameArrays&)>& change) {
    FlameArrays flame = good;
    change(flame);
    return errorOf([&] { read(test::flamePickle(flame)); });
  };
  CHECK(errorWith([](FlameArrays&) {}).empty());
  CHECK(holds(errorWith([](FlameArrays& f) { f.f(3, 1) = f.numVertices(); }),
              "generic_model.pkl: f: holds 98"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.v_template(2, 2) = NAN; }),
              "v_template: holds a value that is not finite"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.shapedirs(2, 2) = INFINITY; }), "shapedirs: holds a value"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.weights(0, 0) += 0.5; }),
              "weights: has rows that do not sum to 1"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.kintree_table(0, 2) = 4; }),
              "kintree_table: gives joint 2 the parent 4"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.kintree_table.conservativeResize(2, 4); }),
              "kintree_table: is 2 x 4, expected 2 x 5"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.posedirs.conservativeResize(Eigen::NoChange, 35); }),
              "posedirs: is 98 x 3 x 35, expected 98 x 3 x 36"));
  CHECK(holds(errorWith([](FlameArrays& f) { f.J_regressor = f.J_regressor.leftCols(90).eval(); }),
              "J_regressor: is 5 x 90, expected 5 x 98"));
  PickleWriter other(2);
  other.dict({{"vertices", [&] { other.integer(1); }}});
  const test::TemporaryFolder folder("flame-bad");
  write(folder / "a.pkl", other.finish());
  CHECK(holds(errorOf([&] { readFlameModel(folder / "a.pkl"); }), "is not a FLAME model"));
  CHECK(holds(errorOf([&] { readFlameModel(folder / "missing.pkl"); }), "missing.pkl: no such file"));
  const std::string page = "<html><body>Login</body></html>";
  writeBytes(folder / "page.pkl", page.data(), page.size());
  CHECK(holds(errorOf([&] { readFlameModel(folder / "page.pkl"); }), "web page"));
}

TEST_CASE("FLAME: a file cut at any kilobyte is an error, never a crash") {
  const FlameArrays flame = test::makeFlameArrays();
  const test::TemporaryFolder folder("flame-cut");
  writeNpz(folder / "stored.npz", npzOf(flame), false);
  writeNpz(folder / "deflated.npz", npzOf(flame), true);
  for (const std::vector<std::uint8_t>& whole :
       {test::flamePickle(flame, 0), test::flamePickle(flame, 2), test::flamePickle(flame, 4, false),
        readBytes(folder / "stored.npz"), readBytes(folder / "deflated.npz")}) {
    REQUIRE(errorOf([&] { read(whole); }).empty());
    for (std::size_t size = 0; size < whole.size(); size += 1024) {
      CAPTURE(size);
      const std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK_FALSE(errorOf([&] { read(cut); }).empty());
    }
  }
}

TEST_CASE("FLAME: MediaPipe's embedding beside the model is kept with the numbers of its points") {
  const test::TemporaryFolder folder("flame");
  write(folder / "generic_model.pkl", test::flamePickle(test::makeFlameArrays()));
  const std::int32_t triangles[] = {5, 8, 2}, points[] = {276, 4, 477};
  const double weights[] = {1, 0, 0, 0.5, 0.5, 0, 0.2, 0.3, 0.5};
  Npz arrays = {{"lmk_face_idx", NpyArray::fromInt32(triangles, {3})},
                {"lmk_b_coords", NpyArray::fromDouble(weights, {3, 3})},
                {"landmark_indices", NpyArray::fromInt32(points, {3})}};
  writeNpz(folder / "mediapipe_landmark_embedding.npz", arrays);
  const MorphableModel model = readFlameModel(folder / "generic_model.pkl");
  CHECK(model.mediapipe.triangle == std::vector<std::int32_t>{5, 8, 2});
  CHECK(model.mediapipe_index == std::vector<std::int32_t>{276, 4, 477});
  CHECK(model.mediapipe.barycentric(2, 1) == doctest::Approx(0.3));
  CHECK(model.landmarks68.size() == 0);

  const std::int32_t beyond[] = {276, 4, 478};
  arrays["landmark_indices"] = NpyArray::fromInt32(beyond, {3});
  writeNpz(folder / "mediapipe_landmark_embedding.npz", arrays);
  CHECK(readFlameModel(folder / "generic_model.pkl").mediapipe.size() == 0);
}
