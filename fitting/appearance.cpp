// Aldrian and Smith, "Inverse Rendering of Faces with a 3D Morphable Model", TPAMI 2013.
// Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001.
#include "fitting/appearance.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <string>
#include <vector>

#include "core/check.h"
#include "render/rasterize.h"

namespace facet {
namespace {

constexpr int kBands = 9, kLight = 3 * kBands;

// Neighbouring pixels err together (the model's missing moles and pores, shadows), so all of them weigh as
// much as this many independent ones.
constexpr double kIndependentPixels = 400;
// Error of a pixel that the model explains: a floor for dark skin, and a part of its brightness.
constexpr double kSigmaFloor = 0.03, kSigmaRelative = 0.15;
constexpr double kHuberSigmas = 1.0;
// A pixel channel at or above this is clipped and says only "bright".
constexpr int kClipped = 250;
// Facing less squarely than this (cosine to the viewing ray) the normals and the outline are uncertain.
constexpr float kMinFacing = 0.25F;
// A pixel counts as skin from this probability of the parsing on.
constexpr float kMinSkin = 0.5F;
// With fewer pixels than this the parsing has missed the face and is not believed.
constexpr int kFewestPixels = 200;
const Eigen::RowVector3d kLuminance(0.2126, 0.7152, 0.0722);  // ITU-R BT.709
// Light prior, relative to white ambient light of radiance 1: photographs are exposed so that faces come out
// fully lit.
constexpr double kAmbientSigma = 0.3, kDirectionalSigma = 0.5, kQuadraticSigma = 0.2, kChromaSigma = 0.08;

// Albedo of the model, or of plain skin for a model that has none.
struct AlbedoModel {
  Points3 mean;  // V×3 linear RGB
  Basis basis;   // 3V×A

  explicit AlbedoModel(const MorphableModel& model) : mean(model.albedo_mean), basis(model.albedo) {
    if (mean.rows() == 0) mean = meanSkinAlbedo().transpose().replicate(model.numVertices(), 1);
    if (model.numAlbedo() > 0) return;
    // Two modes: more or less melanin, and more or less blood (haemoglobin absorbs green most).
    const Eigen::Vector3f melanin(-0.14F, -0.12F, -0.10F), blood(0.010F, -0.030F, -0.015F);
    Eigen::MatrixXf modes(3 * model.numVertices(), 2);
    modes.col(0) = melanin.replicate(model.numVertices(), 1);
    modes.col(1) = blood.replicate(model.numVertices(), 1);
    basis = std::move(modes);
  }
};

// The part of the photo that shows the face: a camera for it, and how many photo pixels one of its pixels
// spans.
struct Window {
  Camera camera;
  float step_px = 1;          // photo pixels per window pixel
  Eigen::Vector2f origin_px;  // of the window's corner, photo pixels
};

Window faceWindow(const Camera& camera, const Points2& points_px, int side_px) {
  Eigen::Vector2f low(camera.width_px, camera.height_px), high(0, 0);
  for (int i = 0; i < points_px.rows(); ++i) {
    if (!points_px.row(i).allFinite()) continue;
    low = low.cwiseMin(points_px.row(i).transpose());
    high = high.cwiseMax(points_px.row(i).transpose());
  }
  low = low.cwiseMax(0.0F);
  high = high.cwiseMin(Eigen::Vector2f(camera.width_px, camera.height_px));
  Window window;
  if ((high - low).minCoeff() < 1) return window;  // outside the photo
  window.origin_px = low.array().floor();
  const Eigen::Vector2f size_px = high - window.origin_px;
  window.step_px = std::max(1.0F, size_px.maxCoeff() / static_cast<float>(side_px));
  window.camera = camera;
  window.camera.principal_px = (camera.principal_px - window.origin_px) / window.step_px;
  window.camera.focal_px /= window.step_px;
  window.camera.scale_px_per_mm /= window.step_px;
  window.camera.width_px = static_cast<int>(std::ceil(size_px.x() / window.step_px));
  window.camera.height_px = static_cast<int>(std::ceil(size_px.y() / window.step_px));
  return window;
}

// Mean linear colour of the photo under window pixel (x, y); false where a channel is clipped or nothing is
// there.
bool photoColour(const Image8& photo, const Window& window, const std::array<float, 256>& linear, int x,
                 int y, Eigen::Vector3d& colour) {
  const auto first = [&](float origin, int i) {
    return static_cast<int>(origin + window.step_px * static_cast<float>(i));
  };
  const int x0 = first(window.origin_px.x(), x), y0 = first(window.origin_px.y(), y);
  const int x1 = std::min(std::max(first(window.origin_px.x(), x + 1), x0 + 1), photo.width());
  const int y1 = std::min(std::max(first(window.origin_px.y(), y + 1), y0 + 1), photo.height());
  if (x0 >= x1 || y0 >= y1) return false;
  colour.setZero();
  for (int v = y0; v < y1; ++v) {
    for (int u = x0; u < x1; ++u) {
      const std::uint8_t* pixel = photo.at(u, v);
      for (int c = 0; c < 3; ++c) {
        const std::uint8_t value = pixel[photo.channels() >= 3 ? c : 0];
        if (value >= kClipped) return false;
        colour[c] += linear[value];
      }
    }
  }
  colour /= static_cast<double>(x1 - x0) * (y1 - y0);
  return true;
}

// Inside the convex outline of the 68 landmarks: above it hair may lie, below and beside it beard, ears and
// collar.
cv::Mat landmarkOutline(const MorphableModel& model, const Points3& vertices, const Camera& camera) {
  cv::Mat mask(camera.height_px, camera.width_px, CV_8UC1, cv::Scalar(255));
  if (model.landmarks68.size() == 0) return mask;
  const Points2 points = camera.imageFromModel(model.landmarks68.points(vertices, model.triangles));
  std::vector<cv::Point> corners, outline;
  for (int i = 0; i < points.rows(); ++i) {
    if (points.row(i).allFinite()) corners.emplace_back(cvRound(points(i, 0)), cvRound(points(i, 1)));
  }
  if (corners.size() < 3) return mask;
  cv::convexHull(corners, outline);
  mask.setTo(0);
  cv::fillConvexPoly(mask, outline, cv::Scalar(255));
  return mask;
}

// Triangles that show facial skin. Hair hides the scalp, clothes the neck, and ears have a redness of their
// own.
std::vector<bool> skinTriangles(const MorphableModel& model) {
  std::vector<bool> is_skin(model.triangles.rows(), true);
  const auto other_region = [&](std::int32_t vertex) {
    const std::string& name = model.region_names[model.region[vertex]];
    return name == "scalp" || name == "neck" || name.rfind("ear_", 0) == 0;
  };
  for (std::size_t f = 0; f < is_skin.size(); ++f) {
    if (!model.triangle_material.empty() && !model.material_names.empty()) {
      is_skin[f] = model.material_names[model.triangle_material[f]] == "skin";
    }
    for (int k = 0; k < 3 && !model.region.empty(); ++k) {
      if (other_region(model.triangles(static_cast<Eigen::Index>(f), k))) is_skin[f] = false;
    }
  }
  return is_skin;
}

// A black-and-white photo has no skin tone to tell: all of it is compared by luminance.
bool isGrey(const Image8& photo) {
  if (photo.channels() < 3) return true;
  for (int y = 0; y < photo.height(); y += 2) {
    for (int x = 0; x < photo.width(); x += 2) {
      const std::uint8_t* pixel = photo.at(x, y);
      if (std::max({pixel[0], pixel[1], pixel[2]}) - std::min({pixel[0], pixel[1], pixel[2]}) > 4)
        return false;
    }
  }
  return true;
}

// What the skin pixels say, one entry per pixel.
struct Samples {
  std::vector<Eigen::Matrix<double, kBands, 1>> light_basis;    // h(n)
  std::vector<Eigen::Vector3d> mean, colour;                    // linear RGB
  std::vector<Eigen::Matrix<double, 3, Eigen::Dynamic>> basis;  // 3×A

  int size() const { return static_cast<int>(mean.size()); }
};

Samples readSamples(const MorphableModel& model, const AlbedoModel& albedo, const Points3& vertices,
                    const Window& window, const Image8& photo, const std::optional<FaceParsing>& parsing) {
  const Camera& camera = window.camera;
  const Points3 normals = vertexNormals(vertices, model.triangles);
  const Fragments fragments =
      rasterize(camera.clipFromModel(vertices), model.triangles, camera.width_px, camera.height_px);
  const cv::Mat outline = landmarkOutline(model, vertices, camera);
  const std::vector<bool> is_skin = skinTriangles(model);
  const bool is_grey = isGrey(photo);
  const Eigen::Vector3f eye_in_model = camera.camera_from_model.inverse().translation();
  const Eigen::Vector3f axis_in_model =
      camera.camera_from_model.linear().transpose() * Eigen::Vector3f::UnitZ();
  std::array<float, 256> linear;
  for (int i = 0; i < 256; ++i) linear[i] = linearFromSrgb(static_cast<float>(i) / 255.0F);

  Samples samples;
  for (int y = 0; y < camera.height_px; ++y) {
    for (int x = 0; x < camera.width_px; ++x) {
      const int f = fragments.triangle(x, y);
      if (f < 0 || !is_skin[f] || outline.at<std::uint8_t>(y, x) == 0) continue;
      if (parsing) {
        const Eigen::Vector2f photo_px =
            window.origin_px +
            window.step_px * Eigen::Vector2f(static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F);
        if (parsing->at(photo_px, {FacePart::kSkin, FacePart::kBrows, FacePart::kLips}, 0) < kMinSkin)
          continue;
      }
      const float* rast = fragments.rast.at(x, y);
      const std::array<float, 3> weight = {rast[0], rast[1], 1 - rast[0] - rast[1]};
      Eigen::Vector3f normal = Eigen::Vector3f::Zero(), point = Eigen::Vector3f::Zero(),
                      mean = Eigen::Vector3f::Zero();
      for (int k = 0; k < 3; ++k) {
        const int v = model.triangles(f, k);
        normal += weight[k] * normals.row(v).transpose();
        point += weight[k] * vertices.row(v).transpose();
        mean += weight[k] * albedo.mean.row(v).transpose();
      }
      normal.normalize();
      const Eigen::Vector3f to_eye = camera.projection == Camera::Projection::kPerspective
                                         ? Eigen::Vector3f((eye_in_model - point).normalized())
                                         : Eigen::Vector3f(-axis_in_model);
      if (!normal.allFinite() || normal.dot(to_eye) < kMinFacing) continue;
      Eigen::Vector3d colour;
      if (!photoColour(photo, window, linear, x, y, colour)) continue;

      Eigen::Matrix<double, 3, Eigen::Dynamic> basis = Eigen::MatrixXd::Zero(3, albedo.basis.cols());
      for (int k = 0; k < 3; ++k) {
        basis += weight[k] * albedo.basis.vertex(model.triangles(f, k)).cast<double>();
      }
      Eigen::Vector3d mean_colour = mean.cast<double>();
      if (is_grey) {
        mean_colour.setConstant(kLuminance * mean_colour);
        basis = (kLuminance * basis).eval().replicate(3, 1);
      }
      samples.light_basis.push_back(SphericalHarmonicsLight::basis(normal).cast<double>());
      samples.mean.push_back(mean_colour);
      samples.colour.push_back(colour);
      samples.basis.push_back(std::move(basis));
    }
  }
  return samples;
}

// Precision matrix of the light (27, colour channels one after another): the common part of the channels
// varies freely, their difference, the light's colour, does not.
Eigen::MatrixXd lightPrecision(double ambient) {
  Eigen::MatrixXd precision = Eigen::MatrixXd::Zero(kLight, kLight);
  for (int band = 0; band < kBands; ++band) {
    const double sigma = ambient * (band == 0  ? kAmbientSigma
                                    : band < 4 ? kDirectionalSigma
                                               : kQuadraticSigma);
    const double chroma = ambient * kChromaSigma;
    for (int c = 0; c < 3; ++c) {
      for (int d = 0; d < 3; ++d) {
        precision(c * kBands + band, d * kBands + band) =
            1 / (9 * sigma * sigma) + ((c == d ? 1.0 : 0.0) - 1.0 / 3) / (chroma * chroma);
      }
    }
  }
  return precision;
}

}  // namespace

Eigen::Vector3f meanSkinAlbedo() { return {0.42F, 0.26F, 0.19F}; }

void AppearanceOptions::check() const {
  require(face_side_px >= 16, "AppearanceOptions: face_side_px is ", face_side_px,
          ", it must be at least 16");
  require(max_iterations >= 1, "AppearanceOptions: max_iterations is ", max_iterations,
          ", it must be at least 1");
  require(albedo_weight >= 0, "AppearanceOptions: albedo_weight is ", albedo_weight,
          ", it must not be negative");
  require(clue_weight >= 0, "AppearanceOptions: clue_weight is ", clue_weight, ", it must not be negative");
  require(light_weight >= 0, "AppearanceOptions: light_weight is ", light_weight,
          ", it must not be negative");
}

Appearance estimateAppearance(const MorphableModel& model, const Points3& vertices, const Camera& camera,
                              const Image8& photo, const AppearanceOptions& options,
                              const AppearanceClues& clues) {
  options.check();
  require(vertices.rows() == model.numVertices(), "estimateAppearance: ", vertices.rows(),
          " vertices given, the model has ", model.numVertices());
  require(photo.width() == camera.width_px && photo.height() == camera.height_px,
          "estimateAppearance: the photo has ", photo.width(), "x", photo.height(), " pixels, the camera ",
          camera.width_px, "x", camera.height_px);

  require(clues.albedo.sigma.size() == clues.albedo.values.size() &&
              clues.albedo.values.size() <= model.numAlbedo(),
          "estimateAppearance: an albedo guess of ", clues.albedo.values.size(), " coefficients with ",
          clues.albedo.sigma.size(), " sigmas, the model has ", model.numAlbedo());

  const AlbedoModel albedo(model);
  const int num_modes = static_cast<int>(albedo.basis.cols());
  Appearance result;
  result.albedo = Eigen::VectorXf::Zero(model.numAlbedo());
  result.vertex_albedo = albedo.mean;

  Samples samples;
  const Window window = faceWindow(camera, camera.imageFromModel(vertices), options.face_side_px);
  if (window.camera.width_px > 0) {
    if (clues.parsing) samples = readSamples(model, albedo, vertices, window, photo, clues.parsing);
    if (samples.size() < kFewestPixels)
      samples = readSamples(model, albedo, vertices, window, photo, std::nullopt);
  }
  result.num_pixels = samples.size();
  if (samples.size() == 0) return result;

  // Unknowns: light (27), then albedo. Each step solves the robustly weighted normal equations of both
  // together.
  const int size = kLight + num_modes;
  const double ambient = SphericalHarmonicsLight::ambient(1.0F)(0, 0);
  Eigen::VectorXd prior_mean = Eigen::VectorXd::Zero(size);
  for (int c = 0; c < 3; ++c) prior_mean[c * kBands] = ambient;
  Eigen::MatrixXd prior = Eigen::MatrixXd::Zero(size, size);
  prior.topLeftCorner(kLight, kLight) = options.light_weight * lightPrecision(ambient);
  prior.diagonal().tail(num_modes).setConstant(options.albedo_weight);
  const Eigen::Index num_guessed = clues.albedo.values.size();
  if (num_guessed > 0) {
    prior_mean.segment(kLight, num_guessed) = clues.albedo.values.cast<double>();
    prior.diagonal().segment(kLight, num_guessed) =
        options.clue_weight * clues.albedo.sigma.cast<double>().array().square().inverse().matrix();
  }
  prior.diagonal().array() += 1e-9;  // solvable without priors too
  double sample_weight = std::min(1.0, kIndependentPixels / samples.size());
  const bool is_grey = isGrey(photo);
  if (is_grey) sample_weight /= 3;  // the three channels are one

  Eigen::VectorXd unknown = prior_mean;
  double step_size = 1;
  for (int iteration = 0; iteration < options.max_iterations && step_size > 1e-3; ++iteration) {
    Eigen::MatrixXd normal_matrix = prior;
    Eigen::VectorXd gradient = prior * (unknown - prior_mean);
    double squares = 0;
    Eigen::VectorXd row(kBands + num_modes);
    // The three channels share the albedo's columns but not the light's: accumulate channel by channel.
    std::array<Eigen::MatrixXd, 3> part;
    std::array<Eigen::VectorXd, 3> part_gradient;
    for (int c = 0; c < 3; ++c) {
      part[c] = Eigen::MatrixXd::Zero(row.size(), row.size());
      part_gradient[c] = Eigen::VectorXd::Zero(row.size());
    }
    for (int i = 0; i < samples.size(); ++i) {
      const Eigen::Vector3d colour_albedo = samples.mean[i] + samples.basis[i] * unknown.tail(num_modes);
      for (int c = 0; c < 3; ++c) {
        const double shading = samples.light_basis[i].dot(unknown.segment<kBands>(c * kBands));
        const double error = colour_albedo[c] * shading - samples.colour[i][c];
        const double sigma = kSigmaFloor + kSigmaRelative * samples.colour[i][c];
        const double robust = std::min(1.0, kHuberSigmas * sigma / std::max(std::abs(error), 1e-12));
        const double weight = sample_weight * robust / (sigma * sigma);
        row << colour_albedo[c] * samples.light_basis[i], shading * samples.basis[i].row(c).transpose();
        part[c].selfadjointView<Eigen::Lower>().rankUpdate(row, weight);
        part_gradient[c] += weight * error * row;
        squares += error * error;
      }
    }
    for (int c = 0; c < 3; ++c) {
      const Eigen::MatrixXd full = part[c].selfadjointView<Eigen::Lower>();
      normal_matrix.block(c * kBands, c * kBands, kBands, kBands) += full.topLeftCorner(kBands, kBands);
      normal_matrix.block(c * kBands, kLight, kBands, num_modes) += full.topRightCorner(kBands, num_modes);
      normal_matrix.block(kLight, c * kBands, num_modes, kBands) += full.bottomLeftCorner(num_modes, kBands);
      normal_matrix.bottomRightCorner(num_modes, num_modes) += full.bottomRightCorner(num_modes, num_modes);
      gradient.segment(c * kBands, kBands) += part_gradient[c].head(kBands);
      gradient.tail(num_modes) += part_gradient[c].tail(num_modes);
    }
    result.residual = std::sqrt(squares / (3.0 * samples.size()));
    // The first step moves the light alone: far from the photo's exposure the albedo would answer for it.
    if (iteration == 0) {
      normal_matrix.topRightCorner(kLight, num_modes).setZero();
      normal_matrix.bottomLeftCorner(num_modes, kLight).setZero();
      gradient.tail(num_modes).setZero();
    }
    const Eigen::VectorXd step = normal_matrix.ldlt().solve(-gradient);
    if (!step.allFinite()) break;
    unknown += step;
    step_size = step.norm() / ambient;
    result.iterations = iteration + 1;
  }

  for (int c = 0; c < 3; ++c) {
    result.light.coefficients.col(c) = unknown.segment<kBands>(c * kBands).cast<float>();
  }
  const Eigen::VectorXf coefficients = unknown.tail(num_modes).cast<float>();
  if (result.albedo.size() > 0) result.albedo = coefficients;
  albedo.basis.addTo(coefficients, result.vertex_albedo.data(), result.vertex_albedo.size());
  if (is_grey)
    result.vertex_albedo =
        (result.vertex_albedo * kLuminance.cast<float>().transpose()).eval().replicate(1, 3);
  result.vertex_albedo = result.vertex_albedo.cwiseMax(0.01F).cwiseMin(1.0F);
  return result;
}

}  // namespace facet
