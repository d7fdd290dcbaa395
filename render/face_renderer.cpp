#include "render/face_renderer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/check.h"
#include "core/parallel.h"
#include "render/image_views.h"
#include "render/ops/antialias.h"
#include "render/ops/interpolate.h"
#include "render/ops/rasterize.h"
#include "render/ops/texture.h"

namespace facet {
namespace {

using Attributes = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr int kRowsPerChunk = 16;
constexpr float kMidGrey = 0.18F;  // linear albedo of the photographer's grey card

// Channels of what is interpolated over the face.
constexpr int kNormal = 0, kDepth = 3, kAlbedo = 4;

// Per pixel inputs of the shading, which forward and backward both need.
struct Surface {
  ImageF attributes;  // H×W×4 or ×7: vertex normal (not unit), depth mm, albedo of the vertices
  ImageF uv;          // H×W×2, if there is a texture or a normal map
  ImageF albedo;      // H×W×3 of the texture, if there is one
  ImageF normal;      // H×W×3 of the normal map, if there is one
};

void check(const char* name, const Mesh& mesh, const ShadeOptions& options) {
  mesh.check(name);
  const auto checkMap = [&](const std::optional<ImageF>& map, const char* map_name) {
    if (!map) return;
    require(mesh.hasUv(), name, ": ", map_name, " needs a mesh with texture coordinates");
    require(map->channels() == 3 && !map->empty(), name, ": ", map_name, " is ", map->width(), "x",
            map->height(), "x", map->channels(), ", expected 3 channels");
  };
  checkMap(options.albedo_texture, "the albedo texture");
  checkMap(options.normal_map, "the normal map");
  require(options.albedo.rows() == 0 || options.albedo.rows() == mesh.vertices.rows(), name, ": ",
          options.albedo.rows(), " albedo colours for ", mesh.vertices.rows(), " vertices");
}

bool hasVertexAlbedo(const ShadeOptions& options) {
  return !options.albedo_texture && options.albedo.rows() > 0;
}

Attributes vertexAttributes(const Mesh& mesh, const Camera& camera, const ShadeOptions& options) {
  Attributes attributes(mesh.vertices.rows(), hasVertexAlbedo(options) ? kAlbedo + 3 : kAlbedo);
  attributes.middleCols<3>(kNormal) = vertexNormals(mesh.vertices, mesh.triangles);
  attributes.col(kDepth) = camera.cameraFromModel(mesh.vertices).col(2);
  if (hasVertexAlbedo(options)) attributes.middleCols<3>(kAlbedo) = options.albedo;
  return attributes;
}

Surface surfaceAtPixels(const Mesh& mesh, const Camera& camera, const ShadeOptions& options,
                        const Fragments& fragments) {
  Surface surface;
  surface.attributes = interpolate(fragments, mesh.triangles, vertexAttributes(mesh, camera, options));
  if (options.albedo_texture || options.normal_map)
    surface.uv = interpolate(fragments, mesh.uv_triangles, mesh.uv);
  const auto sample = [&](const ImageF& map) {
    return sampleTexture(map, surface.uv, TextureFilter::kLinear, TextureBoundary::kClamp, &fragments);
  };
  if (options.albedo_texture) surface.albedo = sample(*options.albedo_texture);
  if (options.normal_map) surface.normal = sample(*options.normal_map);
  return surface;
}

Eigen::Vector3f albedoAt(const Surface& surface, const ShadeOptions& options, int x, int y) {
  if (options.albedo_texture) return Eigen::Map<const Eigen::Vector3f>(surface.albedo.at(x, y));
  if (hasVertexAlbedo(options))
    return Eigen::Map<const Eigen::Vector3f>(surface.attributes.at(x, y) + kAlbedo);
  return Eigen::Vector3f::Constant(kMidGrey);
}

// Not unit; zero where the mesh says nothing.
Eigen::Vector3f rawNormalAt(const Surface& surface, const ShadeOptions& options, int x, int y) {
  return options.normal_map ? Eigen::Map<const Eigen::Vector3f>(surface.normal.at(x, y))
                            : Eigen::Map<const Eigen::Vector3f>(surface.attributes.at(x, y) + kNormal);
}

Eigen::Vector3f unit(const Eigen::Vector3f& v) {
  const float length = v.norm();
  return length > 0 ? Eigen::Vector3f(v / length) : Eigen::Vector3f::Zero();
}

// Colour before antialiasing.
ImageF shade(const Surface& surface, const ShadeOptions& options, const Fragments& fragments) {
  ImageF colour(fragments.width, fragments.height, 3);
  parallelFor(fragments.height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < fragments.width; ++x) {
        Eigen::Map<Eigen::Vector3f> pixel(colour.at(x, y));
        if (fragments.triangle(x, y) < 0) {
          pixel = options.background;
          continue;
        }
        const Eigen::Vector3f normal = unit(rawNormalAt(surface, options, x, y));
        pixel = albedoAt(surface, options, x, y).cwiseProduct(options.light.shading(normal).cwiseMax(0.0F));
      }
    }
  });
  return colour;
}

std::vector<std::int32_t> topologyOf(const Mesh& mesh) {
  std::vector<std::int32_t> opposite(static_cast<std::size_t>(mesh.triangles.size()));
  ops::buildTopology(view(mesh.triangles), mesh.vertices.rows(), opposite.data());
  return opposite;
}

ops::AntialiasParams antialiasParams(const ImageF& colour, const Fragments& fragments, const Points4& clip,
                                     const Mesh& mesh, const std::vector<std::int32_t>& opposite) {
  ops::AntialiasParams params;
  params.colour = view(colour);
  params.rast = view(fragments.rast);
  params.positions = view(clip);
  params.triangles = view(mesh.triangles);
  params.opposite = opposite.data();
  return params;
}

// Gradient with respect to v, given that of v / |v|.
Eigen::Vector3f unitBackward(const Eigen::Vector3f& v, const Eigen::Vector3f& grad_unit) {
  const float length = v.norm();
  if (!(length > 0)) return Eigen::Vector3f::Zero();
  const Eigen::Vector3f n = v / length;
  return (grad_unit - n * n.dot(grad_unit)) / length;
}

// d h_k / d normal, 9×3, of SphericalHarmonicsLight::basis(): it is a quadratic polynomial, so central
// differences are exact.
Eigen::Matrix<float, 9, 3> basisSlope(const Eigen::Vector3f& normal) {
  Eigen::Matrix<float, 9, 3> slope;
  for (int axis = 0; axis < 3; ++axis) {
    const Eigen::Vector3f step = 0.5F * Eigen::Vector3f::Unit(axis);
    slope.col(axis) =
        SphericalHarmonicsLight::basis(normal + step) - SphericalHarmonicsLight::basis(normal - step);
  }
  return slope;
}

// Adds the gradient of the vertices through their area-weighted normals.
void addVertexNormalsBackward(const Mesh& mesh, const Eigen::Ref<const Attributes>& grad_normals,
                              Points3& grad_vertices) {
  const auto corner = [&](int f, int k) -> Eigen::Vector3f {
    return mesh.vertices.row(mesh.triangles(f, k)).transpose();
  };
  Points3 sums = Points3::Zero(mesh.vertices.rows(), 3);
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    const int face = static_cast<int>(f);
    const Eigen::Vector3f a = corner(face, 0);
    const Eigen::Vector3f area_normal = (corner(face, 1) - a).cross(corner(face, 2) - a);
    for (int k = 0; k < 3; ++k) sums.row(mesh.triangles(f, k)) += area_normal.transpose();
  }
  for (Eigen::Index v = 0; v < sums.rows(); ++v) {
    const Eigen::Vector3f sum = sums.row(v), grad = grad_normals.row(v);
    sums.row(v) = unitBackward(sum, grad);
  }
  for (Eigen::Index f = 0; f < mesh.triangles.rows(); ++f) {
    const int face = static_cast<int>(f);
    Eigen::Vector3f grad = Eigen::Vector3f::Zero();
    for (int k = 0; k < 3; ++k) grad += sums.row(mesh.triangles(f, k)).transpose();
    const Eigen::Vector3f a = corner(face, 0), e1 = corner(face, 1) - a, e2 = corner(face, 2) - a;
    const Eigen::Vector3f grad_e1 = e2.cross(grad), grad_e2 = grad.cross(e1);
    grad_vertices.row(mesh.triangles(f, 0)) -= (grad_e1 + grad_e2).transpose();
    grad_vertices.row(mesh.triangles(f, 1)) += grad_e1.transpose();
    grad_vertices.row(mesh.triangles(f, 2)) += grad_e2.transpose();
  }
}

// Adds the gradient of vertices, pose and focal length through the projection. Only lines where surfaces cut
// each other have a gradient of z; the near and far plane count as constant.
void addProjectionBackward(const Mesh& mesh, const Camera& camera, const Points4& grad_clip,
                           FaceGradients& gradients) {
  const bool perspective = camera.projection == Camera::Projection::kPerspective;
  const auto [near_mm, far_mm] = camera.depthRange(mesh.vertices);
  const Eigen::Matrix<float, 4, 3> clip_from_camera = camera.clipFromCamera(near_mm, far_mm).leftCols<3>();
  const Points3 in_camera = camera.cameraFromModel(mesh.vertices);
  const Eigen::Matrix3f linear = camera.camera_from_model.linear();
  const float lens = perspective ? camera.focal_px : camera.scale_px_per_mm;
  const float x_scale = clip_from_camera(0, 0) / lens, y_scale = clip_from_camera(1, 1) / lens;
  Eigen::Vector3d rotation = Eigen::Vector3d::Zero(), translation = rotation;
  double focal = 0;
  for (Eigen::Index v = 0; v < grad_clip.rows(); ++v) {
    const Eigen::Vector4f grad = grad_clip.row(v);
    if (grad.isZero(0)) continue;
    const Eigen::Vector3f point = in_camera.row(v), grad_camera = clip_from_camera.transpose() * grad;
    gradients.vertices.row(v) += (linear.transpose() * grad_camera).transpose();
    rotation += point.cross(grad_camera).cast<double>();
    translation += grad_camera.cast<double>();
    focal += grad.x() * x_scale * point.x() + grad.y() * y_scale * point.y();
  }
  gradients.rotation_rad += rotation.cast<float>();
  gradients.translation_mm += translation.cast<float>();
  gradients.focal_px += static_cast<float>(focal);
}

}  // namespace

FaceImages renderFace(const Mesh& mesh, const Camera& camera, const ShadeOptions& options) {
  check("renderFace", mesh, options);
  const int width = camera.width_px, height = camera.height_px;
  const Points4 clip = camera.clipFromModel(mesh.vertices);

  FaceImages images;
  images.fragments =
      rasterize(clip, mesh.triangles, width, height, {.cull_backfaces = options.cull_backfaces});
  const Surface surface = surfaceAtPixels(mesh, camera, options, images.fragments);
  images.colour = shade(surface, options, images.fragments);
  images.normal = ImageF(width, height, 3);
  images.depth = ImageF(width, height, 1);
  images.mask = Image8(width, height, 1);
  const Eigen::Matrix3f camera_from_model = camera.camera_from_model.linear();
  parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < width; ++x) {
        if (images.fragments.triangle(x, y) < 0) continue;
        Eigen::Map<Eigen::Vector3f>(images.normal.at(x, y)) =
            camera_from_model * unit(rawNormalAt(surface, options, x, y));
        *images.depth.at(x, y) = surface.attributes.at(x, y)[kDepth];
        *images.mask.at(x, y) = 255;
      }
    }
  });
  if (options.antialias) {
    const ImageF sharp = std::move(images.colour);
    images.colour = ImageF(width, height, 3);
    const std::vector<std::int32_t> opposite = topologyOf(mesh);
    ops::AntialiasParams params = antialiasParams(sharp, images.fragments, clip, mesh, opposite);
    params.out = view(images.colour);
    ops::antialiasCpu(params);
  }
  return images;
}

std::vector<FaceImages> renderFace(const Mesh& mesh, const std::vector<Camera>& cameras,
                                   const ShadeOptions& options) {
  std::vector<FaceImages> images;
  for (const Camera& camera : cameras) images.push_back(renderFace(mesh, camera, options));
  return images;
}

FaceGradients& FaceGradients::operator+=(const FaceGradients& other) {
  require(vertices.rows() == other.vertices.rows() && albedo.rows() == other.albedo.rows(),
          "FaceGradients: ", other.vertices.rows(), " vertices with ", other.albedo.rows(),
          " colours cannot be added to ", vertices.rows(), " with ", albedo.rows());
  const auto addImage = [](std::optional<ImageF>& sum, const std::optional<ImageF>& term) {
    require(sum.has_value() == term.has_value() && (!sum || sum->size() == term->size()),
            "FaceGradients: maps of different sizes cannot be added");
    if (!sum) return;
    for (std::size_t i = 0; i < sum->size(); ++i) sum->data()[i] += term->data()[i];
  };
  vertices += other.vertices;
  light += other.light;
  albedo += other.albedo;
  addImage(albedo_texture, other.albedo_texture);
  addImage(normal_map, other.normal_map);
  rotation_rad += other.rotation_rad;
  translation_mm += other.translation_mm;
  focal_px += other.focal_px;
  return *this;
}

FaceGradients renderFaceBackward(const Mesh& mesh, const Camera& camera, const ShadeOptions& options,
                                 const FaceImages& images, const ImageF& grad_colour) {
  check("renderFaceBackward", mesh, options);
  const Fragments& fragments = images.fragments;
  const int width = fragments.width, height = fragments.height;
  require(width == camera.width_px && height == camera.height_px, "renderFaceBackward: the images are ",
          width, "x", height, ", the camera ", camera.width_px, "x", camera.height_px);
  require(grad_colour.width() == width && grad_colour.height() == height && grad_colour.channels() == 3,
          "renderFaceBackward: grad_colour is ", grad_colour.width(), "x", grad_colour.height(), "x",
          grad_colour.channels(), ", expected ", width, "x", height, "x3");
  const Points4 clip = camera.clipFromModel(mesh.vertices);
  const Surface surface = surfaceAtPixels(mesh, camera, options, fragments);
  FaceGradients gradients;
  gradients.vertices = Points3::Zero(mesh.vertices.rows(), 3);
  Points4 grad_clip = Points4::Zero(mesh.vertices.rows(), 4);

  // Antialiasing: to the sharp colours.
  const ImageF sharp = shade(surface, options, fragments);
  ImageF grad_sharp = grad_colour;
  if (options.antialias) {
    const std::vector<std::int32_t> opposite = topologyOf(mesh);
    ops::AntialiasBackwardParams params;
    params.forward = antialiasParams(sharp, fragments, clip, mesh, opposite);
    params.grad_out = view(grad_colour);
    params.grad_colour = view(grad_sharp);
    ops::antialiasBackwardCpu(params);
  }

  // What covers what: from the differences of neighbouring pixels. Antialiasing itself would give such
  // gradients only where a pixel sees the very triangle that owns the silhouette edge, which is rare on a
  // face: its outline is made of slivers thinner than a pixel.
  ops::EdgeGradientParams edges;
  edges.colour = view(sharp);
  edges.rast = view(fragments.rast);
  edges.positions = view(clip);
  edges.triangles = view(mesh.triangles);
  edges.grad_out = view(std::as_const(grad_sharp));
  edges.grad_positions = view(grad_clip);
  ops::edgeGradientCpu(edges);

  // Shading: to light, albedo and normal of each pixel. Sums of rows in fixed chunks, so that threads do not
  // change them.
  const int channels = surface.attributes.channels();
  ImageF grad_attributes(width, height, channels), grad_albedo(width, height, 3),
      grad_normal(width, height, 3);
  const int num_chunks = (height + kRowsPerChunk - 1) / kRowsPerChunk;
  std::vector<Eigen::Matrix<float, 9, 3>> light_sums(static_cast<std::size_t>(num_chunks),
                                                     Eigen::Matrix<float, 9, 3>::Zero());
  parallelFor(height, kRowsPerChunk, [&](int begin, int end) {
    Eigen::Matrix<float, 9, 3>& light = light_sums[static_cast<std::size_t>(begin / kRowsPerChunk)];
    for (int y = begin; y < end; ++y) {
      for (int x = 0; x < width; ++x) {
        if (fragments.triangle(x, y) < 0) continue;
        const Eigen::Vector3f grad = Eigen::Map<const Eigen::Vector3f>(grad_sharp.at(x, y));
        const Eigen::Vector3f raw_normal = rawNormalAt(surface, options, x, y), normal = unit(raw_normal);
        const Eigen::Vector3f shading = options.light.shading(normal);
        Eigen::Map<Eigen::Vector3f>(grad_albedo.at(x, y)) = grad.cwiseProduct(shading.cwiseMax(0.0F));
        const Eigen::Vector3f lit = (shading.array() > 0).cast<float>();
        const Eigen::Vector3f grad_shading =
            grad.cwiseProduct(albedoAt(surface, options, x, y)).cwiseProduct(lit);
        light += SphericalHarmonicsLight::basis(normal) * grad_shading.transpose();
        const Eigen::Vector3f grad_unit =
            basisSlope(normal).transpose() * (options.light.coefficients * grad_shading);
        Eigen::Map<Eigen::Vector3f>(grad_normal.at(x, y)) = unitBackward(raw_normal, grad_unit);
      }
    }
  });
  gradients.light.setZero();
  for (const auto& sum : light_sums) gradients.light += sum;

  // Textures: to their texels and, through uv, to the barycentrics.
  ImageF grad_rast(width, height, 4);
  if (options.albedo_texture || options.normal_map) {
    ImageF grad_uv(width, height, 2);
    const auto textureBackward = [&](const ImageF& map, const ImageF& grad) {
      ImageF grad_map(map.width(), map.height(), 3), grad_here(width, height, 2);
      ops::TextureBackwardParams params;
      params.forward.texture.levels[0] = view(map);
      params.forward.texture.num_levels = 1;
      params.forward.uv = view(std::as_const(surface.uv));
      params.forward.mask = view(std::as_const(fragments.rast));
      params.forward.boundary = ops::Boundary::kClamp;
      params.grad_out = view(grad);
      params.grad_texture.levels[0] = view(grad_map);
      params.grad_texture.num_levels = 1;
      params.grad_uv = view(grad_here);
      ops::textureBackwardCpu(params);
      for (std::size_t i = 0; i < grad_uv.size(); ++i) grad_uv.data()[i] += grad_here.data()[i];
      return grad_map;
    };
    if (options.albedo_texture)
      gradients.albedo_texture = textureBackward(*options.albedo_texture, std::as_const(grad_albedo));
    if (options.normal_map)
      gradients.normal_map = textureBackward(*options.normal_map, std::as_const(grad_normal));
    ops::InterpolateBackwardParams params;
    params.attributes = view(mesh.uv);
    params.triangles = view(mesh.uv_triangles);
    params.rast = view(std::as_const(fragments.rast));
    params.grad_out = view(std::as_const(grad_uv));
    params.grad_rast = view(grad_rast);
    ops::interpolateBackwardCpu(params);
  }

  // Interpolation: to normals and colours of the vertices and to the barycentrics.
  const Attributes attributes = vertexAttributes(mesh, camera, options);
  Attributes grad_vertex_attributes = Attributes::Zero(attributes.rows(), channels);
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      float* const pixel = grad_attributes.at(x, y);
      if (!options.normal_map) std::copy_n(grad_normal.at(x, y), 3, pixel + kNormal);
      if (hasVertexAlbedo(options)) std::copy_n(grad_albedo.at(x, y), 3, pixel + kAlbedo);
    }
  }
  ImageF grad_rast_attributes(width, height, 4);
  ops::InterpolateBackwardParams interpolation;
  interpolation.attributes = view(attributes);
  interpolation.triangles = view(mesh.triangles);
  interpolation.rast = view(std::as_const(fragments.rast));
  interpolation.grad_out = view(std::as_const(grad_attributes));
  interpolation.grad_attributes = view(grad_vertex_attributes);
  interpolation.grad_rast = view(grad_rast_attributes);
  ops::interpolateBackwardCpu(interpolation);
  for (std::size_t i = 0; i < grad_rast.size(); ++i) grad_rast.data()[i] += grad_rast_attributes.data()[i];
  if (hasVertexAlbedo(options)) gradients.albedo = grad_vertex_attributes.middleCols<3>(kAlbedo);
  if (!options.normal_map)
    addVertexNormalsBackward(mesh, grad_vertex_attributes.middleCols<3>(kNormal), gradients.vertices);

  // Rasterization: barycentrics to clip space, then through the camera.
  Points4 grad_clip_inside = Points4::Zero(mesh.vertices.rows(), 4);
  ops::RasterizeBackwardParams rasterization;
  rasterization.positions = view(clip);
  rasterization.triangles = view(mesh.triangles);
  rasterization.rast = view(std::as_const(fragments.rast));
  rasterization.grad_rast = view(std::as_const(grad_rast));
  rasterization.grad_positions = view(grad_clip_inside);
  ops::rasterizeBackwardCpu(rasterization);
  grad_clip += grad_clip_inside;
  addProjectionBackward(mesh, camera, grad_clip, gradients);
  return gradients;
}

FaceGradients renderFaceBackward(const Mesh& mesh, const std::vector<Camera>& cameras,
                                 const ShadeOptions& options, const std::vector<FaceImages>& images,
                                 const std::vector<ImageF>& grad_colour) {
  require(!cameras.empty() && images.size() == cameras.size() && grad_colour.size() == cameras.size(),
          "renderFaceBackward: ", cameras.size(), " cameras, ", images.size(), " renderings and ",
          grad_colour.size(), " gradients; give one of each per view");
  FaceGradients sum = renderFaceBackward(mesh, cameras[0], options, images[0], grad_colour[0]);
  for (std::size_t i = 1; i < cameras.size(); ++i)
    sum += renderFaceBackward(mesh, cameras[i], options, images[i], grad_colour[i]);
  return sum;
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
