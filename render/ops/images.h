#pragma once

#include <cstdint>

namespace facet::ops {

// The operations below work on plain memory, so that any owner of buffers can call them: Eigen, OpenCV, a
// torch tensor, CUDA. A Params struct is complete input and output of one call. With the ...Cpu() functions
// every pointer is host memory, with the ...Cuda() ones device memory, except where a field says "host". The
// convenient forms for single images are in render/rasterize.h and its neighbours.
//
// Rows: images have their top row first. Pixel (x, y) has its centre at NDC ((2x + 1) / W - 1, 1 - (2y + 1) /
// H), X points right and Y down in all screen derivatives. (nvdiffrast stores the bottom row first; flip rows
// and the sign of Y to compare.)

// Shapes, strides, pointers and (in host memory) vertex indices are checked: std::invalid_argument names
// operation, argument, value and rule. Outputs must not overlap inputs. A rast value that names no triangle
// of the list is background; antialiasCpu() and edgeGradientCpu(), which look triangles up for pairs of
// pixels, refuse it instead.

// N×H×W×C floats. Channels are adjacent, pixels of a row too; rows and images may be padded.
template <typename T>
struct ImagesT {
  T* data = nullptr;              // nullptr where an optional argument is absent
  int num_images = 0;             // N
  int height = 0, width = 0;      // pixels
  int channels = 0;               // C
  std::int64_t row_stride = 0;    // elements from row to row, >= W·C
  std::int64_t image_stride = 0;  // elements from image to image; 0 repeats one image for the whole batch

  ImagesT() = default;
  // Dense memory.
  ImagesT(T* data_, int num_images_, int height_, int width_, int channels_)
      : data(data_),
        num_images(num_images_),
        height(height_),
        width(width_),
        channels(channels_),
        row_stride(std::int64_t{width_} * channels_),
        image_stride(std::int64_t{height_} * width_ * channels_) {}

  bool present() const { return data != nullptr; }
  std::int64_t numPixels() const { return std::int64_t{num_images} * height * width; }
  operator ImagesT<const T>() const {  // NOLINT: what may be written may be read
    ImagesT<const T> view(data, num_images, height, width, channels);
    view.row_stride = row_stride;
    view.image_stride = image_stride;
    return view;
  }
};
using Images = ImagesT<float>;
using ConstImages = ImagesT<const float>;

// N×V×C floats, dense within an item (vertex positions, attributes). image_stride 0 repeats one item for the
// whole batch.
template <typename T>
struct RowsT {
  T* data = nullptr;
  std::int64_t num_rows = 0;      // V
  int channels = 0;               // C
  std::int64_t image_stride = 0;  // elements; 0 = the same rows for every image

  RowsT() = default;
  RowsT(T* data_, std::int64_t num_rows_, int channels_, std::int64_t image_stride_ = 0)
      : data(data_), num_rows(num_rows_), channels(channels_), image_stride(image_stride_) {}
  bool present() const { return data != nullptr; }
  operator RowsT<const T>() const {
    return RowsT<const T>(data, num_rows, channels, image_stride);
  }  // NOLINT
};
using Rows = RowsT<float>;
using ConstRows = RowsT<const float>;

// F×3 vertex indices, dense.
struct TriangleList {
  const std::int32_t* data = nullptr;
  std::int64_t count = 0;  // F
};

}  // namespace facet::ops
