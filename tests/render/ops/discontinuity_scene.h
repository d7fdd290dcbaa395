#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "core/types.h"
#include "render/ops/antialias.h"
#include "render/rasterize.h"

namespace facet::test {

// A rasterized scene as the operations on discontinuities want it.
struct DiscontinuityScene {
  int width, height;
  Points4 clip;
  Triangles triangles;
  std::vector<std::int32_t> opposite;
  ImageF rast;

  DiscontinuityScene(const Points4& clip_, const Triangles& triangles_, int width_, int height_)
      : width(width_), height(height_), clip(clip_), triangles(triangles_) {
    opposite.resize(static_cast<std::size_t>(triangles.size()));
    ops::buildTopology(triangleList(), clip.rows(), opposite.data());
    rast = rasterize(clip, triangles, width, height).rast;
  }

  ops::TriangleList triangleList() const { return {triangles.data(), triangles.rows()}; }
  ops::ConstImages rastImages() const { return {rast.data(), 1, height, width, 4}; }
  ops::ConstRows positions() const { return {clip.data(), clip.rows(), 4}; }

  ops::AntialiasParams antialias(const ImageF& colour) const {
    ops::AntialiasParams params;
    params.colour = ops::ConstImages(colour.data(), 1, height, width, colour.channels());
    params.rast = rastImages();
    params.positions = positions();
    params.triangles = triangleList();
    params.opposite = opposite.data();
    return params;
  }
  ImageF antialiased(const ImageF& colour, bool clamp = false) const {
    ImageF out(width, height, colour.channels(), -7.0F);
    ops::AntialiasParams params = antialias(colour);
    params.clamp = clamp;
    params.out = images(out);
    ops::antialiasCpu(params);
    return out;
  }

  static ops::Images images(ImageF& image) {
    return {image.data(), 1, image.height(), image.width(), image.channels()};
  }
};

inline ImageF randomImage(int width, int height, int channels, unsigned seed) {
  ImageF image(width, height, channels);
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (std::size_t i = 0; i < image.size(); ++i) image.data()[i] = uniform(random);
  return image;
}

// Weights of a loss that depends on where edges are. They change little from pixel to pixel: which pixels'
// weights an edge between them is given is a matter of convention.
inline ImageF waves(int width, int height) {
  ImageF weights(width, height, 1);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      *weights.at(x, y) =
          1 + 0.7F * std::sin(0.1F * static_cast<float>(x) + 0.4F) + 0.03F * static_cast<float>(y);
    }
  }
  return weights;
}

// Each triangle in one colour (F×C), black where there is none.
inline ImageF flatColours(const ImageF& rast, const std::vector<float>& colours, int channels) {
  ImageF image(rast.width(), rast.height(), channels);
  for (int y = 0; y < rast.height(); ++y) {
    for (int x = 0; x < rast.width(); ++x) {
      const int triangle = static_cast<int>(rast.at(x, y)[3]) - 1;
      for (int k = 0; k < channels && triangle >= 0; ++k)
        image.at(x, y)[k] = colours[static_cast<std::size_t>(triangle * channels + k)];
    }
  }
  return image;
}

// What a perfect camera sees of flat coloured triangles: each pixel is the mean of kSamples² samples.
inline ImageF areaImage(const Points4& clip, const Triangles& triangles, const std::vector<float>& colours,
                        int channels, int width, int height) {
  constexpr int kSamples = 16;
  const ImageF fine =
      flatColours(rasterize(clip, triangles, width * kSamples, height * kSamples).rast, colours, channels);
  ImageF image(width, height, channels);
  for (int y = 0; y < height * kSamples; ++y) {
    for (int x = 0; x < width * kSamples; ++x) {
      for (int k = 0; k < channels; ++k)
        image.at(x / kSamples, y / kSamples)[k] += fine.at(x, y)[k] / (kSamples * kSamples);
    }
  }
  return image;
}

inline double dot(const ImageF& a, const ImageF& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a.data()[i]) * b.data()[i];
  return sum;
}

}  // namespace facet::test
