#include "render/ops/interpolate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "core/parallel.h"
#include "render/ops/rasterize.h"
#include "tests/render/ops/scalar_reference.h"

namespace facet::ops {
namespace {

using Values = std::vector<float>;

Values randomValues(std::mt19937& random, std::size_t size) {
  std::uniform_real_distribution<float> unit(-1, 1);
  Values values(size);
  for (float& value : values) value = unit(random);
  return values;
}

bool sameBits(const Values& a, const Values& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Fragments that need no surface: runs of any length, any barycentrics, any derivatives.
struct Fixture {
  int num_images, height, width, num_vertices, channels;
  std::vector<std::int32_t> triangles;
  Values attributes, rast, derivatives;
  std::vector<int> chosen;

  Fixture(std::mt19937& random, int num_images_, int height_, int width_, int channels_, int num_chosen)
      : num_images(num_images_), height(height_), width(width_), num_vertices(30), channels(channels_) {
    constexpr int kTriangles = 20;
    for (int i = 0; i < 3 * kTriangles; ++i) triangles.push_back(static_cast<std::int32_t>(random() % 30));
    attributes = randomValues(random, static_cast<std::size_t>(num_images * num_vertices * channels));
    rast = randomValues(random, static_cast<std::size_t>(num_images * height * width) * 4);
    derivatives = randomValues(random, rast.size());
    std::int64_t triangle = 0, left = 0;
    for (std::size_t i = 0; i < rast.size(); i += 4) {
      if (left-- == 0) {
        triangle = static_cast<std::int64_t>(random() % (kTriangles + 3)) - 3;
        left = static_cast<std::int64_t>(random() % 12);
      }
      rast[i] = std::abs(rast[i]);
      rast[i + 1] = std::abs(rast[i + 1]) * (1 - rast[i]);
      rast[i + 3] = triangle < 0 ? 0 : fragmentFromTriangle(triangle);
    }
    for (int k = 0; k < num_chosen; ++k) {
      chosen.push_back(static_cast<int>(random() % static_cast<unsigned>(2 * channels)) - channels);
    }
  }

  std::size_t numPixels() const { return rast.size() / 4; }
  int numChosen() const { return static_cast<int>(chosen.size()); }
  TriangleList list() const { return {triangles.data(), static_cast<std::int64_t>(triangles.size() / 3)}; }
  ConstRows rows() const {
    return {attributes.data(), num_vertices, channels, std::int64_t{num_vertices} * channels};
  }
  ConstImages image(const Values& values, int num_channels) const {
    return {values.data(), num_images, height, width, num_channels};
  }
  Images image(Values& values, int num_channels) const {
    return {values.data(), num_images, height, width, num_channels};
  }
};

struct Output {
  Values out, derivatives;
};

Output forward(const Fixture& f) {
  Output result = {Values(f.numPixels() * static_cast<std::size_t>(f.channels), -7.0F),
                   Values(f.numPixels() * 2 * f.chosen.size(), -7.0F)};
  InterpolateParams params;
  params.attributes = f.rows();
  params.triangles = f.list();
  params.rast = f.image(f.rast, 4);
  params.out = f.image(result.out, f.channels);
  if (!f.chosen.empty()) {
    params.derivatives = f.image(f.derivatives, 4);
    params.differentiated = f.chosen.data();
    params.num_differentiated = f.numChosen();
    params.out_derivatives = f.image(result.derivatives, 2 * f.numChosen());
  }
  interpolateCpu(params);
  return result;
}

struct Gradients {
  Values attributes, rast, derivatives;
};

Gradients backward(const Fixture& f, const Output& grad, bool shared_rows = false) {
  Gradients result = {
      Values(shared_rows ? f.attributes.size() / static_cast<std::size_t>(f.num_images) : f.attributes.size(),
             -7.0F),
      Values(f.rast.size(), -7.0F), Values(f.rast.size(), -7.0F)};
  InterpolateBackwardParams params;
  params.attributes = f.rows();
  params.triangles = f.list();
  params.rast = f.image(f.rast, 4);
  params.grad_out = f.image(grad.out, f.channels);
  if (!f.chosen.empty()) {
    params.derivatives = f.image(f.derivatives, 4);
    params.differentiated = f.chosen.data();
    params.num_differentiated = f.numChosen();
    params.grad_out_derivatives = f.image(grad.derivatives, 2 * f.numChosen());
  }
  params.grad_attributes = {result.attributes.data(), f.num_vertices, f.channels,
                            shared_rows ? 0 : std::int64_t{f.num_vertices} * f.channels};
  params.grad_rast = f.image(result.rast, 4);
  params.grad_derivatives = f.image(result.derivatives, 4);
  interpolateBackwardCpu(params);
  return result;
}

// Corner `corner` of the triangle at a pixel, as an index into the attributes of its image; -1 = background.
std::int64_t attributeRow(const Fixture& f, std::size_t pixel, int corner) {
  const std::int64_t triangle = triangleFromFragment(f.rast[4 * pixel + 3]);
  if (triangle < 0) return -1;
  const std::size_t image = pixel / static_cast<std::size_t>(f.height * f.width);
  return (static_cast<std::int64_t>(image) * f.num_vertices +
          f.triangles[static_cast<std::size_t>(3 * triangle + corner)]) *
         f.channels;
}

double dot(const Values& a, const Values& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

TEST_CASE("ops interpolate: agrees with the formula in double precision for any number of channels") {
  std::mt19937 random(1);
  for (const int channels : {1, 2, 3, 4, 5, 7, 8, 16, 19}) {
    for (const int num_chosen : {0, 1, 2, 3, 6}) {
      for (const int width : {1, 2, 3, 37}) {
        const Fixture f(random, 2, 19, width, channels, num_chosen);
        const Output result = forward(f);
        int wrong = 0;
        for (std::size_t i = 0; i < f.numPixels(); ++i) {
          const double u = f.rast[4 * i], v = f.rast[4 * i + 1];
          std::int64_t row[3];
          for (int k = 0; k < 3; ++k) row[k] = attributeRow(f, i, k);
          const auto attribute = [&](int corner, int c) {
            return static_cast<double>(f.attributes[static_cast<std::size_t>(row[corner] + c)]);
          };
          for (int c = 0; c < channels; ++c) {
            const double expected =
                row[0] < 0 ? 0 : u * attribute(0, c) + v * attribute(1, c) + (1 - u - v) * attribute(2, c);
            const double got =
                result.out[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)];
            wrong += std::abs(got - expected) > 1e-6 || (row[0] < 0 && got != 0) ? 1 : 0;
          }
          for (std::size_t k = 0; k < f.chosen.size(); ++k) {
            const int c = f.chosen[k] < 0 ? f.chosen[k] + channels : f.chosen[k];
            for (std::size_t axis = 0; axis < 2; ++axis) {
              const double expected =
                  row[0] < 0 ? 0
                             : f.derivatives[4 * i + axis] * (attribute(0, c) - attribute(2, c)) +
                                   f.derivatives[4 * i + 2 + axis] * (attribute(1, c) - attribute(2, c));
              const double got = result.derivatives[2 * (i * f.chosen.size() + k) + axis];
              wrong += std::abs(got - expected) > 1e-5 || (row[0] < 0 && got != 0) ? 1 : 0;
            }
          }
        }
        REQUIRE(wrong == 0);
      }
    }
  }
}

TEST_CASE("ops interpolate: without a list the first channels are differentiated") {
  std::mt19937 random(2);
  Fixture f(random, 1, 9, 14, 5, 3);
  f.chosen = {0, -4, 2};
  const Output expected = forward(f);
  Values out(expected.out.size()), derivatives(expected.derivatives.size());
  InterpolateParams params;
  params.attributes = f.rows();
  params.triangles = f.list();
  params.rast = f.image(f.rast, 4);
  params.derivatives = f.image(f.derivatives, 4);
  params.num_differentiated = 3;
  params.out = f.image(out, 5);
  params.out_derivatives = f.image(derivatives, 6);
  interpolateCpu(params);
  CHECK(sameBits(expected.out, out));
  CHECK(sameBits(expected.derivatives, derivatives));
}

TEST_CASE("ops interpolate: a constant attribute stays constant and its derivatives are zero") {
  std::mt19937 random(3);
  for (const int channels : {1, 3, 9}) {
    Fixture f(random, 1, 20, 30, channels, 1);
    std::fill(f.attributes.begin(), f.attributes.end(), 2.5F);
    const Output result = forward(f);
    for (std::size_t i = 0; i < result.out.size(); ++i) {
      const bool hit = f.rast[4 * (i / static_cast<std::size_t>(channels)) + 3] > 0;
      REQUIRE(result.out[i] == doctest::Approx(hit ? 2.5 : 0.0).epsilon(1e-6));
    }
    for (const float value : result.derivatives) REQUIRE(value == 0);
  }
}

TEST_CASE("ops interpolate: the plain scalar interpolation agrees") {
  std::mt19937 random(4);
  const Fixture f(random, 1, 20, 31, 3, 0);
  Values expected(f.numPixels() * 3);
  test::interpolateScalar(f.attributes.data(), 3, f.triangles.data(), f.rast.data(),
                          static_cast<std::int64_t>(f.numPixels()), expected.data());
  const Values out = forward(f).out;
  for (std::size_t i = 0; i < out.size(); ++i) REQUIRE(out[i] == doctest::Approx(expected[i]).epsilon(1e-5));
}

TEST_CASE("ops interpolate: backward is the adjoint of forward in the attributes") {
  // <A x, y> == <x, A' y>; forward is linear in x.
  std::mt19937 random(5);
  for (const int channels : {1, 2, 3, 4, 6, 16, 17}) {
    for (const int num_chosen : {0, 1, 3}) {
      const Fixture f(random, 2, 40, 33, channels, num_chosen);
      const Output y = {randomValues(random, f.numPixels() * static_cast<std::size_t>(channels)),
                        randomValues(random, f.numPixels() * 2 * f.chosen.size())};
      const Output ax = forward(f);
      const double left = dot(ax.out, y.out) + dot(ax.derivatives, y.derivatives);
      const double scale = std::sqrt(dot(ax.out, ax.out) * dot(y.out, y.out));
      const Gradients grad = backward(f, y);
      CHECK(std::abs(left - dot(grad.attributes, f.attributes)) < 1e-5 * scale);
      // Background and untouched channels of rast carry none.
      for (std::size_t i = 0; i < f.numPixels(); ++i) {
        const bool hit = f.rast[4 * i + 3] > 0;
        REQUIRE(grad.rast[4 * i + 2] == 0);
        REQUIRE(grad.rast[4 * i + 3] == 0);
        if (hit) continue;
        for (std::size_t k = 0; k < 4; ++k)
          REQUIRE((grad.rast[4 * i + k] == 0 && grad.derivatives[4 * i + k] == 0));
      }
    }
  }
}

TEST_CASE("ops interpolate: backward is the finite difference of forward in u, v and the derivatives") {
  std::mt19937 random(6);
  for (const int channels : {1, 2, 3, 4, 5, 18}) {
    const Fixture f(random, 1, 6, 23, channels, 3);
    const Output y = {randomValues(random, f.numPixels() * static_cast<std::size_t>(channels)),
                      randomValues(random, f.numPixels() * 6)};
    const Gradients grad = backward(f, y);
    // Forward is affine in each of them, so that the step may be as long as one likes; one channel of all
    // pixels at once, since pixels do not see each other.
    for (int k = 0; k < 6; ++k) {
      const std::size_t c = static_cast<std::size_t>(k < 2 ? k : k - 2);
      Fixture above = f, below = f;
      for (std::size_t i = 0; i < f.numPixels(); ++i) {
        (k < 2 ? above.rast : above.derivatives)[4 * i + c] += 0.5F;
        (k < 2 ? below.rast : below.derivatives)[4 * i + c] -= 0.5F;
      }
      const Output high = forward(above), low = forward(below);
      for (std::size_t i = 0; i < f.numPixels(); ++i) {
        double expected = 0;
        const std::size_t a = static_cast<std::size_t>(channels);
        for (std::size_t j = i * a; j < (i + 1) * a; ++j) {
          expected += (static_cast<double>(high.out[j]) - low.out[j]) * y.out[j];
        }
        for (std::size_t j = 6 * i; j < 6 * (i + 1); ++j) {
          expected += (static_cast<double>(high.derivatives[j]) - low.derivatives[j]) * y.derivatives[j];
        }
        const double got = (k < 2 ? grad.rast : grad.derivatives)[4 * i + c];
        REQUIRE(std::abs(got - expected) < 2e-5);
      }
    }
  }
}

TEST_CASE("ops interpolate: gradients of a batch add up in shared rows") {
  std::mt19937 random(7);
  for (const int channels : {3, 6}) {
    const Fixture f(random, 5, 33, 20, channels, 2);
    const Output y = {randomValues(random, f.numPixels() * static_cast<std::size_t>(channels)),
                      randomValues(random, f.numPixels() * 4)};
    const Gradients apart = backward(f, y), together = backward(f, y, true);
    const std::size_t item = together.attributes.size();
    for (std::size_t i = 0; i < item; ++i) {
      double sum = 0;
      for (std::size_t k = 0; k < 5; ++k) sum += apart.attributes[k * item + i];
      REQUIRE(std::abs(together.attributes[i] - sum) < 1e-4);
    }
    CHECK(sameBits(apart.rast, together.rast));
    CHECK(sameBits(apart.derivatives, together.derivatives));
  }
}

TEST_CASE("ops interpolate: each optional gradient may be left out and the others keep their bits") {
  std::mt19937 random(8);
  const Fixture f(random, 1, 35, 20, 3, 2);
  const Output y = {randomValues(random, f.numPixels() * 3), randomValues(random, f.numPixels() * 4)};
  const Gradients all = backward(f, y);
  for (int left_out = 0; left_out < 8; ++left_out) {
    Gradients some = {Values(all.attributes.size()), Values(all.rast.size()), Values(all.derivatives.size())};
    InterpolateBackwardParams params;
    params.attributes = f.rows();
    params.triangles = f.list();
    params.rast = f.image(f.rast, 4);
    params.derivatives = f.image(f.derivatives, 4);
    params.differentiated = f.chosen.data();
    params.num_differentiated = 2;
    params.grad_out = f.image(y.out, 3);
    params.grad_out_derivatives = f.image(y.derivatives, 4);
    if (!(left_out & 1)) params.grad_attributes = {some.attributes.data(), f.num_vertices, 3};
    if (!(left_out & 2)) params.grad_rast = f.image(some.rast, 4);
    if (!(left_out & 4)) params.grad_derivatives = f.image(some.derivatives, 4);
    interpolateBackwardCpu(params);
    CHECK(((left_out & 1) || sameBits(some.attributes, all.attributes)));
    CHECK(((left_out & 2) || sameBits(some.rast, all.rast)));
    CHECK(((left_out & 4) || sameBits(some.derivatives, all.derivatives)));
  }
}

TEST_CASE("ops interpolate: padded rows and images give the values of dense ones and keep their padding") {
  std::mt19937 random(9);
  for (const int channels : {1, 2, 3, 5}) {
    const Fixture f(random, 2, 7, 11, channels, 1);
    const Output expected = forward(f);
    const auto padded = [&](int num_channels, Values* memory) {
      Images images(nullptr, 2, 7, 11, num_channels);
      images.row_stride += 3;
      images.image_stride = 7 * images.row_stride + 2;
      memory->assign(static_cast<std::size_t>(2 * images.image_stride), -7.0F);
      images.data = memory->data();
      return images;
    };
    const auto position = [](const Images& images, std::size_t pixel) {
      return static_cast<std::size_t>(static_cast<std::int64_t>(pixel / 77) * images.image_stride +
                                      static_cast<std::int64_t>(pixel / 11 % 7) * images.row_stride +
                                      static_cast<std::int64_t>(pixel % 11) * images.channels);
    };
    Values rast, derivatives, out, out_derivatives;
    InterpolateParams params;
    params.attributes = f.rows();
    params.triangles = f.list();
    const Images rast_images = padded(4, &rast), derivative_images = padded(4, &derivatives);
    for (std::size_t i = 0; i < f.numPixels(); ++i) {
      std::copy_n(f.rast.data() + 4 * i, 4, rast.data() + position(rast_images, i));
      std::copy_n(f.derivatives.data() + 4 * i, 4, derivatives.data() + position(derivative_images, i));
    }
    params.rast = rast_images;
    params.derivatives = derivative_images;
    params.differentiated = f.chosen.data();
    params.num_differentiated = 1;
    params.out = padded(channels, &out);
    params.out_derivatives = padded(2, &out_derivatives);
    interpolateCpu(params);
    for (std::size_t i = 0; i < f.numPixels(); ++i) {
      const std::size_t size = static_cast<std::size_t>(channels);
      float* const pixel = out.data() + position(params.out, i);
      REQUIRE(std::equal(pixel, pixel + size, expected.out.data() + size * i));
      std::fill_n(pixel, size, -7.0F);
      float* const derivative = out_derivatives.data() + position(params.out_derivatives, i);
      REQUIRE(std::equal(derivative, derivative + 2, expected.derivatives.data() + 2 * i));
      std::fill_n(derivative, 2, -7.0F);
    }
    for (const Values& values : {out, out_derivatives}) {
      CHECK(std::count(values.begin(), values.end(), -7.0F) == static_cast<std::ptrdiff_t>(values.size()));
    }
  }
}

TEST_CASE("ops interpolate: foreign fragments count as background and NaN stays where it is") {
  std::mt19937 random(10);
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  Fixture f(random, 1, 20, 30, 3, 1);
  const Output y = {randomValues(random, f.numPixels() * 3), randomValues(random, f.numPixels() * 2)};
  const Output expected = forward(f);
  const Gradients expected_grad = backward(f, y);
  Fixture wrong = f;
  int foreign = 0;
  for (std::size_t i = 0; i < f.numPixels(); ++i) {
    if (f.rast[4 * i + 3] > 0) continue;
    const float fragments[] = {21, nan, -3, infinity, -infinity, 1e20F, 0.5F};
    wrong.rast[4 * i] = nan;
    wrong.rast[4 * i + 3] = fragments[foreign++ % 7];
  }
  CHECK(foreign > 20);
  CHECK(sameBits(expected.out, forward(wrong).out));
  const Gradients grad = backward(wrong, y);
  CHECK(sameBits(expected_grad.attributes, grad.attributes));
  CHECK(sameBits(expected_grad.rast, grad.rast));

  f.attributes[0] = nan;  // channel 0 of vertex 0
  const Output poisoned = forward(f);
  for (std::size_t i = 0; i < f.numPixels(); ++i) {
    const bool touches =
        attributeRow(f, i, 0) == 0 || attributeRow(f, i, 1) == 0 || attributeRow(f, i, 2) == 0;
    REQUIRE((std::isnan(poisoned.out[3 * i]) || !touches));
    if (!touches) REQUIRE(poisoned.out[3 * i] == expected.out[3 * i]);
    REQUIRE(poisoned.out[3 * i + 1] == expected.out[3 * i + 1]);
    REQUIRE(poisoned.out[3 * i + 2] == expected.out[3 * i + 2]);
  }
}

TEST_CASE("ops interpolate: bitwise equal for 1, 2 and 5 threads") {
  std::mt19937 random(11);
  for (const int channels : {3, 16}) {
    const Fixture f(random, 2, 150, 90, channels, 2);
    const Output y = {randomValues(random, f.numPixels() * static_cast<std::size_t>(channels)),
                      randomValues(random, f.numPixels() * 4)};
    std::vector<Output> outputs;
    std::vector<Gradients> gradients;
    for (const int threads : {1, 2, 5}) {
      setNumThreads(threads);
      outputs.push_back(forward(f));
      gradients.push_back(backward(f, y, true));
    }
    setNumThreads(0);
    for (std::size_t i = 1; i < 3; ++i) {
      CHECK(sameBits(outputs[0].out, outputs[i].out));
      CHECK(sameBits(outputs[0].derivatives, outputs[i].derivatives));
      CHECK(sameBits(gradients[0].attributes, gradients[i].attributes));
      CHECK(sameBits(gradients[0].rast, gradients[i].rast));
      CHECK(sameBits(gradients[0].derivatives, gradients[i].derivatives));
    }
  }
}

TEST_CASE("ops interpolate: misuse is refused") {
  std::mt19937 random(12);
  const Fixture f(random, 1, 4, 5, 3, 0);
  Values out(60), derivatives(80), attributes(90);
  const int channels[] = {0, -3, 3, -4};
  InterpolateParams good;
  good.attributes = f.rows();
  good.triangles = f.list();
  good.rast = f.image(f.rast, 4);
  good.derivatives = f.image(f.derivatives, 4);
  good.out = f.image(out, 3);
  good.differentiated = channels;
  good.num_differentiated = 2;
  good.out_derivatives = f.image(derivatives, 4);
  CHECK_NOTHROW(interpolateCpu(good));
  const auto refuses = [&](auto change) {
    InterpolateParams params = good;
    change(params);
    CHECK_THROWS_AS(interpolateCpu(params), std::invalid_argument);
  };
  refuses([](InterpolateParams& p) { p.attributes.data = nullptr; });
  refuses([](InterpolateParams& p) { p.attributes.channels = 0; });
  refuses([](InterpolateParams& p) { p.attributes.num_rows = 5; });
  refuses([](InterpolateParams& p) { p.triangles.data = nullptr; });
  refuses([](InterpolateParams& p) { p.rast.data = nullptr; });
  refuses([](InterpolateParams& p) { p.rast.width = 6; });
  refuses([](InterpolateParams& p) { p.out.data = nullptr; });
  refuses([](InterpolateParams& p) { p.out.channels = 2; });
  refuses([](InterpolateParams& p) { p.out.row_stride = 14; });
  refuses([](InterpolateParams& p) { p.derivatives.data = nullptr; });
  refuses([](InterpolateParams& p) { p.num_differentiated = 1; });
  refuses([](InterpolateParams& p) { p.num_differentiated = -1; });
  refuses([&](InterpolateParams& p) { p.differentiated = channels + 1; });
  refuses([&](InterpolateParams& p) { p.differentiated = channels + 2; });
  refuses([](InterpolateParams& p) {
    p.differentiated = nullptr;
    p.num_differentiated = 4;
  });

  InterpolateBackwardParams backward_good;
  backward_good.attributes = good.attributes;
  backward_good.triangles = good.triangles;
  backward_good.rast = good.rast;
  backward_good.grad_out = good.out;
  backward_good.grad_attributes = {attributes.data(), 30, 3};
  CHECK_NOTHROW(interpolateBackwardCpu(backward_good));
  const auto backwardRefuses = [&](auto change) {
    InterpolateBackwardParams params = backward_good;
    change(params);
    CHECK_THROWS_AS(interpolateBackwardCpu(params), std::invalid_argument);
  };
  backwardRefuses([](InterpolateBackwardParams& p) { p.grad_out.data = nullptr; });
  backwardRefuses([](InterpolateBackwardParams& p) { p.grad_out.channels = 4; });
  backwardRefuses([](InterpolateBackwardParams& p) { p.grad_attributes.num_rows = 29; });
  backwardRefuses([&](InterpolateBackwardParams& p) { p.grad_rast = f.image(derivatives, 3); });
  backwardRefuses([&](InterpolateBackwardParams& p) { p.grad_out_derivatives = f.image(derivatives, 4); });
}

}  // namespace
}  // namespace facet::ops
