#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/check.h"
#include "core/parallel.h"
#include "core/smooth_step.h"
#include "render/uv_maps.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 16;
constexpr int kMaxDepthSide = 2048;      // px; occlusion needs no finer depth than this
constexpr float kGrazingCosine = 0.10F;  // no visibility below: a texel is stretched tenfold
constexpr float kSquareCosine = 0.70F;   // full visibility above
// Width of the zone along silhouettes and occlusion borders that is not trusted: a fit is a few pixels off
// there, and background or the nose would be painted on the cheek. Fraction of the face's size in the photo.
constexpr float kBorderFraction = 0.012F;

// Part of the photo that the mesh covers.
struct Crop {
  int x = 0, y = 0, width = 0, height = 0;
};

Crop cropAround(const Points2& projected, int photo_width, int photo_height) {
  constexpr float kMargin = 4;  // px
  Eigen::Vector2f low(1e9F, 1e9F), high(-1e9F, -1e9F);
  for (Eigen::Index i = 0; i < projected.rows(); ++i) {
    if (!projected.row(i).allFinite()) continue;
    low = low.cwiseMin(projected.row(i).transpose());
    high = high.cwiseMax(projected.row(i).transpose());
  }
  const auto pixel = [](float value, int size) {
    return static_cast<int>(std::clamp(value, 0.0F, static_cast<float>(size)));
  };
  Crop crop;
  crop.x = pixel(low.x() - kMargin, photo_width);
  crop.y = pixel(low.y() - kMargin, photo_height);
  crop.width = pixel(high.x() + kMargin + 1, photo_width) - crop.x;
  crop.height = pixel(high.y() + kMargin + 1, photo_height) - crop.y;
  return crop;
}

// Levels of half the size each, in linear light; level 0 is the crop itself.
std::vector<ImageF> photoPyramid(const Image8& photo, const Crop& crop) {
  float linear[256];
  for (int i = 0; i < 256; ++i) linear[i] = linearFromSrgb(static_cast<float>(i) / 255.0F);
  std::vector<ImageF> levels(1, ImageF(crop.width, crop.height, 3));
  parallelFor(crop.height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < crop.width; ++x) {
        const std::uint8_t* const from = photo.at(crop.x + x, crop.y + y);
        for (int c = 0; c < 3; ++c) levels[0].at(x, y)[c] = linear[from[c]];
      }
    }
  });
  while (levels.back().width() > 1 && levels.back().height() > 1) {
    const ImageF& fine = levels.back();
    ImageF coarse(fine.width() / 2, fine.height() / 2, 3);
    for (int y = 0; y < coarse.height(); ++y) {
      for (int x = 0; x < coarse.width(); ++x) {
        for (int c = 0; c < 3; ++c) {
          coarse.at(x, y)[c] = 0.25F * (fine.at(2 * x, 2 * y)[c] + fine.at(2 * x + 1, 2 * y)[c] +
                                        fine.at(2 * x, 2 * y + 1)[c] + fine.at(2 * x + 1, 2 * y + 1)[c]);
        }
      }
    }
    levels.push_back(std::move(coarse));
  }
  return levels;
}

Eigen::Vector3f sampleLevel(const ImageF& image, float x_px, float y_px) {
  const float x = std::clamp(x_px - 0.5F, 0.0F, static_cast<float>(image.width() - 1));
  const float y = std::clamp(y_px - 0.5F, 0.0F, static_cast<float>(image.height() - 1));
  const int x0 = static_cast<int>(x), y0 = static_cast<int>(y);
  const int x1 = std::min(x0 + 1, image.width() - 1), y1 = std::min(y0 + 1, image.height() - 1);
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  using Pixel = Eigen::Map<const Eigen::Vector3f>;
  return (1 - fy) * ((1 - fx) * Pixel(image.at(x0, y0)) + fx * Pixel(image.at(x1, y0))) +
         fy * ((1 - fx) * Pixel(image.at(x0, y1)) + fx * Pixel(image.at(x1, y1)));
}

// Trilinear: `level` = log2 of the photo pixels per texel.
Eigen::Vector3f samplePyramid(const std::vector<ImageF>& levels, float x_px, float y_px, float level) {
  level = std::clamp(level, 0.0F, static_cast<float>(levels.size() - 1));
  const std::size_t fine = static_cast<std::size_t>(level), coarse = std::min(fine + 1, levels.size() - 1);
  const float fine_scale = std::ldexp(1.0F, -static_cast<int>(fine));
  const Eigen::Vector3f a = sampleLevel(levels[fine], x_px * fine_scale, y_px * fine_scale);
  const float blend = level - static_cast<float>(fine);
  if (blend == 0) return a;
  const float coarse_scale = std::ldexp(1.0F, -static_cast<int>(coarse));
  return (1 - blend) * a + blend * sampleLevel(levels[coarse], x_px * coarse_scale, y_px * coarse_scale);
}

// Distance in pixels to the nearest border pixel, by two chamfer sweeps (Borgefors 1986, weights 1 and sqrt
// 2).
ImageF distanceToBorder(const Image8& border) {
  const int width = border.width(), height = border.height();
  ImageF distance(width, height, 1, 1e6F);
  const auto relax = [&](int x, int y, int from_x, int from_y, float step) {
    const bool inside = from_x >= 0 && from_x < width && from_y >= 0 && from_y < height;
    const float through =
        (inside ? *distance.at(from_x, from_y) : 0) + step;  // outside of the photo is border
    *distance.at(x, y) = std::min(*distance.at(x, y), through);
  };
  constexpr float kDiagonal = 1.41421356F;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      if (*border.at(x, y) != 0) *distance.at(x, y) = 0;
      relax(x, y, x - 1, y, 1);
      relax(x, y, x, y - 1, 1);
      relax(x, y, x - 1, y - 1, kDiagonal);
      relax(x, y, x + 1, y - 1, kDiagonal);
    }
  }
  for (int y = height - 1; y >= 0; --y) {
    for (int x = width - 1; x >= 0; --x) {
      relax(x, y, x + 1, y, 1);
      relax(x, y, x, y + 1, 1);
      relax(x, y, x + 1, y + 1, kDiagonal);
      relax(x, y, x - 1, y + 1, kDiagonal);
    }
  }
  return distance;
}

// What the camera sees of the mesh: depth, and how far each pixel is from a silhouette or a depth step.
struct DepthView {
  ImageF depth_mm;             // 0 = background
  ImageF border_px;            // distance to the nearest silhouette or depth step
  float fade_px = 0;           // width of the zone along borders that gains trust
  float mm_per_px_at_1mm = 0;  // footprint of a pixel per mm of depth (perspective)
  float mm_per_px = 0;         // footprint of a pixel at any depth (orthographic)

  float pixelSize(float z_mm) const { return mm_per_px + mm_per_px_at_1mm * z_mm; }
};

DepthView renderDepth(const Mesh& mesh, const Camera& camera) {
  DepthView view;
  const Points3 in_camera = camera.cameraFromModel(mesh.vertices);
  const Fragments fragments =
      rasterize(camera.clipFromModel(mesh.vertices), mesh.triangles, camera.width_px, camera.height_px);
  view.depth_mm = interpolate(fragments, mesh.triangles, in_camera.col(2).eval());
  if (camera.projection == Camera::Projection::kPerspective) {
    view.mm_per_px_at_1mm = 1 / camera.focal_px;
  } else {
    view.mm_per_px = 1 / camera.scale_px_per_mm;
  }

  const int width = camera.width_px, height = camera.height_px;
  Image8 border(width, height, 1);
  const auto isStep = [&](int x, int y, int next_x, int next_y) {
    if (fragments.triangle(next_x, next_y) < 0) return true;
    const float here = *view.depth_mm.at(x, y), there = *view.depth_mm.at(next_x, next_y);
    // A surface steeper than 80 degrees counts as a step: it is not worth sampling either.
    constexpr float kSteepest = 5.7F;
    return std::abs(here - there) > kSteepest * view.pixelSize(std::min(here, there));
  };
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const bool is_border = fragments.triangle(x, y) < 0 || (x > 0 && isStep(x, y, x - 1, y)) ||
                             (x + 1 < width && isStep(x, y, x + 1, y)) || (y > 0 && isStep(x, y, x, y - 1)) ||
                             (y + 1 < height && isStep(x, y, x, y + 1));
      *border.at(x, y) = is_border ? 1 : 0;
    }
  }
  view.border_px = distanceToBorder(border);
  view.fade_px = std::max(2.0F, kBorderFraction * static_cast<float>(std::max(width, height)));
  return view;
}

// Certainty in [0, 1] that a point at (x, y) px and depth z is seen: how far inside of all borders the pixels
// around it lie whose surface does not hide it. `reach_px`: radius of what is sampled from the photo; it must
// not cross a border.
float seenCertainty(const DepthView& view, float x_px, float y_px, float z_mm, float tolerance_mm,
                    float reach_px) {
  const float x = x_px - 0.5F, y = y_px - 0.5F;
  const int x0 = static_cast<int>(std::floor(x)), y0 = static_cast<int>(std::floor(y));
  const float fx = x - static_cast<float>(x0), fy = y - static_cast<float>(y0);
  float certainty = 0;
  for (int k = 0; k < 4; ++k) {
    const int px = x0 + (k & 1), py = y0 + (k >> 1);
    if (px < 0 || py < 0 || px >= view.depth_mm.width() || py >= view.depth_mm.height()) continue;
    const float surface_mm = *view.depth_mm.at(px, py);
    if (surface_mm == 0 || z_mm > surface_mm + tolerance_mm) continue;
    certainty += ((k & 1) ? fx : 1 - fx) * ((k >> 1) ? fy : 1 - fy) *
                 smoothStep(reach_px, reach_px + view.fade_px, *view.border_px.at(px, py));
  }
  return certainty;
}

// log2 of the photo pixels per texel for each triangle, from the ratio of its areas in the photo and in the
// map.
std::vector<float> footprintLevels(const Mesh& mesh, const Points2& projected, int size) {
  std::vector<float> levels(static_cast<std::size_t>(mesh.triangles.rows()));
  const auto doubledArea = [](const Points2& points, const Triangles& triangles, Eigen::Index f) {
    const Eigen::RowVector2f a = points.row(triangles(f, 0));
    const Eigen::RowVector2f b = points.row(triangles(f, 1)) - a, c = points.row(triangles(f, 2)) - a;
    return std::abs(b.x() * c.y() - b.y() * c.x());
  };
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    const float texels =
        doubledArea(mesh.uv, mesh.uv_triangles, f) * static_cast<float>(size) * static_cast<float>(size);
    const float pixels = doubledArea(projected, mesh.triangles, f);
    const float level = texels > 0 && pixels > 0 ? 0.5F * std::log2(pixels / texels) : 0.0F;
    levels[static_cast<std::size_t>(f)] = std::isfinite(level) ? std::max(level, 0.0F) : 0.0F;
  }
  return levels;
}

}  // namespace

ExtractedTexture extractTexture(const Mesh& mesh, const Camera& camera, const Image8& photo, int size) {
  const Fragments texels = rasterizeUv(mesh, size);
  require(photo.channels() >= 3, "extractTexture: the photo has ", photo.channels(),
          " channels, expected RGB");
  require(photo.width() == camera.width_px && photo.height() == camera.height_px,
          "extractTexture: the photo is ", photo.width(), "x", photo.height(),
          " but the camera was fitted to ", camera.width_px, "x", camera.height_px,
          "; use Camera::scaled() for a resized photo");
  ExtractedTexture out = {ImageF(size, size, 3), ImageF(size, size, 1)};
  const Points2 projected = camera.imageFromModel(mesh.vertices);
  const Crop crop = cropAround(projected, photo.width(), photo.height());
  if (crop.width <= 0 || crop.height <= 0) return out;  // the face lies outside of the photo

  Camera crop_camera = camera;
  crop_camera.principal_px -= Eigen::Vector2f(static_cast<float>(crop.x), static_cast<float>(crop.y));
  crop_camera.width_px = crop.width;
  crop_camera.height_px = crop.height;
  const float shrink = std::min(
      1.0F, static_cast<float>(kMaxDepthSide) / static_cast<float>(std::max(crop.width, crop.height)));
  const DepthView view = renderDepth(mesh, shrink < 1 ? crop_camera.scaled(shrink) : crop_camera);
  const std::vector<ImageF> pyramid = photoPyramid(photo, crop);
  const std::vector<float> level = footprintLevels(mesh, projected, size);
  const Points3 normals = vertexNormals(mesh.vertices, mesh.triangles);
  const Points3 in_camera = camera.cameraFromModel(mesh.vertices);
  const bool is_perspective = camera.projection == Camera::Projection::kPerspective;

  parallelFor(size, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < size; ++x) {
        const int triangle = texels.triangle(x, y);
        if (triangle < 0) continue;
        const float* const fragment = texels.rast.at(x, y);
        const float weights[3] = {fragment[0], fragment[1], 1 - fragment[0] - fragment[1]};
        Eigen::Vector3f point = Eigen::Vector3f::Zero(), normal = Eigen::Vector3f::Zero();  // camera frame
        for (int k = 0; k < 3; ++k) {
          const std::int32_t vertex = mesh.triangles(triangle, k);
          point += weights[k] * in_camera.row(vertex).transpose();
          normal += weights[k] * normals.row(vertex).transpose();
        }
        normal = camera.camera_from_model.linear() * normal.stableNormalized();
        const Eigen::Vector3f to_camera =
            is_perspective ? Eigen::Vector3f(-point.normalized()) : Eigen::Vector3f(0, 0, -1);
        const float cosine = normal.dot(to_camera);
        const std::optional<Eigen::Vector2f> pixel = crop_camera.imageFromCamera(point);
        if (!pixel || cosine <= kGrazingCosine) continue;
        if (pixel->x() < 0 || pixel->y() < 0 || pixel->x() > static_cast<float>(crop.width) ||
            pixel->y() > static_cast<float>(crop.height)) {
          continue;
        }

        // A pixel's footprint on the slanted surface spans this much depth; the test must not call that
        // occlusion.
        const float slope = std::sqrt(std::max(0.0F, 1 - cosine * cosine)) / cosine;
        const float tolerance_mm = (1 + 1.5F * slope) * view.pixelSize(point.z());
        const float texel_level = level[static_cast<std::size_t>(triangle)];
        const float reach_px = 1 + shrink * std::exp2(texel_level);
        const float certainty =
            seenCertainty(view, pixel->x() * shrink, pixel->y() * shrink, point.z(), tolerance_mm, reach_px);
        const float visibility = certainty * smoothStep(kGrazingCosine, kSquareCosine, cosine);
        if (!(visibility > 0)) continue;
        *out.visibility.at(x, y) = visibility;
        Eigen::Map<Eigen::Vector3f>(out.colour.at(x, y)) =
            samplePyramid(pyramid, pixel->x(), pixel->y(), texel_level);
      }
    }
  });
  return out;
}

}  // namespace facet
