#include "core/io/bfm_model.h"

#include <doctest/doctest.h>

#include <cstring>
#include <sstream>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/mat_writer.h"
#include "core/io/model_io.h"
#include "tests/core/io/bfm_content.h"
#include "tests/data.h"
#include "tests/memory.h"

using namespace facet;
using Bytes = MatWriter::Bytes;
namespace fs = std::filesystem;

namespace {

constexpr float kTolerance_mm = 1e-3F;  // some 100 mm in float, twice converted

void save(const fs::path& path, const Bytes& bytes) { writeBytes(path, bytes.data(), bytes.size()); }

float difference(const Points3& a, const Points3& b) {
  REQUIRE(a.rows() == b.rows());
  return (a - b).cwiseAbs().maxCoeff();
}

float difference(const Basis& a, const Basis& b) {
  REQUIRE(a.rows() == b.rows());
  REQUIRE(a.cols() == b.cols());
  return (a.dense() - b.dense()).cwiseAbs().maxCoeff();
}

bool hasNote(const MorphableModel& model, const std::string& part) {
  for (const std::string& note : model.reader_notes) {
    if (note.find(part) != std::string::npos) return true;
  }
  return false;
}

// The complaint of the reader; it must be a model error that starts with the file.
std::string complaintAbout(const Bytes& file, const fs::path& path) {
  try {
    bfmModelFrom(file, path);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
    const std::string what = error.what();
    CHECK(what.find(path.string() + ": ") == 0);
    CHECK(what.find('\n') == std::string::npos);
    return what;
  }
  return "";
}

void checkTruncation(const Bytes& whole) {
  for (std::size_t size = 0; size < whole.size(); size += 1024) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    CHECK_MESSAGE(complaintAbout(cut, "cut.mat") != "", "cut to " << size);
  }
}

// Micrometres, standard deviations, wound inwards, colours of 0 to 255.
MatWriter bfm2009File(const MorphableModel& source, bool compress = false, bool big_endian = false,
                      MatWriter::Storage storage = MatWriter::kSingle) {
  const test::Modes shape = test::normalized(source.identity, 1000);
  const test::Modes colour = test::normalized(Basis(test::displayModes(source)), 1);
  MatWriter writer(compress, big_endian);
  writer.add("shapeMU", 1000 * test::flat(source.mean), storage);
  writer.add("shapePC", shape.basis, storage);
  writer.add("shapeEV", shape.deviation, storage);
  writer.add("texMU", test::flat(test::displayColours(source)), storage);
  writer.add("texPC", colour.basis, storage);
  writer.add("texEV", colour.deviation, storage);
  writer.add("tl", test::oneBased(source.triangles, true), MatWriter::kInt32);
  return writer;
}

MatWriter deep3dFile(const MorphableModel& source) {
  MatWriter writer;
  const Points3 shifted = source.mean.rowwise() + Eigen::RowVector3f(10, -20, 30);
  writer.add("meanshape", 0.01F * test::flat(shifted).transpose());
  writer.add("idBase", 0.01F * source.identity.dense());
  writer.add("exBase", 0.01F * source.expression.dense());
  writer.add("meantex", test::flat(test::displayColours(source)).transpose());
  writer.add("texBase", test::displayModes(source));
  writer.add("tri", test::oneBased(source.triangles, false), MatWriter::kUint16);
  writer.add("keypoints", test::oneBased(test::landmarkVertices(source)).transpose(), MatWriter::kUint16);
  return writer;
}

MatWriter face3dFile(const MorphableModel& source, bool compress) {
  const test::Modes shape = test::normalized(source.identity, 1000),
                    expression = test::normalized(source.expression, 1000);
  const test::Modes colour = test::normalized(Basis(test::displayModes(source)), 1);
  const Eigen::VectorXf offset = Eigen::VectorXf::LinSpaced(3 * source.numVertices(), -2000, 3000);
  MatWriter writer(compress);
  writer.addStruct("model",
                   {{"shapeMU", writer.array("", 1000 * test::flat(source.mean) - offset)},
                    {"shapePC", writer.array("", shape.basis, MatWriter::kDouble)},
                    {"shapeEV", writer.array("", shape.deviation, MatWriter::kDouble)},
                    {"expMU", writer.array("", offset)},
                    {"expPC", writer.array("", expression.basis)},
                    {"expEV", writer.array("", expression.deviation)},
                    {"texMU", writer.array("", test::flat(test::displayColours(source)))},
                    {"texPC", writer.array("", colour.basis)},
                    {"texEV", writer.array("", colour.deviation)},
                    {"tri", writer.array("", test::oneBased(source.triangles, true), MatWriter::kDouble)},
                    {"tri_mouth", writer.array("", Eigen::MatrixXf::Ones(4, 3), MatWriter::kUint8)},
                    {"kpt_ind", writer.array("", test::oneBased(test::landmarkVertices(source)).transpose(),
                                             MatWriter::kInt32)}});
  return writer;
}

void checkLandmarks(const MorphableModel& model, const MorphableModel& source) {
  REQUIRE(model.landmarks68.size() == 68);
  const Points3 points = model.landmarks68.points(model.mean, model.triangles);
  const std::vector<std::int32_t> vertices = test::landmarkVertices(source);
  const Eigen::RowVector3f moved = model.mean.row(0) - source.mean.row(0);
  for (int i = 0; i < 68; ++i)
    CHECK((points.row(i) - source.mean.row(vertices[static_cast<std::size_t>(i)]) - moved).norm() <
          kTolerance_mm);
}

// Writes the content by h5py; false where there is none.
bool writeByH5py(const test::TemporaryFolder& folder, const std::string& name,
                 const test::H5Content& content) {
  std::ostringstream code;
  code << "import h5py, numpy as n\nf = h5py.File('" << (folder / name).string() << "', 'w')\n";
  const auto dump = [&](const std::map<std::string, Eigen::MatrixXf>& arrays, const char* type) {
    int i = 0;
    for (const auto& [key, values] : arrays) {
      const fs::path raw = folder / (std::string(type + 1) + std::to_string(i++) + ".raw");
      writeBytes(raw, values.data(), 4 * static_cast<std::size_t>(values.size()));
      code << "a = n.fromfile('" << raw.string() << "', '<f4').reshape(" << values.cols() << ", "
           << values.rows() << ").T.astype('" << type << "')\nf['" << key
           << "'] = a[:, 0] if a.shape[1] == 1 else a\n";
    }
  };
  dump(content.floats, "<f4");
  dump(content.integers, "<i4");
  for (const auto& [key, text] : content.texts) code << "f['" << key << "'] = '''" << text << "'''\n";
  code << "f.close()\n";
  writeText(folder / "write.py", code.str());
  if (std::system(("/usr/bin/python3 " + (folder / "write.py").string() + " 2>/dev/null").c_str()) == 0)
    return true;
  MESSAGE("skipped: no python3 with h5py");
  return false;
}

// The synthetic model with as many vertices as a published one; the added ones are in no triangle.
MorphableModel padded(const MorphableModel& source, int num_vertices) {
  const auto grow = [num_vertices](const Eigen::MatrixXf& m) {
    Eigen::MatrixXf grown = Eigen::MatrixXf::Constant(3 * num_vertices, m.cols(), 0.01F);
    grown.topRows(m.rows()) = m;
    return grown;
  };
  MorphableModel model = source;
  model.mean.conservativeResize(num_vertices, 3);
  model.mean.bottomRows(num_vertices - source.numVertices()).setZero();
  model.albedo_mean = Points3::Constant(num_vertices, 3, 0.5F);
  model.identity = grow(source.identity.dense());
  model.expression = grow(source.expression.dense());
  model.albedo = grow(source.albedo.dense());
  return model;
}

}  // namespace

TEST_CASE("BFM 2009: micrometres, standard deviations and inward triangles become facet's model") {
  const MorphableModel source = makeSyntheticModel(1);
  const test::TemporaryFolder folder("bfm");
  for (const bool compress : {false, true}) {
    for (const bool big_endian : {false, true}) {
      const auto storage = big_endian ? MatWriter::kDouble : MatWriter::kSingle;
      save(folder / "any_name.bin", bfm2009File(source, compress, big_endian, storage).bytes());
      const MorphableModel model = loadModel(folder / "any_name.bin");
      CHECK(model.id == "bfm-2009");
      CHECK(model.licence.find("non-commercial") != std::string::npos);
      CHECK(model.source.find("https://faces.dmi.unibas.ch/") == 0);
      CHECK(difference(model.mean, source.mean) < kTolerance_mm);
      CHECK(difference(model.identity, source.identity) < kTolerance_mm);
      CHECK(model.triangles == source.triangles);
      CHECK(difference(model.albedo_mean, source.albedo_mean) < 1e-4F);
      CHECK(test::colourModeError(model, test::displayColours(source), test::displayModes(source)) < 1e-3F);
      CHECK(model.numExpression() == 0);
      CHECK(hasNote(model, "has no expressions: put Exp_Pca.bin, std_exp.txt, BFM_exp_idx.mat beside it"));
      CHECK(hasNote(model, "stored in micrometres"));
      CHECK(hasNote(model, "wound inwards"));
    }
  }
}

TEST_CASE(
    "BFM 2009: with the expression files beside it the model is trimmed and has expressions and landmarks") {
  const MorphableModel source = makeSyntheticModel(1);
  const test::TemporaryFolder folder("bfm");
  const fs::path path = folder / "01_MorphableModel.mat";
  save(path, bfm2009File(source).bytes());
  // All vertices but a few that are no landmark, in reversed order.
  const std::vector<std::int32_t> landmarks = test::landmarkVertices(source);
  std::vector<std::int32_t> kept;
  for (int v = source.numVertices(); v-- > 0;) {
    const bool is_landmark = std::find(landmarks.begin(), landmarks.end(), v) != landmarks.end();
    if (is_landmark || v % 9 != 0) kept.push_back(v);
  }
  MatWriter table;
  table.add("trimIndex", test::oneBased(kept), MatWriter::kUint16);
  save(folder / "BFM_exp_idx.mat", table.bytes());

  const std::int32_t count = source.numExpression();
  std::vector<float> numbers(3 * kept.size(), 123);  // the mean expression, which is not used
  std::ostringstream deviations;
  for (int k = 0; k < count; ++k) {
    const float sigma = 0.5F + static_cast<float>(k);
    deviations << sigma << '\n';
    for (const std::int32_t v : kept) {
      for (int c = 0; c < 3; ++c) numbers.push_back(1000 * source.expression(3 * v + c, k) / sigma);
    }
  }
  Bytes file(4 + 4 * numbers.size());
  std::memcpy(file.data(), &count, 4);
  std::memcpy(file.data() + 4, numbers.data(), 4 * numbers.size());
  save(folder / "Exp_Pca.bin", file);
  writeText(folder / "std_exp.txt", deviations.str());

  // The front face: every kept vertex, again reversed; landmarks count within it.
  std::vector<std::int32_t> front, keypoints;
  for (std::size_t i = kept.size(); i-- > 0;) front.push_back(static_cast<std::int32_t>(i));
  for (const std::int32_t v : landmarks) {
    const auto in_kept = std::find(kept.begin(), kept.end(), v) - kept.begin();
    keypoints.push_back(static_cast<std::int32_t>(kept.size()) - 1 - static_cast<std::int32_t>(in_kept));
  }
  MatWriter front_table, info;
  front_table.add("idx", test::oneBased(front), MatWriter::kInt32);
  info.add("keypoints", test::oneBased(keypoints).transpose(), MatWriter::kUint16);
  save(folder / "BFM_front_idx.mat", front_table.bytes());
  save(folder / "facemodel_info.mat", info.bytes());

  const MorphableModel model = loadModel(path);
  REQUIRE(model.numVertices() == static_cast<int>(kept.size()));
  REQUIRE(model.numExpression() == count);
  CHECK(model.num_blendshapes == 0);
  const auto num_kept = static_cast<Eigen::Index>(kept.size());
  for (Eigen::Index v = 0; v < num_kept; v += 7) {
    const std::int32_t from = kept[static_cast<std::size_t>(v)];
    CHECK((model.mean.row(v) - source.mean.row(from)).norm() < kTolerance_mm);
    CHECK((model.identity.vertex(v) - source.identity.vertex(from)).norm() < kTolerance_mm);
    CHECK((model.expression.vertex(v) - source.expression.vertex(from)).norm() < kTolerance_mm);
  }
  int whole_triangles = 0;
  for (Eigen::Index f = 0; f < source.triangles.rows(); ++f) {
    bool whole = true;
    for (int c = 0; c < 3; ++c)
      whole = whole && std::find(kept.begin(), kept.end(), source.triangles(f, c)) != kept.end();
    whole_triangles += whole;
  }
  CHECK(model.triangles.rows() == whole_triangles);
  REQUIRE(model.landmarks68.size() == 68);
  const Points3 points = model.landmarks68.points(model.mean, model.triangles);
  for (int i = 0; i < 68; ++i)
    CHECK((points.row(i) - source.mean.row(landmarks[static_cast<std::size_t>(i)])).norm() < kTolerance_mm);

  // One number short.
  file.resize(file.size() - 4);
  save(folder / "Exp_Pca.bin", file);
  CHECK_THROWS_WITH_AS(loadModel(path), doctest::Contains("its companion Exp_Pca.bin has"), Error);
}

TEST_CASE("Deep3D: pre-scaled decimetres become millimetres about the origin, with landmarks") {
  const MorphableModel source = makeSyntheticModel(2);
  const Bytes file = deep3dFile(source).bytes();
  const MorphableModel model = bfmModelFrom(file, "BFM_model_front.mat");
  CHECK(model.id == "bfm-2009-front");
  CHECK(model.mean.colwise().mean().norm() < 1e-3F);
  const Eigen::RowVector3f moved = model.mean.row(0) - source.mean.row(0);
  CHECK(difference(model.mean.rowwise() - moved, source.mean) < kTolerance_mm);
  CHECK(difference(model.identity, source.identity) < kTolerance_mm);
  CHECK(difference(model.expression, source.expression) < kTolerance_mm);
  CHECK(model.triangles == source.triangles);
  CHECK_FALSE(hasNote(model, "wound inwards"));
  CHECK(model.numAlbedo() == source.numAlbedo());
  checkLandmarks(model, source);
}

TEST_CASE("face3d: shape and expression means add up; texture coordinates come from the file beside") {
  const MorphableModel source = makeSyntheticModel(3);
  const test::TemporaryFolder folder("bfm");
  for (const bool compress : {false, true}) {
    save(folder / "BFM.mat", face3dFile(source, compress).bytes());
    const MorphableModel model = loadModel(folder / "BFM.mat");
    CHECK(model.id == "face3d-bfm");
    CHECK(difference(model.mean, source.mean) < kTolerance_mm);
    CHECK(difference(model.identity, source.identity) < kTolerance_mm);
    CHECK(difference(model.expression, source.expression) < kTolerance_mm);
    CHECK(model.triangles == source.triangles);
    CHECK(model.uv.rows() == (compress ? source.numVertices() : 0));
    checkLandmarks(model, source);
    // The second round finds these.
    Eigen::MatrixXf uv = Eigen::MatrixXf::Random(source.numVertices(), 2).cwiseAbs();
    MatWriter writer;
    writer.add("UV", uv, MatWriter::kDouble);
    save(folder / "BFM_UV.mat", writer.bytes());
    if (compress) CHECK(model.uv_triangles == model.triangles);
  }
}

TEST_CASE(
    "BFM 2017 by h5py: variances become standard deviations, both means add up, display colours linear "
    "ones") {
  const MorphableModel source = makeSyntheticModel(4);
  const test::TemporaryFolder folder("bfm");
  const test::H5Content content = test::bfm2017Content(source);
  if (!writeByH5py(folder, "model.h5", content)) return;
  const MorphableModel model = loadModel(folder / "model.h5");
  CHECK(model.id == "scalismo-" + std::to_string(source.numVertices()));
  CHECK(difference(model.mean, source.mean) < kTolerance_mm);
  CHECK(difference(model.identity, source.identity) < kTolerance_mm);
  CHECK(difference(model.expression, source.expression) < kTolerance_mm);
  CHECK(model.triangles == source.triangles);
  CHECK(difference(model.albedo_mean, source.albedo_mean) < 1e-4F);
  CHECK(test::colourModeError(model, test::displayColours(source), test::displayModes(source)) < 1e-3F);
  checkLandmarks(model, source);
  CHECK_FALSE(hasNote(model, "taken to be in"));

  // The same file in metres, without the unit being written anywhere.
  test::H5Content metres = content;
  for (const char* group : {"shape/model/", "expression/model/"}) {
    metres.floats[group + std::string("mean")] /= 1000;
    metres.floats[group + std::string("pcaVariance")] /= 1e6F;
  }
  REQUIRE(writeByH5py(folder, "metres.h5", metres));
  const MorphableModel in_metres = loadModel(folder / "metres.h5");
  CHECK(hasNote(in_metres, "taken to be in metres"));
  CHECK(difference(in_metres.mean, source.mean) < kTolerance_mm);
  CHECK(difference(in_metres.identity, source.identity) < kTolerance_mm);

  // Modes that carry their standard deviation already, as statismo 0.8 wrote them.
  test::H5Content scaled = content;
  scaled.floats["shape/model/pcaBasis"] = source.identity.dense();
  REQUIRE(writeByH5py(folder, "scaled.h5", scaled));
  const MorphableModel prescaled = loadModel(folder / "scaled.h5");
  CHECK(hasNote(prescaled, "scaled already"));
  CHECK(difference(prescaled.identity, source.identity) < kTolerance_mm);
}

TEST_CASE("BFM 2019 face12 and the albedo model of 2020 find each other in one folder") {
  const MorphableModel source = padded(makeSyntheticModel(5, 2, 2, 2), 27657);
  const test::TemporaryFolder folder("bfm");
  if (!writeByH5py(folder, "model2019_face12.h5", test::bfm2017Content(source))) return;
  CHECK(loadModel(folder / "model2019_face12.h5").id == "bfm-2019-face12");
  CHECK(loadModel(folder / "model2019_face12.h5").specular.cols() == 0);
  test::H5Content albedo;
  const Eigen::VectorXf diffuse = Eigen::VectorXf::LinSpaced(3 * 27657, 0.1F, 0.7F), specular = diffuse / 2;
  test::addPart("diffuseAlbedo", diffuse, source.identity, albedo);
  test::addPart("specularAlbedo", specular, source.expression, albedo);
  REQUIRE(writeByH5py(folder, "albedoModel2020_face12_albedoPart.h5", albedo));
  for (const char* name : {"model2019_face12.h5", "albedoModel2020_face12_albedoPart.h5"}) {
    const MorphableModel model = loadModel(folder / name);
    CHECK(model.id == "bfm-2019-face12");
    CHECK(difference(model.mean, source.mean) < kTolerance_mm);
    CHECK((test::flat(model.albedo_mean) - diffuse).cwiseAbs().maxCoeff() < 1e-6F);  // linear already
    CHECK((test::flat(model.specular_mean) - specular).cwiseAbs().maxCoeff() < 1e-6F);
    CHECK(difference(model.albedo, source.identity) < kTolerance_mm);
    CHECK(difference(model.specular, source.expression) < kTolerance_mm);
  }
  fs::remove(folder / "model2019_face12.h5");
  CHECK_THROWS_WITH_AS(loadModel(folder / "albedoModel2020_face12_albedoPart.h5"),
                       doctest::Contains("put model2019_face12.h5 beside it"), Error);
}

TEST_CASE("Basel models: wrong arrays are refused by name") {
  const MorphableModel source = makeSyntheticModel(6);
  const auto changed = [&source](const std::string& name, const Eigen::MatrixXf& values) {
    MatWriter writer = bfm2009File(source);
    writer.add(name, values);  // the last of one name counts
    return complaintAbout(writer.bytes(), "model.mat");
  };
  Eigen::MatrixXf bad = test::oneBased(source.triangles, true);
  bad(5, 1) = 0;
  CHECK(changed("tl", bad).find("\"tl\" holds the index 0; expected 1 to") != std::string::npos);
  bad(5, 1) = static_cast<float>(source.numVertices() + 1);
  CHECK(changed("tl", bad).find("\"tl\" holds the index " + std::to_string(source.numVertices() + 1)) !=
        std::string::npos);
  bad(5, 1) = 2.5F;
  CHECK(changed("tl", bad).find("2.5") != std::string::npos);
  bad(5, 1) = std::nanf("");
  CHECK(changed("tl", bad).find("\"tl\" holds the index") != std::string::npos);
  CHECK(changed("tl", Eigen::MatrixXf::Ones(8, 4)).find("\"tl\" is 8 x 4") != std::string::npos);
  bad = 1000 * test::flat(source.mean);
  bad(7) = std::nanf("");
  CHECK(changed("shapeMU", bad).find("\"shapeMU\" holds a value that is not finite") != std::string::npos);
  CHECK(changed("shapePC", Eigen::MatrixXf::Ones(9, 3)).find("\"shapePC\" is 9 x 3; expected") !=
        std::string::npos);
  CHECK(changed("shapeEV", Eigen::MatrixXf::Ones(2, 1)).find("10 modes but 2 standard deviations") !=
        std::string::npos);
  bad = Eigen::MatrixXf::Constant(10, 1, std::numeric_limits<float>::infinity());
  CHECK(changed("shapeEV", bad).find("\"shapePC\" or its standard deviations") != std::string::npos);
  CHECK(changed("texMU", Eigen::MatrixXf::Ones(9, 1)).find("\"texMU\" has 3 colours") != std::string::npos);

  MatWriter missing;
  missing.add("shapeMU", Eigen::VectorXf::LinSpaced(9, 0, 200'000));
  missing.add("shapePC", Eigen::MatrixXf::Ones(9, 1));
  CHECK(complaintAbout(missing.bytes(), "model.mat").find("has no \"tl\"") != std::string::npos);
  MatWriter other;
  other.add("something", Eigen::MatrixXf::Ones(2, 2));
  CHECK(complaintAbout(other.bytes(), "model.mat").find("it holds something; expected") != std::string::npos);
  MatWriter companion;
  companion.add("trimIndex", Eigen::MatrixXf::Ones(2, 1));
  CHECK(complaintAbout(companion.bytes(), "BFM_exp_idx.mat").find("is a companion of a Basel model") !=
        std::string::npos);

  const test::TemporaryFolder folder("bfm");
  writeText(folder / "01_MorphableModel.mat", "<!DOCTYPE html><html><body>Please log in</body></html>");
  CHECK_THROWS_WITH_AS(loadModel(folder / "01_MorphableModel.mat"), doctest::Contains("web page"), Error);
  try {
    loadModel(folder / "absent.mat");
    FAIL("no such file was read");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::kModel);
  }
}

TEST_CASE(
    "Basel models: another unit than the usual one is recognised, a face of an impossible size refused") {
  MorphableModel source = makeSyntheticModel(6);
  source.mean *= 30;  // 6.6 m: no usual unit makes a face of it
  CHECK(complaintAbout(bfm2009File(source).bytes(), "model.mat").find("which is no face in any unit") !=
        std::string::npos);
  source.mean /= 30 * 1000;
  CHECK(hasNote(bfmModelFrom(bfm2009File(source).bytes(), "model.mat"), "taken to be in millimetres"));
}

TEST_CASE("Basel models: files cut off at any KiB are refused, within the file's size of memory") {
  const MorphableModel source = makeSyntheticModel(7, 4, 3, 2);
  checkTruncation(bfm2009File(source).bytes());
  checkTruncation(bfm2009File(source, true).bytes());
  checkTruncation(deep3dFile(source).bytes());
  checkTruncation(face3dFile(source, false).bytes());
  checkTruncation(face3dFile(source, true).bytes());
  const test::TemporaryFolder folder("bfm");
  if (writeByH5py(folder, "model.h5", test::bfm2017Content(source)))
    checkTruncation(readBytes(folder / "model.h5"));

  // A file large enough for its memory to be seen.
  const Bytes large = bfm2009File(makeSyntheticModel(7, 600, 3, 600)).bytes();
  const Bytes cut(large.begin(), large.end() - 1024);
  const auto peak = test::peakMemory([&] { CHECK(complaintAbout(cut, "cut.mat") != ""); });
  if (peak) CHECK(*peak < large.size());  // beside the file itself
}
