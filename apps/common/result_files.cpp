#include "apps/common/result_files.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <opencv2/imgproc.hpp>

#include "apps/common/head.h"
#include "apps/common/interrupt.h"
#include "apps/common/json_text.h"
#include "assets/head_asset.h"
#include "core/io/files.h"
#include "core/io/glb.h"
#include "core/io/image_io.h"
#include "core/io/mesh_io.h"
#include "core/io/npz.h"
#include "render/face_renderer.h"

namespace facet {
namespace {

using nlohmann::json;

constexpr float kOverlayOpacity = 0.75F;

// Clip matrix with near and far plane close around the face, so that depth buffers of any width do.
Eigen::Matrix4f clipFromCamera(const Camera& camera, const Points3& vertices) {
  const Points3 in_camera = camera.cameraFromModel(vertices);
  const float low = in_camera.col(2).minCoeff(), high = in_camera.col(2).maxCoeff();
  const float margin = 0.1F * (high - low);
  return camera.clipFromCamera(std::max(low - margin, 0.01F * high), high + margin);
}

Eigen::Matrix3f cameraMatrix(const Camera& camera) {
  if (camera.projection == Camera::Projection::kPerspective) return camera.intrinsics();
  Eigen::Matrix3f scaled = Eigen::Matrix3f::Identity();  // x = scale X + cx
  scaled.topLeftCorner<2, 2>() *= camera.scale_px_per_mm;
  scaled.topRightCorner<2, 1>() = camera.principal_px;
  return scaled;
}

NpyArray floatArray(const Eigen::Ref<const Eigen::MatrixXf>& matrix) {
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> rows = matrix;
  return NpyArray::fromFloat(rows.data(), {rows.rows(), rows.cols()});
}

NpyArray vectorArray(const Eigen::VectorXf& values) {
  return NpyArray::fromFloat(values.data(), {values.size()});
}

NpyArray triangleArray(const Triangles& triangles) {
  return NpyArray::fromInt32(triangles.data(), {triangles.rows(), 3});
}

Npz fitArrays(const MorphableModel& model, const Photo& photo, const Reconstruction& result) {
  Npz arrays;
  arrays["landmarks68"] = floatArray(result.landmarks.ibug68.positions_px);
  if (result.landmarks.ibug68.sigma_px.size() > 0)
    arrays["landmarks68_sigma_px"] = vectorArray(result.landmarks.ibug68.sigma_px);
  if (result.landmarks.dense.size() > 0) {
    arrays["dense"] = floatArray(result.landmarks.dense.positions_px);
    arrays["dense_sigma_px"] = vectorArray(result.landmarks.dense.sigma_px);
  }
  if (result.coarse.rows() == 0) return arrays;
  const Camera& camera = result.fit.camera;
  arrays["identity"] = vectorArray(result.fit.identity);
  arrays["expression"] = vectorArray(result.fit.expression);
  if (result.fit.pose.rows() > 0) arrays["joint_rotations"] = floatArray(result.fit.pose);
  arrays["albedo"] = vectorArray(result.appearance.albedo);
  arrays["light_sh"] = floatArray(result.appearance.light.coefficients);
  arrays["K"] = floatArray(cameraMatrix(camera));
  arrays["camera_from_model"] = floatArray(camera.camera_from_model.matrix());
  arrays["clip_from_camera"] = floatArray(clipFromCamera(camera, result.coarse));
  const std::int32_t size_px[2] = {photo.pixels.width(), photo.pixels.height()};
  arrays["image_size"] = NpyArray::fromInt32(size_px, {2});
  arrays["neutral_vertices"] = floatArray(result.neutral);
  arrays["coarse_vertices"] = floatArray(result.coarse);
  arrays["vertex_albedo"] = floatArray(result.appearance.vertex_albedo);
  arrays["triangles"] = triangleArray(model.triangles);
  if (model.uv.rows() > 0) {
    arrays["uv"] = floatArray(model.uv);
    arrays["uv_triangles"] = triangleArray(model.uv_triangles);
  }
  if (model.landmarks68.size() > 0) {
    arrays["landmark_triangle68"] =
        NpyArray::fromInt32(model.landmarks68.triangle.data(), {kNumIbugLandmarks});
    arrays["landmark_barycentric68"] = floatArray(model.landmarks68.barycentric);
  }
  return arrays;
}

void writeFaceGlb(const std::filesystem::path& path, const MorphableModel& model, const Photo& photo,
                  const Reconstruction& result, Image8 texture) {
  FaceAsset asset = headAsset(
      model, result.neutral,
      headTextures(model, result.neutral, {std::move(texture), dataToImage(result.maps.visibility), {}}),
      result.appearance.vertex_albedo.colwise().mean().transpose());
  asset.extras_json =
      provenanceJson(model, {{{"file", photo.path.filename().string()}, {"sha256", photo.sha256}}});
  writeGlb(path, asset);
}

// Camera-frame normals as the usual colours: red to the right, green up, blue towards the camera.
Image8 normalImage(const ImageF& normal_in_camera, const Image8& mask) {
  ImageF values(normal_in_camera.width(), normal_in_camera.height(), 3);
  for (int y = 0; y < values.height(); ++y) {
    for (int x = 0; x < values.width(); ++x) {
      if (*mask.at(x, y) == 0) continue;
      const float* normal = normal_in_camera.at(x, y);
      float* value = values.at(x, y);
      value[0] = 0.5F + 0.5F * normal[0];
      value[1] = 0.5F - 0.5F * normal[1];
      value[2] = 0.5F - 0.5F * normal[2];
    }
  }
  return dataToImage(values);
}

Image8 objectNormalImage(ImageF normal_map) {
  for (int y = 0; y < normal_map.height(); ++y) {
    for (int x = 0; x < normal_map.width(); ++x) {
      Eigen::Map<Eigen::Vector3f> normal(normal_map.at(x, y));
      if (normal.squaredNorm() > 0) normal = (0.5F * normal.array() + 0.5F).matrix();
    }
  }
  return dataToImage(normal_map);
}

}  // namespace

json jsonNumber(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.7g", value);
  return std::strtod(text, nullptr);
}

json jsonRows(const Eigen::Ref<const Eigen::MatrixXf>& matrix) {
  json rows = json::array();
  for (int i = 0; i < matrix.rows(); ++i) {
    if (matrix.cols() == 1) {
      rows.push_back(jsonNumber(matrix(i, 0)));
      continue;
    }
    json row = json::array();
    for (int j = 0; j < matrix.cols(); ++j) row.push_back(jsonNumber(matrix(i, j)));
    rows.push_back(row);
  }
  return rows;
}

json modelJson(const MorphableModel& model, const std::string& reference) {
  return {{"id", model.id},
          {"licence", model.licence},
          {"reference", reference},
          {"vertices", model.numVertices()},
          {"identity_modes", model.numIdentity()},
          {"expression_modes", model.numExpression()}};
}

json fitJson(const MorphableModel& model, const std::string& model_reference, const Photo& photo,
             const Reconstruction& result, unsigned seed) {
  json fit;
  fit["facet_version"] = FACET_VERSION;
  fit["seed"] = seed;
  fit["inputs"] = {{{"path", photo.path.string()},
                    {"sha256", photo.sha256},
                    {"width", photo.pixels.width()},
                    {"height", photo.pixels.height()}}};
  fit["warnings"] = result.warnings;
  fit["model"] = modelJson(model, model_reference);
  if (result.regressor) {
    fit["regressor"] = {{"path", result.regressor->path},
                        {"sha256", result.regressor->sha256},
                        {"preset", result.regressor->preset},
                        {"refined", result.regressor->refined}};
  }
  json view = {{"photo", photo.path.string()},
               {"landmarks68", jsonRows(result.landmarks.ibug68.positions_px)}};
  if (result.coarse.rows() > 0) {
    const Camera& camera = result.fit.camera;
    fit["identity"] = jsonRows(result.fit.identity);
    fit["albedo"] = jsonRows(result.appearance.albedo);
    fit["landmark_embedding68"] = json::array();
    for (int i = 0; i < model.landmarks68.size(); ++i) {
      json entry = {model.landmarks68.triangle[i]};
      for (int k = 0; k < 3; ++k) entry.push_back(jsonNumber(model.landmarks68.barycentric(i, k)));
      fit["landmark_embedding68"].push_back(entry);
    }
    view["expression"] = jsonRows(result.fit.expression);
    view["expression_names"] = model.expression_names;
    if (model.skeleton) {
      view["joint_names"] = model.skeleton->names;
      view["joint_rotations"] = jsonRows(result.fit.pose);
    }
    view["light_sh"] = jsonRows(result.appearance.light.coefficients);
    view["camera"] = {
        {"K", jsonRows(cameraMatrix(camera))},
        {"projection",
         camera.projection == Camera::Projection::kPerspective ? "perspective" : "scaled orthographic"},
        {"camera_from_model", jsonRows(camera.camera_from_model.matrix())},
        {"clip_from_camera", jsonRows(clipFromCamera(camera, result.coarse))},
        {"width", camera.width_px},
        {"height", camera.height_px}};
  }
  fit["views"] = {view};
  fit["stages"] = json::array();
  for (const StageReport& stage : result.stages) {
    fit["stages"].push_back({{"name", stage.name},
                             {"seconds", jsonNumber(stage.seconds)},
                             {"iterations", stage.iterations},
                             {"residual_px", jsonNumber(stage.residual_px)}});
  }
  return fit;
}

Image8 dataToImage(const ImageF& values) {
  Image8 image(values.width(), values.height(), values.channels());
  for (std::size_t i = 0; i < values.size(); ++i) {
    image.data()[i] = static_cast<std::uint8_t>(std::clamp(values.data()[i], 0.0F, 1.0F) * 255.0F + 0.5F);
  }
  return image;
}

Image8 drawLandmarks(const Image8& photo, const Points2& detected_px, const Points2& fitted_px) {
  Image8 drawn = photo;
  cv::Mat canvas(drawn.height(), drawn.width(), CV_8UC3, drawn.data());
  const auto draw = [&](const Points2& points, const cv::Scalar& colour) {
    if (points.rows() == 0) return;
    const float size_px = (points.colwise().maxCoeff() - points.colwise().minCoeff()).maxCoeff();
    const double radius_px = std::max(1.2, 0.008 * size_px);
    constexpr int kShift = 4;  // sub-pixel bits of cv::circle, whose pixel centres lie at whole numbers
    const auto fixed = [&](float x) { return cvRound((x - 0.5F) * (1 << kShift)); };
    for (int i = 0; i < points.rows(); ++i) {
      if (!points.row(i).allFinite()) continue;
      cv::circle(canvas, {fixed(points(i, 0)), fixed(points(i, 1))}, cvRound(radius_px * (1 << kShift)),
                 colour, cv::FILLED, cv::LINE_AA, kShift);
    }
  };
  draw(fitted_px, {235, 60, 40});
  draw(detected_px, {60, 230, 60});
  return drawn;
}

void writeResult(const std::filesystem::path& folder, const MorphableModel& model,
                 const std::string& model_reference, const Photo& photo, const Reconstruction& result,
                 unsigned seed, const std::function<void(double)>& step) {
  namespace fs = std::filesystem;
  const bool has_fit = result.coarse.rows() > 0, has_maps = !result.maps.texture.empty();
  constexpr int kNumFiles = 19;
  int num_written = 0;
  const auto next = [&] { step(static_cast<double>(num_written++) / kNumFiles); };

  // Image space.
  fs::create_directories(folder / "image");
  Points2 fitted_px;
  if (has_fit && model.landmarks68.size() > 0) {
    fitted_px = result.fit.camera.imageFromModel(model.landmarks68.points(result.coarse, model.triangles));
  }
  next();
  writePng(folder / "image/landmarks.png",
           drawLandmarks(photo.pixels, result.landmarks.ibug68.positions_px, fitted_px));
  if (has_fit) {
    const Mesh coarse = model.mesh(result.coarse);
    ShadeOptions shade;
    shade.light = result.appearance.light;
    shade.albedo = result.appearance.vertex_albedo;
    shade.cull_backfaces = true;
    if (has_maps) shade.albedo_texture = result.maps.texture;
    const FaceImages images = renderFace(coarse, result.fit.camera, shade);
    next();
    writePng(folder / "image/overlay.png",
             overlay(photo.pixels, images.colour, images.mask, kOverlayOpacity));
    next();
    writePng(folder / "image/pncc.png",
             dataToImage(renderPncc(images.fragments, model.triangles, model.mean)));
    next();
    writePng(folder / "image/normal.png", normalImage(images.normal, images.mask));
    next();
    writePng(folder / "image/mask.png", images.mask);
    next();
    writeExr(folder / "image/depth.exr", images.depth);
  }

  // UV space.
  Image8 texture;
  if (has_maps) {
    fs::create_directories(folder / "maps");
    texture = srgbFromLinear(result.maps.texture);
    next();
    writePng(folder / "maps/albedo.png", srgbFromLinear(result.maps.albedo));
    next();
    writePng(folder / "maps/texture.png", texture);
    next();
    writePng(folder / "maps/normal.png", objectNormalImage(result.maps.normal));
    next();
    writePng(folder / "maps/visibility.png", dataToImage(result.maps.visibility));
    next();
    writeExr(folder / "maps/position.exr", result.maps.position);
  }

  // Meshes.
  if (has_fit) {
    fs::create_directories(folder / "mesh");
    const std::string texture_file = has_maps ? "../maps/texture.png" : "";
    next();
    writeObj(folder / "mesh/neutral.obj", model.mesh(result.neutral), texture_file);
    next();
    writeObj(folder / "mesh/coarse.obj", model.mesh(result.coarse), texture_file);
    next();
    writeFaceGlb(folder / "face.glb", model, photo, result, texture);
  }
  next();
  writeNpz(folder / "fit.npz", fitArrays(model, photo, result), true);
  next();
  writeText(folder / "fit.json", jsonText(fitJson(model, model_reference, photo, result, seed)));
}

}  // namespace facet
