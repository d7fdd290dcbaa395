#include "render/face_renderer.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/parallel.h"

namespace facet {
namespace {

constexpr int kRowsPerChunk = 16;
constexpr float kMidGrey = 0.18F;  // linear albedo of the photographer's grey card

}  // namespace

FaceImages renderFace(const Mesh& mesh, const Camera& camera, const ShadeOptions& options) {
  mesh.check("renderFace");
  require(!options.albedo_texture || mesh.hasUv(),
          "renderFace: a texture needs a mesh with texture coordinates");
  require(!options.albedo_texture || options.albedo_texture->channels() == 3,
          "renderFace: the albedo texture has ",
          options.albedo_texture ? options.albedo_texture->channels() : 0,
          " channels, expected 3 (linear RGB)");
  require(options.albedo.rows() == 0 || options.albedo.rows() == mesh.vertices.rows(),
          "renderFace: ", options.albedo.rows(), " albedo colours for ", mesh.vertices.rows(), " vertices");
  const int width = camera.width_px, height = camera.height_px;

  FaceImages images;
  images.fragments = rasterize(camera.clipFromModel(mesh.vertices), mesh.triangles, width, height);
  images.colour = ImageF(width, height, 3);
  images.normal = ImageF(width, height, 3);
  images.depth = ImageF(width, height, 1);
  images.mask = Image8(width, height, 1);
  const Points3 normals = vertexNormals(mesh.vertices, mesh.triangles);
  const Points3 in_camera = camera.cameraFromModel(mesh.vertices);
  const Eigen::Matrix3f camera_from_model = camera.camera_from_model.linear();
  ImageF albedo;
  if (options.albedo_texture) {
    const ImageF uv = interpolate(images.fragments, mesh.uv_triangles, mesh.uv);
    albedo = sampleTexture(*options.albedo_texture, uv, TextureFilter::kLinear, TextureBoundary::kClamp,
                           &images.fragments);
  }

  parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < width; ++x) {
        Eigen::Map<Eigen::Vector3f> colour(images.colour.at(x, y));
        const int triangle = images.fragments.triangle(x, y);
        if (triangle < 0) {
          colour = options.background;
          continue;
        }
        const float* const fragment = images.fragments.rast.at(x, y);
        const float weights[3] = {fragment[0], fragment[1], 1 - fragment[0] - fragment[1]};
        Eigen::Vector3f normal = Eigen::Vector3f::Zero(), vertex_albedo = Eigen::Vector3f::Zero();
        float depth_mm = 0;
        for (int k = 0; k < 3; ++k) {
          const std::int32_t vertex = mesh.triangles(triangle, k);
          normal += weights[k] * normals.row(vertex).transpose();
          depth_mm += weights[k] * in_camera(vertex, 2);
          if (options.albedo.rows() > 0) vertex_albedo += weights[k] * options.albedo.row(vertex).transpose();
        }
        const float length = normal.norm();
        if (length > 0) normal /= length;
        if (options.albedo_texture) {
          vertex_albedo = Eigen::Map<const Eigen::Vector3f>(albedo.at(x, y));
        } else if (options.albedo.rows() == 0) {
          vertex_albedo.setConstant(kMidGrey);
        }
        colour = vertex_albedo.cwiseProduct(options.light.shading(normal).cwiseMax(0.0F));
        Eigen::Map<Eigen::Vector3f>(images.normal.at(x, y)) = camera_from_model * normal;
        *images.depth.at(x, y) = depth_mm;
        *images.mask.at(x, y) = 255;
      }
    }
  });
  return images;
}

ImageF renderPncc(const Fragments& fragments, const Triangles& triangles, const Points3& mean_vertices) {
  if (mean_vertices.rows() == 0) return ImageF(fragments.width, fragments.height, 3);
  const Eigen::RowVector3f low = mean_vertices.colwise().minCoeff();
  const Eigen::RowVector3f size = (mean_vertices.colwise().maxCoeff() - low).cwiseMax(1e-12F);
  const Points3 code = (mean_vertices.rowwise() - low).array().rowwise() / size.array();
  return interpolate(fragments, triangles, code);
}

Image8 overlay(const Image8& photo, const ImageF& colour_linear, const Image8& mask, float opacity) {
  const int width = photo.width(), height = photo.height();
  require(photo.channels() >= 3, "overlay: the photo has ", photo.channels(), " channels, expected RGB");
  require(colour_linear.width() == width && colour_linear.height() == height &&
              colour_linear.channels() == 3 && mask.width() == width && mask.height() == height &&
              mask.channels() == 1,
          "overlay: the photo is ", width, "x", height, ", the rendered colour ", colour_linear.width(), "x",
          colour_linear.height(), "x", colour_linear.channels(), ", the mask ", mask.width(), "x",
          mask.height(), "x", mask.channels(), "; render at the photo's size");
  require(opacity >= 0 && opacity <= 1, "overlay: opacity ", opacity, " is outside of [0, 1]");
  Image8 out = photo;
  parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < width; ++x) {
        const float weight = opacity * static_cast<float>(*mask.at(x, y)) / 255.0F;
        if (weight == 0) continue;
        for (int c = 0; c < 3; ++c) {
          const float under = linearFromSrgb(static_cast<float>(photo.at(x, y)[c]) / 255.0F);
          const float mixed = under + weight * (colour_linear.at(x, y)[c] - under);
          const float srgb = srgbFromLinear(std::clamp(mixed, 0.0F, 1.0F));
          out.at(x, y)[c] = static_cast<std::uint8_t>(std::lround(255.0F * srgb));
        }
      }
    }
  });
  return out;
}

}  // namespace facet
