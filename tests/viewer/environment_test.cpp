#include "viewer/environment.h"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>

#include "core/error.h"
#include "core/io/image_io.h"
#include "tests/data.h"

using namespace facet;

TEST_CASE("environment: the same light from all around shades to one, however rough the surface") {
  const Environment environment = environmentFrom(ImageF(128, 64, 3, 3.0F), "even");
  const Eigen::Matrix<float, 9, 3> expected = SphericalHarmonicsLight::ambient(1);
  CHECK((environment.diffuse.coefficients - expected).cwiseAbs().maxCoeff() < 0.01F);
  REQUIRE(environment.by_roughness.size() >= 4);
  for (const ImageF& level : environment.by_roughness) {
    for (std::size_t i = 0; i < level.size(); ++i)
      REQUIRE(level.data()[i] == doctest::Approx(1).epsilon(1e-3));
  }
}

TEST_CASE("environment: a bright spot lights what faces it, mirrored sharply or widely by roughness") {
  ImageF panorama(256, 128, 3, 0.01F);
  for (int y = 58; y < 70; ++y) {
    for (int x = 186; x < 198; ++x) std::fill_n(panorama.at(x, y), 3, 50.0F);
  }
  const Environment environment = environmentFrom(panorama, "spot");  // at +X, a quarter right of -Z
  const Eigen::Vector3f right = environment.diffuse.shading({1, 0, 0});
  CHECK(right.x() > 2 * environment.diffuse.shading({0, 1, 0}).x());
  CHECK(right.x() > 4 * std::abs(environment.diffuse.shading({-1, 0, 0}).x()));
  float brightest = 1e9F;
  for (const ImageF& level : environment.by_roughness) {
    const float here = level.at(level.width() * 3 / 4, level.height() / 2)[0];
    CHECK(here < brightest);
    brightest = here;
  }
  // A mirror does not blur; at roughness 1 the lobe is the cosine.
  const ImageF &mirror = environment.by_roughness.front(), &rough = environment.by_roughness.back();
  CHECK(mirror.at(mirror.width() * 5 / 8, mirror.height() / 2)[0] <
        0.01F * mirror.at(mirror.width() * 3 / 4, mirror.height() / 2)[0]);
  const auto angle_from_spot = [&](int column) {
    return static_cast<float>(2 * M_PI * ((column + 0.5) / rough.width() - 191.5 / 256));
  };
  const int at_spot = rough.width() * 3 / 4, aside = rough.width() * 5 / 8, row = rough.height() / 2;
  CHECK(rough.at(at_spot, row)[0] / rough.at(aside, row)[0] ==
        doctest::Approx(std::cos(angle_from_spot(at_spot)) / std::cos(angle_from_spot(aside))).epsilon(0.03));
}

TEST_CASE("environment: Radiance and EXR files hold the same light") {
  const test::TemporaryFolder folder("environment");
  ImageF panorama(16, 8, 3, 0.5F);
  panorama.at(12, 4)[0] = 8;
  writeExr(folder / "light.exr", panorama);
  // Uncompressed RGBE: mantissas of 8 bits and the exponent plus 128.
  std::ofstream file(folder / "light.hdr", std::ios::binary);
  file << "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 8 +X 16\n";
  for (int i = 0; i < 16 * 8; ++i) {
    const bool is_bright = i == 4 * 16 + 12;
    const unsigned char pixel[4] = {
        static_cast<unsigned char>(is_bright ? 128 : 128), static_cast<unsigned char>(is_bright ? 8 : 128),
        static_cast<unsigned char>(is_bright ? 8 : 128), static_cast<unsigned char>(is_bright ? 132 : 128)};
    file.write(reinterpret_cast<const char*>(pixel), 4);
  }
  file.close();
  const ImageF read = readRadiance(folder / "light.hdr");
  CHECK(read.at(12, 4)[0] == doctest::Approx(8).epsilon(0.02));
  CHECK(read.at(3, 3)[1] == doctest::Approx(0.5).epsilon(0.02));
  const Environment from_exr = readEnvironment(folder / "light.exr"),
                    from_hdr = readEnvironment(folder / "light.hdr");
  CHECK(from_exr.name == "light");
  CHECK((from_exr.diffuse.coefficients - from_hdr.diffuse.coefficients).cwiseAbs().maxCoeff() < 0.05F);
}

TEST_CASE("environment: files that give no light are refused by name") {
  const test::TemporaryFolder folder("environment");
  const auto refused = [&](const std::string& name, const char* why) {
    CAPTURE(name);
    CHECK_THROWS_WITH_AS(readEnvironment(folder / name), doctest::Contains(why), Error);
    CHECK_THROWS_WITH_AS(readEnvironment(folder / name), doctest::Contains(name.c_str()), Error);
  };
  writeExr(folder / "square.exr", ImageF(8, 8, 3, 1));
  refused("square.exr", "twice as wide");
  writeExr(folder / "black.exr", ImageF(8, 4, 3, 0));
  refused("black.exr", "black");
  writeExr(folder / "dark.exr", ImageF(8, 4, 3, -1));
  refused("dark.exr", "no light");
  std::ofstream(folder / "text.hdr") << "hello";
  refused("text.hdr", "Radiance");
  std::ofstream(folder / "huge.hdr") << "#?RADIANCE\n\n-Y 500000 +X 1000000\n";
  refused("huge.hdr", "limit");
  std::ofstream(folder / "cut.hdr") << "#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 64 +X 128\nab";
  refused("cut.hdr", "damaged");
  refused("photo.jpg", "no panorama");
  refused("missing.hdr", "missing.hdr");
}

TEST_CASE("environment: photographed panoramas are ready at once") {
  const auto data = test::realData();
  if (!data || !std::filesystem::is_directory(*data / "env_hdr")) {
    MESSAGE("skipped: no real test data");
    return;
  }
  for (const auto& entry : std::filesystem::directory_iterator(*data / "env_hdr")) {
    if (entry.path().extension() != ".hdr") continue;
    const auto start = std::chrono::steady_clock::now();
    const Environment environment = readEnvironment(entry.path());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    MESSAGE(environment.name, ": ", seconds, " s");
    float brightest = 0;
    const Points3 directions = sphereDirections(2000);
    for (Eigen::Index i = 0; i < directions.rows(); ++i) {
      const Eigen::Vector3f shading = environment.diffuse.shading(directions.row(i).transpose());
      brightest = std::max(brightest, shading.dot(Eigen::Vector3f(0.2126F, 0.7152F, 0.0722F)));
    }
    CHECK(brightest == doctest::Approx(1).epsilon(0.02));
    CHECK(seconds < 5);
  }
}
