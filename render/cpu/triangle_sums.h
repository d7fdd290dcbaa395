#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/parallel.h"
#include "render/ops/images.h"

// How the backward passes get from pixels to vertices with the same bits for any number of threads: each band
// of rows sums over the pixels of each of its triangles, then every thread owns a range of vertices and adds
// the bands' sums to them, band after band. Internal.
namespace facet::ops {

// Sums of the triangles seen in one band, in the order in which they are first seen.
class BandSums {
 public:
  // Starts a band. `stride` floats are kept per triangle.
  void start(std::int64_t num_triangles, int stride);
  void finish();

  // Number of the triangle's sums within this band; new ones are 0.
  std::size_t find(std::int32_t triangle) {
    std::int32_t& slot = (*slots_)[static_cast<std::size_t>(triangle)];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(triangles_.size());
      triangles_.push_back(triangle);
      values_.resize(values_.size() + stride_, 0.0F);
    }
    return static_cast<std::size_t>(slot);
  }
  // Valid until the next find().
  float* values(std::size_t slot) { return values_.data() + slot * stride_; }

  std::size_t size() const { return triangles_.size(); }
  std::int32_t triangle(std::size_t slot) const { return triangles_[slot]; }

  // Adds the sums to vertices [begin, end): of each triangle the values corner_stride · i ... belong to
  // corner i.
  void scatter(const TriangleList& triangles, int corner_stride, int channels, std::int64_t begin,
               std::int64_t end, float* out) const;

 private:
  std::size_t stride_ = 0;
  std::vector<std::int32_t> triangles_;
  std::vector<float> values_;
  std::vector<std::int32_t>* slots_ = nullptr;  // per triangle, -1 = none; of the thread that runs the band
};

constexpr int kRowsPerBand = 32;  // fixed: the order of summation depends on it

// Calls body(image, y_begin, y_end, sums) for each band of each image, in any order, and overwrites `out`
// with the sums of the corners (`corner_stride` floats each, the first out.channels of which count; a body
// may use the rest of its `stride` floats as it likes). Without `out` the body gets nullptr for its sums.
template <typename Body>
void sumOverTriangles(int num_images, int height, const TriangleList& triangles, const Rows& out, int stride,
                      int corner_stride, const Body& body) {
  const int bands_per_image = (height + kRowsPerBand - 1) / kRowsPerBand;
  const auto runBand = [&](int image, int band, BandSums* sums) {
    const int y_begin = band * kRowsPerBand;
    body(image, y_begin, std::min(y_begin + kRowsPerBand, height), sums);
  };
  if (!out.present()) {
    for (int image = 0; image < num_images; ++image) {
      parallelFor(bands_per_image, 1, [&](int begin, int end) {
        for (int band = begin; band < end; ++band) runBand(image, band, nullptr);
      });
    }
    return;
  }

  // A few images at a time, to bound the memory; their order of summation is that of the images.
  constexpr int kBandsPerGroup = 256;
  const int images_per_group = std::max(1, kBandsPerGroup / std::max(bands_per_image, 1));
  static thread_local std::vector<BandSums> thread_sums;  // kept between calls
  std::vector<BandSums>& sums = thread_sums;
  const int num_parts = static_cast<int>(std::clamp<std::int64_t>(out.num_rows / 1024, 1, numThreads()));
  for (int first = 0; first == 0 || first < num_images; first += images_per_group) {
    const int count = std::min(images_per_group, num_images - first);
    const int num_bands = count * bands_per_image;
    if (static_cast<int>(sums.size()) < num_bands) sums.resize(static_cast<std::size_t>(num_bands));
    parallelFor(num_bands, 1, [&](int begin, int end) {
      for (int i = begin; i < end; ++i) {
        BandSums& band = sums[static_cast<std::size_t>(i)];
        band.start(triangles.count, stride);
        try {
          runBand(first + i / bands_per_image, i % bands_per_image, &band);
        } catch (...) {  // out of memory: the thread's slots must be clean for its next band
          band.finish();
          throw;
        }
        band.finish();
      }
    });
    parallelFor(num_parts, 1, [&](int begin, int end) {
      const std::int64_t v_begin = out.num_rows * begin / num_parts, v_end = out.num_rows * end / num_parts;
      const auto clear = [&](float* rows) {
        std::fill(rows + v_begin * out.channels, rows + v_end * out.channels, 0.0F);
      };
      if (first == 0 && out.image_stride == 0) clear(out.data);
      for (int image = 0; image < count; ++image) {
        float* const rows = out.data + (first + image) * out.image_stride;
        if (out.image_stride != 0) clear(rows);
        for (int band = 0; band < bands_per_image; ++band) {
          sums[static_cast<std::size_t>(image * bands_per_image + band)].scatter(
              triangles, corner_stride, out.channels, v_begin, v_end, rows);
        }
      }
    });
  }
}

}  // namespace facet::ops
