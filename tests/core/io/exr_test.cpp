#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/io/files.h"
#include "core/io/image_io.h"
#include "tests/data.h"

using namespace facet;

TEST_CASE("EXR: float images of 1, 3 and 4 channels come back exactly, with the rows in order") {
  const test::TemporaryFolder folder("exr");
  for (const int channels : {1, 3, 4}) {
    ImageF image(37, 19, channels);
    for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = std::sin(static_cast<float>(i)) * 1e4F;
    writeExr(folder / "a.exr", image);
    const ImageF back = readExr(folder / "a.exr");
    CHECK(back.width() == 37);
    CHECK(back.height() == 19);
    REQUIRE(back.channels() == channels);
    CHECK(std::equal(image.data(), image.data() + image.size(), back.data()));
  }
}

TEST_CASE("EXR: a file that is none and one that is cut are input errors") {
  const test::TemporaryFolder folder("exr");
  writeText(folder / "a.exr", "not an image at all");
  CHECK_THROWS_AS(readExr(folder / "a.exr"), Error);
  writeExr(folder / "a.exr", ImageF(64, 64, 3, 1.5F));
  const std::string good = readText(folder / "a.exr");
  writeText(folder / "a.exr", good.substr(0, good.size() / 2));
  CHECK_THROWS_AS(readExr(folder / "a.exr"), Error);
}
