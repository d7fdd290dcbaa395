#include "core/io/coefficient_files.h"

#include <Eigen/Geometry>
#include <Eigen/QR>
#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/check.h"
#include "core/error.h"
#include "core/io/files.h"
#include "core/io/mat_writer.h"
#include "core/io/npz.h"

namespace facet {
namespace fs = std::filesystem;
namespace {

constexpr float kMetresPerMillimetre = 1e-3F;

bool startsWith(const std::string& text, const char* start) { return text.rfind(start, 0) == 0; }

void checkCamera(const fs::path& path, const Camera& camera) {
  if (camera.projection == Camera::Projection::kPerspective) return;
  fail(ErrorKind::kUsage, path.string(),
       ": the camera is scaled orthographic, which this file cannot hold; fit with a perspective one");
}

Eigen::VectorXf padded(const Eigen::VectorXf& values, Eigen::Index count) {
  Eigen::VectorXf result = Eigen::VectorXf::Zero(count);
  const Eigen::Index known = std::min(values.size(), count);
  result.head(known) = values.head(known);
  return result;
}

Eigen::Vector3f axisAngle(const Eigen::Matrix3f& rotation) {
  const Eigen::AngleAxisd turn(rotation.cast<double>());
  return (turn.angle() * turn.axis()).cast<float>();
}

Eigen::Matrix3f rotationFrom(const Eigen::Vector3f& axis_angle) {
  const float angle = axis_angle.norm();
  if (angle == 0) return Eigen::Matrix3f::Identity();
  return Eigen::AngleAxisf(angle, axis_angle / angle).toRotationMatrix();
}

// OpenGL's camera frame, which is the viewer's (x right, y up, z to the viewer), from OpenCV's.
Eigen::Isometry3f viewerFromModel(const Camera& camera) {
  Eigen::Isometry3f viewer_from_camera = Eigen::Isometry3f::Identity();
  viewer_from_camera.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  return viewer_from_camera * camera.camera_from_model;
}

// A face in FLAME's own parameters.
struct FlameParameters {
  Eigen::VectorXf shape, expression;
  Eigen::Vector3f rotation, neck, jaw, left_eye, right_eye;
  Eigen::Vector3f translation_m;
};

void checkFlame(const fs::path& path, const MorphableModel& model) {
  if (startsWith(model.id, "flame") && model.skeleton) return;
  fail(ErrorKind::kUsage, path.string(), ": holds FLAME's coefficients, but the model is ", model.id,
       "; fit with --model generic_model.pkl (facet model list says where to get it)");
}

// `camera_z_mm`: where the camera stands on the world's z axis, along which it looks back.
FlameParameters flameParameters(const MorphableModel& model, const FaceCoefficients& face,
                                float camera_z_mm) {
  const Skeleton& skeleton = *model.skeleton;
  const Eigen::Index num_modes = model.numExpression() - model.num_blendshapes;
  FlameParameters flame;
  flame.shape = padded(face.identity, model.numIdentity());
  flame.expression = padded(face.expression, num_modes);
  const auto poseOf = [&](const char* joint_name) -> Eigen::Vector3f {
    const int joint = skeleton.jointIndex(joint_name);
    if (joint < 0 || joint >= face.pose.rows()) return Eigen::Vector3f::Zero();
    return face.pose.row(joint).transpose();
  };
  flame.neck = poseOf("neck"), flame.jaw = poseOf("jaw");
  flame.left_eye = poseOf("left_eye"), flame.right_eye = poseOf("right_eye");
  // FLAME turns about its root joint, which lies where shape and expression put it; the fit's pose of the
  // head, about the origin, is the camera's.
  const Eigen::Isometry3f viewer_from_model = viewerFromModel(face.camera);
  const Eigen::Vector3f root =
      skeleton.joints(model.vertices(face.identity, face.expression)).row(0).transpose();
  flame.rotation = axisAngle(viewer_from_model.linear() * rotationFrom(poseOf(skeleton.names[0].c_str())));
  const Eigen::Vector3f translation_mm = viewer_from_model * root - root + Eigen::Vector3f(0, 0, camera_z_mm);
  flame.translation_m = kMetresPerMillimetre * translation_mm;
  return flame;
}

// Rows laid one after the other.
class RowArray {
 public:
  void add(const Eigen::VectorXf& row) {
    columns_ = row.size();
    ++rows_;
    values_.insert(values_.end(), row.data(), row.data() + row.size());
  }
  NpyArray array() const { return NpyArray::fromFloat(values_.data(), {rows_, columns_}); }

 private:
  std::vector<float> values_;
  std::int64_t rows_ = 0, columns_ = 0;
};

NpyArray vectorArray(const Eigen::VectorXf& values) {
  return NpyArray::fromFloat(values.data(), {values.size()});
}

// numpy's text array "<U5" of frame numbers: "00000", "00001", …
NpyArray timestepIds(std::size_t count) {
  constexpr std::size_t kLength = 5;
  NpyArray array;
  array.dtype = "<U5";
  array.shape = {static_cast<std::int64_t>(count)};
  for (std::size_t t = 0; t < count; ++t) {
    std::string digits = std::to_string(t % 100000);
    digits.insert(digits.begin(), kLength - digits.size(), '0');
    for (const char digit : digits) {
      const std::uint8_t utf32[4] = {static_cast<std::uint8_t>(digit), 0, 0, 0};
      array.bytes.insert(array.bytes.end(), utf32, utf32 + 4);
    }
  }
  return array;
}

Eigen::VectorXf joined(const Eigen::Vector3f& a, const Eigen::Vector3f& b) {
  Eigen::VectorXf both(6);
  both << a, b;
  return both;
}

// The light in terms of display values (9×3, columns R, G, B): sampled over all directions and fitted.
template <typename Terms>
Eigen::MatrixXf displayLight(const SphericalHarmonicsLight& light, const Eigen::Matrix3f& viewer_from_model,
                             const Terms& terms_of) {
  constexpr float kDisplayGamma = 2.2F;
  const Points3 directions = sphereDirections(800);
  Eigen::MatrixXf terms(directions.rows(), 9), shading(directions.rows(), 3);
  for (Eigen::Index i = 0; i < directions.rows(); ++i) {
    const Eigen::Vector3f normal = directions.row(i).transpose();
    terms.row(i) = terms_of(normal).transpose();
    const Eigen::Vector3f linear = light.shading(viewer_from_model.transpose() * normal);
    shading.row(i) = linear.array().max(0).pow(1 / kDisplayGamma).transpose();
  }
  return terms.colPivHouseholderQr().solve(shading);
}

}  // namespace

Camera vhapCamera(const Camera& camera) {
  Camera result = camera;
  result.camera_from_model.linear() = Eigen::Vector3f(1, -1, -1).asDiagonal();
  result.camera_from_model.translation() = Eigen::Vector3f(0, 0, 1000);
  return result;
}

void writeVhapNpz(const fs::path& path, const MorphableModel& model,
                  const std::vector<FaceCoefficients>& frames) {
  require(!frames.empty(), "writeVhapNpz: there are no frames");
  checkFlame(path, model);
  const Camera& camera = frames[0].camera;
  const Eigen::Vector2f middle_px(0.5F * static_cast<float>(camera.width_px),
                                  0.5F * static_cast<float>(camera.height_px));
  constexpr float kSamePlace_px = 0.01F;
  RowArray expression, rotation, neck, jaw, eyes, translation;
  for (const FaceCoefficients& face : frames) {
    checkCamera(path, face.camera);
    if (face.camera.focal_px != camera.focal_px || face.camera.width_px != camera.width_px ||
        face.camera.height_px != camera.height_px ||
        (face.camera.principal_px - middle_px).norm() > kSamePlace_px) {
      fail(ErrorKind::kUsage, path.string(),
           ": VHAP's file holds one focal length and a principal point in the middle of the image, and these "
           "cameras are others; track with one --focal, or use transforms.json for the cameras");
    }
    const FlameParameters flame = flameParameters(model, face, 1000);
    expression.add(flame.expression);
    rotation.add(flame.rotation);
    neck.add(flame.neck);
    jaw.add(flame.jaw);
    eyes.add(joined(flame.left_eye, flame.right_eye));
    translation.add(flame.translation_m);
  }
  Npz arrays;
  arrays["shape"] = vectorArray(padded(frames[0].identity, model.numIdentity()));
  arrays["expr"] = expression.array();
  arrays["rotation"] = rotation.array();
  arrays["neck_pose"] = neck.array();
  arrays["jaw_pose"] = jaw.array();
  arrays["eyes_pose"] = eyes.array();
  arrays["translation"] = translation.array();
  const SphericalHarmonicsLight white;
  const Points3 lights = displayLight(frames[0].light ? *frames[0].light : white,
                                      viewerFromModel(camera).linear(), decaLightTerms);
  arrays["lights"] = NpyArray::fromFloat(lights.data(), {9, 3});
  const Points3 no_offset = Points3::Zero(model.numVertices(), 3);
  arrays["static_offset"] = NpyArray::fromFloat(no_offset.data(), {1, model.numVertices(), 3});
  arrays["timestep_id"] = timestepIds(frames.size());
  const auto num_frames = static_cast<std::int32_t>(frames.size());
  arrays["n_processed_frames"] = NpyArray::fromInt32(&num_frames, {});
  const float focal = camera.focal_px / static_cast<float>(std::max(camera.width_px, camera.height_px));
  arrays["focal_length"] = NpyArray::fromFloat(&focal, {1});
  const std::array<std::int32_t, 2> size = {camera.height_px, camera.width_px};
  arrays["image_size"] = NpyArray::fromInt32(size.data(), {2});
  writeNpz(path, arrays);
}

void writeFlameNpz(const fs::path& path, const MorphableModel& model, const FaceCoefficients& face) {
  checkFlame(path, model);
  checkCamera(path, face.camera);
  const FlameParameters flame = flameParameters(model, face, 0);
  Eigen::VectorXf pose(15);
  pose << flame.rotation, flame.neck, flame.jaw, flame.left_eye, flame.right_eye;
  const auto row = [](const Eigen::VectorXf& values) {
    return NpyArray::fromFloat(values.data(), {1, values.size()});
  };
  writeNpz(path, {{"betas", row(flame.shape)},
                  {"expression", row(flame.expression)},
                  {"pose", row(pose)},
                  {"transl", row(flame.translation_m)}});
}

void writeBfmMat(const fs::path& path, const MorphableModel& model, const FaceCoefficients& face) {
  if (!startsWith(model.id, "bfm-") && !startsWith(model.id, "face3d")) {
    fail(ErrorKind::kUsage, path.string(), ": holds a Basel model's coefficients, but the model is ",
         model.id,
         "; fit with --model 01_MorphableModel.mat or another of that family (facet model list has them)");
  }
  checkCamera(path, face.camera);
  MatWriter file;
  file.add("alpha", padded(face.identity, model.numIdentity()));
  file.add("exp", padded(face.expression, model.numExpression()));
  file.add("beta", face.albedo.size() > 0 ? padded(face.albedo, model.numAlbedo()) : Eigen::VectorXf(0));
  file.add("R", face.camera.camera_from_model.linear());
  file.add("t", face.camera.camera_from_model.translation());
  file.add("K", face.camera.intrinsics());
  writeBytes(path, file.bytes().data(), file.bytes().size());
}

Eigen::Matrix<float, 9, 1> deep3dLightTerms(const Eigen::Vector3f& n) {
  // The bands of the real spherical harmonics, multiplied by pi, 2 pi / sqrt 3 and 2 pi / sqrt 8.
  constexpr float kPi = std::numbers::pi_v<float>;
  const float band0 = kPi / std::sqrt(4 * kPi);
  const float band1 = 2 * kPi / std::sqrt(3.0F) * std::sqrt(3 / (4 * kPi));
  const float band2 = 2 * kPi / std::sqrt(8.0F) * 3 * std::sqrt(5 / (12 * kPi));
  const float x = n.x(), y = n.y(), z = n.z();
  Eigen::Matrix<float, 9, 1> terms;
  terms << band0, -band1 * y, band1 * z, -band1 * x, band2 * x * y, -band2 * y * z,
      0.5F / std::sqrt(3.0F) * band2 * (3 * z * z - 1), -band2 * x * z, 0.5F * band2 * (x * x - y * y);
  return terms;
}

Eigen::Matrix<float, 9, 1> decaLightTerms(const Eigen::Vector3f& n) {
  // The same bands, multiplied by 1, 2 pi / 3 and pi / 4.
  constexpr float kPi = std::numbers::pi_v<float>;
  const float band0 = 1 / std::sqrt(4 * kPi);
  const float band1 = 2 * kPi / 3 * std::sqrt(3 / (4 * kPi));
  const float band2 = kPi / 4 * 3 * std::sqrt(5 / (12 * kPi));
  const float x = n.x(), y = n.y(), z = n.z();
  Eigen::Matrix<float, 9, 1> terms;
  terms << band0, band1 * x, band1 * y, band1 * z, band2 * x * y, band2 * x * z, band2 * y * z,
      0.5F * band2 * (x * x - y * y), 0.5F / std::sqrt(3.0F) * band2 * (3 * z * z - 1);
  return terms;
}

void writeDeep3dMat(const fs::path& path, const MorphableModel& model, const FaceCoefficients& face) {
  constexpr int kIdentity = 80, kExpression = 64, kAlbedo = 80;
  constexpr float kFocal_px = 1015, kSize_px = 224, kMillimetresPerUnit = 100, kDistance = 10;
  if ((model.id != "bfm-2009-front" && model.id != "3ddfa-v3") || model.numIdentity() != kIdentity ||
      model.numExpression() != kExpression) {
    fail(ErrorKind::kUsage, path.string(), ": holds Deep3D's 257 coefficients (80 + 64 + 80 modes), but the ",
         "model is ", model.id, " with ", model.numIdentity(), " + ", model.numExpression(),
         "; fit with --model BFM_model_front.mat");
  }
  checkCamera(path, face.camera);
  const Eigen::Isometry3f viewer_from_model = viewerFromModel(face.camera);
  const Eigen::Matrix3f rotation = viewer_from_model.linear();  // Rz Ry Rx
  Eigen::VectorXf angle(3), gamma = Eigen::VectorXf::Zero(27);
  angle << std::atan2(rotation(2, 1), rotation(2, 2)), std::asin(std::clamp(-rotation(2, 0), -1.0F, 1.0F)),
      std::atan2(rotation(1, 0), rotation(0, 0));
  if (face.light) {
    constexpr float kWhite = 0.8F;
    const Eigen::MatrixXf light = displayLight(*face.light, rotation, deep3dLightTerms);
    gamma = light.reshaped();  // nine of red, of green, of blue
    for (int channel = 0; channel < 3; ++channel) gamma[9 * channel] -= kWhite;
  }
  Eigen::VectorXf translation = viewer_from_model.translation() / kMillimetresPerUnit;
  translation[2] += kDistance;
  const float step = face.camera.focal_px / kFocal_px;
  const Eigen::Vector2f left_top_px =
      face.camera.principal_px - Eigen::Vector2f::Constant(0.5F * step * kSize_px);

  const std::vector<std::pair<std::string, Eigen::VectorXf>> parts = {
      {"id", padded(face.identity, kIdentity)},
      {"exp", padded(face.expression, kExpression)},
      {"tex", padded(face.albedo, kAlbedo)},
      {"angle", angle},
      {"gamma", gamma},
      {"trans", translation}};
  MatWriter file;
  Eigen::RowVectorXf all(257);
  Eigen::Index at = 0;
  for (const auto& [name, values] : parts) {
    all.segment(at, values.size()) = values.transpose();
    at += values.size();
  }
  file.add("coeff", all);
  for (const auto& [name, values] : parts) file.add(name, values.transpose());
  file.add("crop", Eigen::RowVector3f(left_top_px.x(), left_top_px.y(), step));
  writeBytes(path, file.bytes().data(), file.bytes().size());
}

}  // namespace facet
