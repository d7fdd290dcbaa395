#include "core/io/landmark_io.h"

#include <doctest/doctest.h>

#include "core/error.h"
#include "core/io/files.h"
#include "tests/data.h"

using namespace facet;

namespace {

std::string ptsText(int count, const std::string& last_point = "1.5 2.25") {
  std::string text = "version: 1\nn_points:  " + std::to_string(count) + "\n{\n";
  for (int i = 0; i + 1 < count; ++i)
    text += std::to_string(10 + i) + ".25 " + std::to_string(100 - i) + "\n";
  return text + last_point + "\n}\n";
}

}  // namespace

TEST_CASE("pts: coordinates become those with the first pixel's centre at (0.5, 0.5)") {
  const test::TemporaryFolder folder("pts");
  writeText(folder / "a.pts", ptsText(68));
  const LandmarkSet landmarks = readPts(folder / "a.pts");
  REQUIRE(landmarks.size() == 68);
  CHECK(landmarks.positions_px.row(0).isApprox(Eigen::RowVector2f(9.75F, 99.5F)));
  CHECK(landmarks.positions_px.row(67).isApprox(Eigen::RowVector2f(1, 1.75F)));
  CHECK(landmarks.sigma_px.size() == 0);
}

TEST_CASE("pts: what is written is read back") {
  const test::TemporaryFolder folder("pts");
  LandmarkSet landmarks;
  landmarks.positions_px = 2000 * Points2::Random(68, 2);
  writePts(folder / "a.pts", landmarks);
  CHECK((readPts(folder / "a.pts").positions_px - landmarks.positions_px).cwiseAbs().maxCoeff() < 1e-3F);
}

TEST_CASE("pts: 67 points, NaN, words and other files are input errors that name the file") {
  const test::TemporaryFolder folder("pts");
  const std::string bad_files[] = {ptsText(67),
                                   ptsText(69),
                                   ptsText(68, "nan 3"),
                                   ptsText(68, "3 x"),
                                   ptsText(68, "3"),
                                   ptsText(68).substr(0, 300),
                                   "",
                                   "hello"};
  for (const std::string& text : bad_files) {
    writeText(folder / "bad.pts", text);
    try {
      readPts(folder / "bad.pts");
      FAIL("read without complaint: ", text);
    } catch (const Error& error) {
      CHECK(error.kind() == ErrorKind::kInput);
      CHECK(std::string(error.what()).find("bad.pts") != std::string::npos);
    }
  }
  // The header may say 68 while the list does not hold them.
  std::string text = ptsText(67);
  text.replace(text.find("67"), 2, "68");
  writeText(folder / "bad.pts", text);
  CHECK_THROWS_WITH_AS(readPts(folder / "bad.pts"), doctest::Contains("67 points"), Error);
}
