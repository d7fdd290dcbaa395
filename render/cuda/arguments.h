#pragma once

#include <cstdint>

#include "core/check.h"
#include "render/ops/images.h"

// Checks of shapes before anything is launched. They read no memory behind the pointers, which is on the
// device. Each throws std::invalid_argument that names operation, argument, value and rule.
namespace facet::ops::cuda {

inline void checkImages(const char* op, const char* name, const ConstImages& images) {
  require(images.num_images >= 0 && images.height >= 0 && images.width >= 0 && images.channels > 0, op, ": ",
          name, " has the impossible shape ", images.num_images, "x", images.height, "x", images.width, "x",
          images.channels);
  if (images.numPixels() == 0) return;
  const std::int64_t row = std::int64_t{images.width} * images.channels;
  require(images.data != nullptr, op, ": ", name, " is missing (null)");
  require(images.row_stride >= row, op, ": ", name, " has a row stride of ", images.row_stride,
          " elements, but a row of ", images.width, " pixels and ", images.channels, " channels needs ", row);
  const std::int64_t image = (std::int64_t{images.height} - 1) * images.row_stride + row;
  require(images.image_stride == 0 || images.image_stride >= image, op, ": ", name,
          " has an image stride of ", images.image_stride, " elements, but one image needs ", image,
          "; 0 repeats one image");
}

inline void checkImages(const char* op, const char* name, const ConstImages& images, int num_images,
                        int height, int width, int channels) {
  checkImages(op, name, images);
  require(images.num_images == num_images && images.height == height && images.width == width &&
              images.channels == channels,
          op, ": ", name, " is ", images.num_images, "x", images.height, "x", images.width, "x",
          images.channels, ", but ", num_images, "x", height, "x", width, "x", channels, " is expected");
}

// As checkImages, for memory that is written: images of a batch must not lie on top of each other.
inline void checkOutput(const char* op, const char* name, const Images& images, int num_images, int height,
                        int width, int channels) {
  checkImages(op, name, images, num_images, height, width, channels);
  require(images.image_stride != 0 || num_images <= 1 || images.numPixels() == 0, op, ": ", name,
          " has an image stride of 0, but is written for ", num_images, " images");
}

inline void checkRows(const char* op, const char* name, const ConstRows& rows, int channels) {
  require(rows.num_rows >= 0 && rows.num_rows <= INT32_MAX && rows.channels > 0, op, ": ", name,
          " has the impossible shape ", rows.num_rows, "x", rows.channels);
  require(channels == 0 || rows.channels == channels, op, ": ", name, " has ", rows.channels,
          " channels, but ", channels, " are expected");
  require(rows.data != nullptr || rows.num_rows == 0, op, ": ", name, " is missing (null)");
  const std::int64_t item = rows.num_rows * rows.channels;
  require(rows.image_stride == 0 || rows.image_stride >= item, op, ": ", name, " has an image stride of ",
          rows.image_stride, " elements, but one item needs ", item, "; 0 repeats one item");
}

// A gradient with respect to `rows`.
inline void checkGradientRows(const char* op, const char* name, const Rows& gradient, const ConstRows& rows) {
  checkRows(op, name, gradient, rows.channels);
  require(gradient.num_rows == rows.num_rows, op, ": ", name, " has ", gradient.num_rows, " rows, but ",
          rows.num_rows, " are expected");
}

inline void checkTriangles(const char* op, const TriangleList& triangles) {
  constexpr std::int64_t kMaxTriangles = (std::int64_t{1} << 24) + (0x7F800000 - 0x4B800000) - 1;
  require(triangles.count >= 0 && triangles.count <= kMaxTriangles, op, ": ", triangles.count,
          " triangles, but 0 to ", kMaxTriangles, " can be told apart (what a float can count)");
  require(triangles.data != nullptr || triangles.count == 0, op, ": the triangles are missing (null)");
}

}  // namespace facet::ops::cuda
