#pragma once

#include <cstdint>

#include "core/check.h"
#include "render/ops/images.h"

// Argument checks shared by the operations. Each throws std::invalid_argument that names the operation, the
// argument, what was given and what was expected. They read shapes and pointers only, except checkIndices(),
// which reads host memory.
namespace facet::ops {

// The arrays are addressed in 64 bits, but a row or column number is an int.
inline void checkShape(const char* op, const char* name, const ConstImages& images) {
  require(images.num_images >= 0 && images.height >= 0 && images.width >= 0 && images.channels > 0, op, ": ",
          name, " has the impossible shape ", images.num_images, "x", images.height, "x", images.width, "x",
          images.channels);
  const std::int64_t row = std::int64_t{images.width} * images.channels;
  require(images.row_stride >= row, op, ": ", name, " has a row stride of ", images.row_stride,
          " elements, but a row of ", images.width, " pixels and ", images.channels, " channels needs ", row);
  const std::int64_t image =
      images.height > 0 ? (std::int64_t{images.height} - 1) * images.row_stride + row : 0;
  require(images.image_stride == 0 || images.image_stride >= image, op, ": ", name,
          " has an image stride of ", images.image_stride, " elements, but one image needs ", image,
          "; 0 repeats one image");
}

// An image that must be there, of the given shape.
inline void checkImages(const char* op, const char* name, const ConstImages& images, int num_images,
                        int height, int width, int channels) {
  checkShape(op, name, images);
  require(images.num_images == num_images && images.height == height && images.width == width &&
              images.channels == channels,
          op, ": ", name, " is ", images.num_images, "x", images.height, "x", images.width, "x",
          images.channels, ", but ", num_images, "x", height, "x", width, "x", channels, " is expected");
  require(images.present() || images.numPixels() == 0, op, ": ", name, " is missing (null)");
}

// As checkImages, for memory that is written: images of a batch must not lie on top of each other.
inline void checkOutput(const char* op, const char* name, const Images& images, int num_images, int height,
                        int width, int channels) {
  checkImages(op, name, images, num_images, height, width, channels);
  require(images.image_stride != 0 || num_images <= 1 || height == 0 || width == 0, op, ": ", name,
          " has an image stride of 0, but is written for ", num_images, " images");
}

inline void checkRows(const char* op, const char* name, const ConstRows& rows) {
  require(rows.num_rows >= 0 && rows.num_rows <= INT32_MAX && rows.channels > 0, op, ": ", name,
          " has the impossible shape ", rows.num_rows, "x", rows.channels, "; indices have 32 bits");
  require(rows.present() || rows.num_rows == 0, op, ": ", name, " is missing (null)");
  const std::int64_t item = rows.num_rows * rows.channels;
  require(rows.image_stride == 0 || rows.image_stride >= item, op, ": ", name, " has an image stride of ",
          rows.image_stride, " elements, but one item needs ", item, "; 0 repeats one item");
}

inline void checkRows(const char* op, const char* name, const ConstRows& rows, std::int64_t num_rows,
                      int channels) {
  checkRows(op, name, rows);
  require(rows.num_rows == num_rows && rows.channels == channels, op, ": ", name, " is ", rows.num_rows, "x",
          rows.channels, ", but ", num_rows, "x", channels, " is expected");
}

// What a float can count: see fragmentFromTriangle().
constexpr std::int64_t kMaxTriangles = (std::int64_t{1} << 24) + (0x7F800000 - 0x4B800000) - 1;

inline void checkTriangles(const char* op, const TriangleList& triangles) {
  require(triangles.count >= 0 && triangles.count <= kMaxTriangles, op, ": ", triangles.count,
          " triangles, but 0 to ", kMaxTriangles, " can be told apart");
  require(triangles.data != nullptr || triangles.count == 0, op, ": the triangles are missing (null)");
}

// Host memory only: every index of `count` triangles lies in [0, num_vertices).
inline void checkIndices(const char* op, const std::int32_t* triangles, std::int64_t count,
                         std::int64_t num_vertices) {
  const std::int64_t largest = num_vertices > INT32_MAX ? INT32_MAX : num_vertices - 1;
  const std::int32_t last = static_cast<std::int32_t>(largest);
  std::int32_t outside = 0;  // the sign bit collects what is below 0 or above `last`
  for (std::int64_t i = 0; i < 3 * count; ++i) {
    outside |= triangles[i] | static_cast<std::int32_t>(static_cast<std::uint32_t>(last) -
                                                        static_cast<std::uint32_t>(triangles[i]));
  }
  if (outside >= 0) return;
  for (std::int64_t i = 0; i < 3 * count; ++i) {
    require(triangles[i] >= 0 && triangles[i] < num_vertices, op, ": triangle ", i / 3, " uses vertex ",
            triangles[i], ", but there are ", num_vertices,
            " vertices; do the index buffer and the vertices belong together?");
  }
}

}  // namespace facet::ops
