// FaceVerse and the models of 3DDFA: files that Python wrote, by raw opcodes.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <sstream>

#include "core/error.h"
#include "core/image.h"
#include "core/io/faceverse_model.h"
#include "core/io/files.h"
#include "core/io/tddfa_model.h"
#include "tests/core/io/pickle_writer.h"
#include "tests/data.h"

using namespace facet;
using facet::test::PickleWriter;

namespace {

using Values = std::vector<std::pair<std::string, std::function<void()>>>;

std::string errorOf(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    return error.what();
  }
  return "";
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void write(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  writeBytes(path, bytes.data(), bytes.size());
}

// numpy.save of an array, or (with "|O") of a pickled object.
std::vector<std::uint8_t> npy(const std::string& descriptor, const std::string& shape, const void* data,
                              std::size_t size) {
  std::string header = "{'descr': '" + descriptor + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 0xFF);
  bytes += static_cast<char>(header.size() >> 8);
  bytes += header;
  bytes.append(static_cast<const char*>(data), size);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::uint8_t> npy(const Eigen::MatrixXf& matrix) {
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = matrix;
  std::ostringstream shape;
  shape << '(' << rows.rows() << ", " << rows.cols() << ')';
  return npy("<f4", shape.str(), rows.data(), static_cast<std::size_t>(rows.size()) * 4);
}

std::vector<std::uint8_t> npyOfDict(PickleWriter& writer, const Values& values) {
  writer.global("numpy.core.multiarray", "_reconstruct");
  writer.tuple([&] { writer.global("numpy", "ndarray").shape({0}).bytes("b"); }).raw("R");
  writer.tuple([&] {
    writer.integer(1).shape({}).dtype("O8", '|').boolean(false);
    writer.listOf({[&] { writer.dict(values); }});
  });
  writer.raw("b");
  const std::vector<std::uint8_t> pickle = writer.finish();
  return npy("|O", "()", pickle.data(), pickle.size());
}

// A mask of a face, 150 mm × 200 mm: a bent grid that faces +Z, wound outwards, in millimetres. Landmark k is
// the vertex at (x, y) of no particular place, but for those that tell how the face stands.
struct Face {
  static constexpr int kColumns = 13, kRows = 11;
  Eigen::MatrixXd mean{kColumns * kRows, 3};
  Triangles triangles{2 * (kColumns - 1) * (kRows - 1), 3};
  Eigen::MatrixXd identity, expression;  // mm, 3V×K
  std::vector<int> landmarks;

  Face() {
    for (int row = 0; row < kRows; ++row) {
      for (int column = 0; column < kColumns; ++column) {
        const double x = -75 + 150.0 * column / (kColumns - 1), y = 100 - 200.0 * row / (kRows - 1);
        mean.row(row * kColumns + column) << x, y, 60 - x * x / 90 - y * y / 200;
      }
    }
    int f = 0;
    for (int row = 0; row + 1 < kRows; ++row) {
      for (int column = 0; column + 1 < kColumns; ++column) {
        const int a = row * kColumns + column, b = a + 1, c = a + kColumns, d = c + 1;
        triangles.row(f++) << a, c, b;
        triangles.row(f++) << b, c, d;
      }
    }
    identity = Eigen::MatrixXd::Random(3 * mean.rows(), 4);
    expression = Eigen::MatrixXd::Random(3 * mean.rows(), 3);
    for (int i = 0; i < 68; ++i) landmarks.push_back((i * 2) % static_cast<int>(mean.rows()));
    landmarks[36] = 4 * kColumns + 2;   // outer corner of the right eye: x = -50
    landmarks[45] = 4 * kColumns + 10;  // of the left eye: x = 50
    landmarks[19] = 2 * kColumns + 3;   // brow
    landmarks[8] = 10 * kColumns + 6;   // chin
  }
  int numVertices() const { return static_cast<int>(mean.rows()); }
  Eigen::MatrixXd landmarkColumn() const {
    Eigen::MatrixXd column(static_cast<Eigen::Index>(landmarks.size()), 1);
    for (std::size_t i = 0; i < landmarks.size(); ++i) column(static_cast<Eigen::Index>(i)) = landmarks[i];
    return column;
  }
};

// Half a turn about X: what FaceVerse does to its faces.
Eigen::MatrixXd turned(Eigen::MatrixXd rows) {
  for (Eigen::Index r = 0; r < rows.rows(); ++r) {
    if (r % 3 != 0) rows.row(r) *= -1;
  }
  return rows;
}

Eigen::MatrixXd flat(const Eigen::MatrixXd& points) {
  const Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor> rows = points;
  return Eigen::Map<const Eigen::VectorXd>(rows.data(), rows.size());
}

Values faceVerse(PickleWriter& writer, const Face& face, double unit_mm, bool is_turned,
                 int num_landmarks = 68) {
  const int v = face.numVertices();
  const auto store = [&writer, unit_mm, is_turned](const Eigen::MatrixXd& rows,
                                                   std::vector<std::int64_t> shape) {
    const Eigen::MatrixXd stored = (is_turned ? turned(rows) : rows) / unit_mm;
    return [&writer, stored, shape] { writer.doubles(stored, shape); };
  };
  Eigen::MatrixXd colours(3 * v, 1);
  for (int i = 0; i < v; ++i) colours.middleRows<3>(3 * i) << 200, 150, 120;
  Eigen::MatrixXd landmarks = face.landmarkColumn();
  if (num_landmarks == 66) {
    Eigen::MatrixXd fewer(66, 1);
    fewer << landmarks.topRows(60), landmarks.middleRows(61, 3), landmarks.middleRows(65, 3);
    landmarks = fewer;
  }
  return {{"meanshape", store(flat(face.mean), {v, 3})},
          {"idBase", store(face.identity, {3 * v, face.identity.cols()})},
          {"exBase", store(face.expression, {3 * v, face.expression.cols()})},
          {"tri",
           [&writer, &face] {
             writer.uint32s(face.triangles, {face.triangles.rows(), 3});
           }},
          {"keypoints", [&writer, landmarks] { writer.uint32s(landmarks, {landmarks.rows()}); }},
          {"meantex",
           [&writer, colours, v] {
             writer.doubles(colours, {1, 3 * v});
           }},
          {"texBase",
           [&writer, colours, v] {
             writer.doubles(colours / 100, {3 * v, 1});
           }},
          {"skinmask", [&writer, v] { writer.uint32s(Eigen::VectorXd::Ones(v), {v}); }},
          {"exp_name_list", [&writer] {
             writer.listOf({[&writer] { writer.text("jawOpen"); }, [&writer] { writer.text("eyeBlinkLeft"); },
                            [&writer] { writer.text("mouthPucker"); }});
           }}};
}

MorphableModel readFaceVerse(const std::vector<std::uint8_t>& bytes) {
  return faceVerseModelFrom(readPython(SharedBytes(std::vector<std::uint8_t>(bytes)), "faceverse.npy"));
}

MorphableModel readTddfa(const std::vector<std::uint8_t>& bytes, const TddfaCompanions& companions = {}) {
  return tddfaModelFrom(readPython(SharedBytes(std::vector<std::uint8_t>(bytes)), "model.pkl"), companions);
}

void checkShape(const MorphableModel& model, const Face& face, float scale = 1) {
  REQUIRE(model.numVertices() == face.numVertices());
  CHECK(model.mean.isApprox(scale * face.mean.cast<float>(), 1e-5F));
  CHECK(model.triangles == face.triangles);
  REQUIRE(model.numIdentity() == 4);
  REQUIRE(model.numExpression() == 3);
  CHECK(model.identity.dense().isApprox(scale * face.identity.cast<float>(), 1e-5F));
  CHECK(model.expression.dense().isApprox(scale * face.expression.cast<float>(), 1e-5F));
}

void checkLandmarks(const MorphableModel& model, const Face& face) {
  REQUIRE(model.landmarks68.size() == 68);
  const Points3 points = model.landmarks68.points(model.mean, model.triangles);
  for (int i = 0; i < 68; ++i) CHECK(points.row(i).isApprox(model.mean.row(face.landmarks[i])));
}

}  // namespace

TEST_CASE("FaceVerse: stands upright in millimetres, whatever way it lay in the file, with ARKit's names") {
  const Face face;
  for (const bool is_turned : {false, true}) {
    for (const double unit_mm : {1.0, 10.0, 100.0}) {
      PickleWriter writer(2);
      const MorphableModel model =
          readFaceVerse(npyOfDict(writer, faceVerse(writer, face, unit_mm, is_turned)));
      checkShape(model, face);
      checkLandmarks(model, face);
      CHECK(model.num_blendshapes == 3);
      CHECK(model.expression_names == std::vector<std::string>{"jawOpen", "eyeBlinkLeft", "mouthPucker"});
      CHECK(model.albedo_mean(5, 0) == doctest::Approx(linearFromSrgb(200 / 255.0F)));
      CHECK(model.region_names[model.region[3]] == "skin");
    }
  }
}

TEST_CASE(
    "FaceVerse: without a metric unit the eyes are put 90 mm apart, and it says so; 66 landmarks will do") {
  const Face face;
  PickleWriter writer(4);
  const MorphableModel model = readFaceVerse(npyOfDict(writer, faceVerse(writer, face, 350, true, 66)));
  checkShape(model, face, 0.9F);  // 100 mm in the fixture
  std::string notes;
  for (const std::string& note : model.reader_notes) notes += note + "\n";
  CHECK(holds(notes, "90 mm apart"));
  CHECK(holds(notes, "turned upright"));
  CHECK(holds(notes, "66 landmarks"));
  const Points3 points = model.landmarks68.points(model.mean, model.triangles);
  for (const int i : {0, 36, 59, 61, 63, 65, 67})
    CHECK(points.row(i).isApprox(model.mean.row(face.landmarks[i])));
  CHECK(points.row(60).isApprox(model.mean.row(face.landmarks[48])));
  CHECK(points.row(64).isApprox(model.mean.row(face.landmarks[54])));
}

TEST_CASE("3DDFA-V3: everything comes from one file") {
  const Face face;
  const int v = face.numVertices();
  PickleWriter writer(4);
  const Eigen::MatrixXd mean = flat(face.mean) / 100, identity = face.identity / 100,
                        expression = face.expression / 100;
  const Eigen::MatrixXd colours = Eigen::MatrixXd::Constant(3 * v, 1, 128),
                        uv = Eigen::MatrixXd::Constant(v, 3, 0.25);
  Triangles inwards = face.triangles;
  inwards.col(1).swap(inwards.col(2));
  inwards.array() += 1;
  std::vector<std::function<void()>> parts;
  for (int part = 0; part < 8; ++part) {
    parts.emplace_back([&writer, part, v] {
      // The skin holds all; the others two vertices each.
      const Eigen::VectorXd vertices = part == 7 ? Eigen::VectorXd::LinSpaced(v - 10, 0, v - 11)
                                                 : Eigen::VectorXd::LinSpaced(2, 2 * part, 2 * part + 1);
      writer.uint32s(vertices, {vertices.size()});
    });
  }
  const MorphableModel model =
      readTddfa(npyOfDict(writer, {{"u",
                                    [&] {
                                      writer.doubles(mean, {3 * v, 1});
                                    }},
                                   {"id",
                                    [&] {
                                      writer.doubles(identity, {3 * v, 4});
                                    }},
                                   {"exp",
                                    [&] {
                                      writer.doubles(expression, {3 * v, 3});
                                    }},
                                   {"u_alb",
                                    [&] {
                                      writer.doubles(colours, {3 * v, 1});
                                    }},
                                   {"alb",
                                    [&] {
                                      writer.doubles(colours / 50, {3 * v, 1});
                                    }},
                                   {"tri",
                                    [&] {
                                      writer.uint32s(inwards, {inwards.rows(), 3});
                                    }},
                                   {"uv_coords",
                                    [&] {
                                      writer.doubles(uv, {v, 3});
                                    }},
                                   {"ldm68", [&] { writer.uint32s(face.landmarkColumn(), {68}); }},
                                   {"annotation", [&] { writer.listOf(parts); }}}));
  CHECK(model.id == "3ddfa-v3");
  checkShape(model, face);
  checkLandmarks(model, face);
  CHECK(model.albedo_mean(7, 1) == doctest::Approx(linearFromSrgb(128 / 255.0F)));
  CHECK(model.uv_triangles == model.triangles);
  CHECK(model.region_names[model.region[0]] == "right_eye");
  CHECK(model.region_names[model.region[9]] == "nose");
  CHECK(model.region_names[model.region[20]] == "skin");
  CHECK(model.region_names[model.region[v - 1]] == "rest");
}

TEST_CASE("3DDFA_V2: micrometres, modes times the deviations beside it, triangles from tri.pkl") {
  const Face face;
  const int v = face.numVertices();
  const test::TemporaryFolder folder("3ddfa-v2");
  const Eigen::VectorXd deviations =
      (Eigen::VectorXd(19) << Eigen::VectorXd::Ones(12), 2e5, 3e5, 4e5, 5e5, 0.5, 0.25, 2).finished();
  Eigen::MatrixXd keypoints(204, 1);
  for (int i = 0; i < 204; ++i) keypoints(i) = 3 * face.landmarks[i / 3] + i % 3;
  PickleWriter writer(2, true), triangles(2, true), statistics(2, true);
  writer.dict(
      {{"u",
        [&] {
          writer.doubles(flat(face.mean) * 1000, {3 * v, 1});
        }},
       {"w_shp",
        [&] {
          writer.doubles(
              Eigen::MatrixXd(1000 * face.identity * deviations.segment(12, 4).asDiagonal().inverse()),
              {3 * v, 4});
        }},
       {"w_exp",
        [&] {
          writer.doubles(Eigen::MatrixXd(1000 * face.expression * deviations.tail(3).asDiagonal().inverse()),
                         {3 * v, 3});
        }},
       {"keypoints", [&] { writer.uint32s(keypoints, {204}); }}});
  const std::vector<std::uint8_t> model_bytes = writer.finish();
  write(folder / "bfm_noneck_v3.pkl", model_bytes);
  CHECK(holds(errorOf([&] { readTddfaModel(folder / "bfm_noneck_v3.pkl"); }),
              "param_mean_std_62d_120x120.pkl"));
  statistics.dict({{"mean", [&] { statistics.doubles(deviations, {19}); }},
                   {"std", [&] { statistics.doubles(deviations, {19}); }}});
  write(folder / "param_mean_std_62d_120x120.pkl", statistics.finish());
  CHECK(holds(errorOf([&] { readTddfaModel(folder / "bfm_noneck_v3.pkl"); }), "tri.pkl"));
  const Eigen::MatrixXi wide = face.triangles.transpose();
  triangles.uint32s(wide, {3, wide.cols()});
  write(folder / "tri.pkl", triangles.finish());
  const MorphableModel model = readTddfaModel(folder / "bfm_noneck_v3.pkl");
  CHECK(model.id == "3ddfa-v2");
  checkShape(model, face);
  checkLandmarks(model, face);

  PickleWriter beyond(2, true);
  beyond.uint32s((wide.array() + v).matrix(), {3, wide.cols()});
  write(folder / "tri.pkl", beyond.finish());
  CHECK(holds(errorOf([&] { readTddfaModel(folder / "bfm_noneck_v3.pkl"); }), "tri.pkl: holds"));
}

TEST_CASE("3DDFA: the first version's folder of arrays") {
  const Face face;
  const test::TemporaryFolder folder("3ddfa-v1");
  const Eigen::MatrixXf mean = flat(face.mean).cast<float>() * 1000;
  write(folder / "u_shp.npy", npy(mean * 0.75F));
  write(folder / "u_exp.npy", npy(mean * 0.25F));
  write(folder / "w_shp_sim.npy", npy(face.identity.cast<float>() * 1000));
  CHECK(holds(errorOf([&] { readTddfaModel(folder.path()); }), "it has no w_exp_sim.npy"));
  write(folder / "w_exp_sim.npy", npy(face.expression.cast<float>() * 1000));
  CHECK(holds(errorOf([&] { readTddfaModel(folder.path()); }), "tri.mat"));
  PickleWriter triangles(4);
  triangles.uint32s(face.triangles, {face.triangles.rows(), 3});
  write(folder / "tri.pkl", triangles.finish());
  const MorphableModel model = readTddfaModel(folder.path());
  CHECK(model.id == "3ddfa-v1");
  checkShape(model, face);
}

TEST_CASE("FaceVerse and 3DDFA: broken files are refused with the place; cut ones are errors") {
  const Face face;
  const auto errorWith = [&](const std::string& key, const std::function<void(PickleWriter&)>& value) {
    PickleWriter writer(2);
    Values values = faceVerse(writer, face, 10, true);
    for (auto& [name, write_value] : values) {
      if (name == key) write_value = [&] { value(writer); };
    }
    return errorOf([&] { readFaceVerse(npyOfDict(writer, values)); });
  };
  CHECK(holds(errorWith("tri",
                        [](PickleWriter& w) {
                          w.uint32s(Eigen::Vector3d(0, 1, 143), {1, 3});
                        }),
              "faceverse.npy: tri: holds 143"));
  CHECK(holds(errorWith("idBase",
                        [](PickleWriter& w) {
                          w.doubles(Eigen::MatrixXd::Zero(6, 2), {6, 2});
                        }),
              "idBase: is 6 x 2, expected 429 x any"));
  CHECK(holds(
      errorWith("meanshape", [](PickleWriter& w) { w.doubles(Eigen::VectorXd::Constant(429, NAN), {429}); }),
      "meanshape: holds a value that is not finite"));
  CHECK(holds(errorWith("keypoints", [](PickleWriter& w) { w.integer(-1); }), "keypoints: holds -1"));
  CHECK(holds(errorWith("exp_name_list", [](PickleWriter& w) { w.integer(3); }),
              "exp_name_list: is an integer"));

  PickleWriter writer(4);
  const std::vector<std::uint8_t> whole = npyOfDict(writer, faceVerse(writer, face, 10, true));
  REQUIRE(errorOf([&] { readFaceVerse(whole); }).empty());
  for (std::size_t size = 0; size < whole.size(); size += 1024) {
    CAPTURE(size);
    const std::vector<std::uint8_t> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_FALSE(errorOf([&] { readFaceVerse(cut); }).empty());
  }
}
