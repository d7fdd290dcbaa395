#include "core/io/eos_model.h"
#include "core/io/model_io.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/core/io/bfm_content.h"
#include "tests/data.h"

using namespace facet;
using Bytes = std::vector<std::uint8_t>;
namespace fs = std::filesystem;

namespace {

constexpr float kTolerance_mm = 1e-3F;

// cereal's binary archive, written by hand.
class CerealWriter {
 public:
  template <typename T>
  void number(T value) {
    std::uint8_t raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes.insert(bytes.end(), raw, raw + sizeof(T));
  }
  void matrix(const Eigen::MatrixXf& values) {
    number<std::int32_t>(static_cast<std::int32_t>(values.rows()));
    number<std::int32_t>(static_cast<std::int32_t>(values.cols()));
    for (Eigen::Index i = 0; i < values.size(); ++i) number(values.data()[i]);
  }
  void triangles(const Triangles& values) {
    number<std::uint64_t>(static_cast<std::uint64_t>(values.rows()));
    for (Eigen::Index i = 0; i < values.size(); ++i) number<std::int32_t>(values.data()[i]);
  }
  void text(const std::string& value) {
    number<std::uint64_t>(value.size());
    bytes.insert(bytes.end(), value.begin(), value.end());
  }
  void pca(const Eigen::VectorXf& mean, const Basis& modes, const Triangles& mesh) {
    const test::Modes parts = test::normalized(modes, 1);
    matrix(mean);
    matrix(parts.basis);
    matrix(parts.deviation.cwiseAbs2());
    triangles(mesh);
  }
  void emptyPca() {
    for (int i = 0; i < 3; ++i) matrix(Eigen::MatrixXf(0, 0));
    triangles({});
  }
  void blendshapes(const MorphableModel& model) {
    number<std::uint64_t>(static_cast<std::uint64_t>(model.numExpression()));
    for (int k = 0; k < model.numExpression(); ++k) {
      text(model.expression_names[static_cast<std::size_t>(k)]);
      matrix(model.expression.col(k));
    }
  }
  void uv(const Points2& values) {
    number<std::uint64_t>(static_cast<std::uint64_t>(values.rows()));
    for (Eigen::Index i = 0; i < values.rows(); ++i) {
      number<double>(values(i, 0));
      number<double>(1 - values(i, 1));  // from the top
    }
  }
  Bytes bytes;
};

// One texture coordinate per vertex, as versions below 4 need it.
Points2 vertexUv(const MorphableModel& model) {
  Points2 uv = Points2::Zero(model.numVertices(), 2);
  for (Eigen::Index f = 0; f < model.triangles.rows(); ++f) {
    for (int c = 0; c < 3; ++c) {
      const std::int32_t vertex = model.triangles(f, c);  // out of range on purpose in one test
      if (vertex >= 0 && vertex < uv.rows()) uv.row(vertex) = model.uv.row(model.uv_triangles(f, c));
    }
  }
  return uv;
}

enum class Expressions { kNone, kPca, kBlendshapes };

Bytes eosFile(const MorphableModel& source, std::uint32_t version, Expressions expressions, bool colours) {
  CerealWriter writer;
  writer.number(version);
  const bool pca = expressions == Expressions::kPca;
  const Eigen::VectorXf offset =
      Eigen::VectorXf::LinSpaced(3 * source.numVertices(), -2, 3) * (pca ? 1.0F : 0.0F);
  writer.pca(test::flat(source.mean) - offset, source.identity, source.triangles);
  if (colours) {
    writer.pca(test::flat(test::displayColours(source)) / 255,
               Basis(Eigen::MatrixXf(test::displayModes(source) / 255)), source.triangles);
  } else {
    writer.emptyPca();
  }
  if (version >= 2) {
    writer.number<std::uint8_t>(expressions == Expressions::kNone);
    if (expressions != Expressions::kNone) writer.number<std::int32_t>(pca ? 0 : 1);
    if (pca) writer.pca(offset, source.expression, source.triangles);
    if (expressions == Expressions::kBlendshapes) writer.blendshapes(source);
  }
  if (version >= 3) {
    writer.number<std::uint8_t>(0);
    writer.number<std::uint64_t>(1);
    writer.text("nose.tip");
    writer.number<std::int32_t>(test::landmarkVertices(source)[30]);
  }
  writer.uv(version >= 4 ? source.uv : vertexUv(source));
  if (version >= 4) writer.triangles(source.uv_triangles);
  return writer.bytes;
}

float difference(const Basis& a, const Basis& b) {
  REQUIRE(a.rows() == b.rows());
  REQUIRE(a.cols() == b.cols());
  return (a.dense() - b.dense()).cwiseAbs().maxCoeff();
}

std::string complaintAbout(const Bytes& file) {
  try {
    eosModelFrom(file, "model.bin");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    const std::string what = error.what();
    CHECK(what.find("model.bin: ") == 0);
    CHECK(what.find('\n') == std::string::npos);
    return what;
  }
  return "";
}

void save(const fs::path& path, const Bytes& bytes) { writeBytes(path, bytes.data(), bytes.size()); }

}  // namespace

TEST_CASE("eos: all four versions, with both kinds of expressions, are read back equal") {
  const MorphableModel source = makeSyntheticModel(1);
  for (std::uint32_t version = 1; version <= 4; ++version) {
    for (const Expressions expressions : {Expressions::kNone, Expressions::kPca, Expressions::kBlendshapes}) {
      if (version == 1 && expressions != Expressions::kNone) continue;
      for (const bool colours : {false, true}) {
        CAPTURE(version);
        const Bytes file = eosFile(source, version, expressions, colours);
        CHECK(isEosModel(file));
        const MorphableModel model = eosModelFrom(file, "model.bin");
        CHECK(model.id == "eos-" + std::to_string(source.numVertices()));
        CHECK((model.mean - source.mean).cwiseAbs().maxCoeff() < kTolerance_mm);
        CHECK(difference(model.identity, source.identity) < kTolerance_mm);
        CHECK(model.triangles == source.triangles);
        CHECK(model.uv_triangles == (version >= 4 ? source.uv_triangles : source.triangles));
        CHECK((model.uv - (version >= 4 ? source.uv : vertexUv(source))).cwiseAbs().maxCoeff() < 1e-6F);
        if (expressions == Expressions::kNone) {
          CHECK(model.numExpression() == 0);
        } else {
          CHECK(difference(model.expression, source.expression) < kTolerance_mm);
          const bool blendshapes = expressions == Expressions::kBlendshapes;
          CHECK(model.num_blendshapes == (blendshapes ? source.numExpression() : 0));
          if (blendshapes) CHECK(model.expression_names == source.expression_names);
        }
        CHECK(model.numAlbedo() == (colours ? source.numAlbedo() : 0));
        if (!colours) continue;
        CHECK((model.albedo_mean - source.albedo_mean).cwiseAbs().maxCoeff() < 1e-4F);
        CHECK(test::colourModeError(model, test::displayColours(source), test::displayModes(source)) < 1e-3F);
      }
    }
  }
}

TEST_CASE("eos: blendshapes, landmarks and jaw line come from the files beside the model") {
  const MorphableModel source = makeSyntheticModel(2);
  const test::TemporaryFolder folder("eos");
  const fs::path path = folder / "head_shape_610.bin";
  save(path, eosFile(source, 3, Expressions::kNone, false));
  CerealWriter shapes;
  shapes.blendshapes(source);
  save(folder / "expression_blendshapes.bin", shapes.bytes);
  MorphableModel model = loadModel(path);
  CHECK(difference(model.expression, source.expression) < kTolerance_mm);
  CHECK(model.expression_names == source.expression_names);
  CHECK(model.landmarks68.size() == 0);

  // Without the jaw but the chin, without the inner corners of the mouth, and one by its name in the model.
  const std::vector<std::int32_t> vertices = test::landmarkVertices(source);
  std::ostringstream mapping;
  mapping << "# a comment\n[landmark_mappings]\n";
  for (int ibug = 9; ibug <= 68; ++ibug) {
    if ((ibug > 9 && ibug < 18) || ibug == 61 || ibug == 65) continue;
    mapping << ibug << " = ";
    if (ibug == 31) {
      mapping << "\"nose.tip\"\n";
    } else {
      mapping << vertices[static_cast<std::size_t>(ibug - 1)] << "  # some point\n";
    }
  }
  mapping << "[contour_landmarks]\nright = [ 1, 2 ]\n";
  writeText(folder / "ibug_to_head.txt", mapping.str());
  writeText(folder / "ibug_to_bfm.txt", "9 = 50000\n");  // of another model in the same folder
  writeText(folder / "bfm_model_contours.json", "{}");
  CHECK(loadModel(path).landmarks68.size() == 0);

  // Outlines of vertices that lie evenly on straight lines to the chin would be found again; here it is
  // enough that the points are on the outlines, in order.
  std::vector<int> right, left;
  std::ostringstream contour;
  for (int i = 0; i < 12; ++i) right.push_back(19 + 32 * i % 300), left.push_back(10 + 32 * i % 300);
  const auto list = [](const std::vector<int>& items) {
    std::ostringstream text;
    for (std::size_t i = 0; i < items.size(); ++i) text << (i ? ", " : "") << items[i];
    return text.str();
  };
  contour << R"({"model_contour": {"right_contour": [)" << list(right) << R"(], "left_contour": [)"
          << list(left) << "]}}";
  writeText(folder / "head_model_contours.json", contour.str());
  model = loadModel(path);
  REQUIRE(model.landmarks68.size() == 68);
  const Points3 points = model.landmarks68.points(model.mean, model.triangles);
  const auto at = [&](int ibug) -> Eigen::RowVector3f { return points.row(ibug - 1); };
  for (int ibug = 9; ibug <= 68; ++ibug) {
    if ((ibug > 9 && ibug < 18) || ibug == 61 || ibug == 65) continue;
    CHECK((at(ibug) - source.mean.row(vertices[static_cast<std::size_t>(ibug - 1)])).norm() < kTolerance_mm);
  }
  CHECK(at(61) == at(49));
  CHECK(at(65) == at(55));
  const auto isOn = [&](const std::vector<int>& outline, const Eigen::RowVector3f& point) {
    for (const int vertex : outline) {
      if ((source.mean.row(vertex) - point).norm() < kTolerance_mm) return true;
    }
    return false;
  };
  for (int i = 0; i < 8; ++i) {
    CHECK(isOn(right, at(1 + i)));
    CHECK(isOn(left, at(17 - i)));
  }
}

TEST_CASE("eos: wrong parts are refused by name") {
  const MorphableModel source = makeSyntheticModel(3);
  MorphableModel bad = source;
  bad.triangles(4, 2) = source.numVertices();
  CHECK(complaintAbout(eosFile(bad, 1, Expressions::kNone, false)).find("its triangles hold the index") !=
        std::string::npos);
  bad = source;
  bad.triangles(4, 2) = -1;
  CHECK(complaintAbout(eosFile(bad, 1, Expressions::kNone, false)).find("hold the index -1") !=
        std::string::npos);
  bad = source;
  bad.mean(3, 1) = std::nanf("");
  CHECK(complaintAbout(eosFile(bad, 1, Expressions::kNone, false)).find("not finite") != std::string::npos);
  bad = source;
  bad.uv_triangles(0, 0) = 1 << 30;
  CHECK(complaintAbout(eosFile(bad, 4, Expressions::kNone, false)).find("texture triangles") !=
        std::string::npos);
  CHECK(complaintAbout(eosFile(source, 5, Expressions::kNone, false)).find("of version 5") !=
        std::string::npos);
  CHECK_FALSE(isEosModel(eosFile(source, 5, Expressions::kNone, false)));
  Bytes longer = eosFile(source, 2, Expressions::kPca, false);
  longer.push_back(0);
  CHECK(complaintAbout(longer).find("1 bytes behind its end") != std::string::npos);
}

TEST_CASE("eos: files that are cut off are refused, damaged ones never crash") {
  const MorphableModel source = makeSyntheticModel(3, 3, 2, 2);
  for (const Expressions expressions : {Expressions::kPca, Expressions::kBlendshapes}) {
    const Bytes whole = eosFile(source, 4, expressions, true);
    for (std::size_t size = 0; size < whole.size(); size += 1024) {
      const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      CHECK_MESSAGE(complaintAbout(cut) != "", "cut to " << size);
      CHECK_NOTHROW(isEosModel(cut));
    }
    std::mt19937 random(1);
    for (int trial = 0; trial < 200; ++trial) {
      Bytes damaged = whole;
      for (int i = 0; i < 20; ++i) damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
      complaintAbout(damaged);
    }
  }
}
