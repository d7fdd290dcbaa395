#include "fitting/tracker.h"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "core/io/model_io.h"
#include "render/face_renderer.h"

using namespace facet;

namespace {

constexpr int kWidth = 320, kHeight = 300;

// The built-in model as one person who moves before a camera.
struct Actor {
  MorphableModel model = loadModel("builtin");
  Eigen::VectorXf identity = Eigen::VectorXf::Zero(model.numIdentity());
  float focal_px = 520;

  Actor() {
    std::mt19937 generator(4);
    std::normal_distribution<float> normal;
    for (int k = 0; k < 20; ++k) identity[k] = normal(generator);
  }

  Camera camera(const HeadPose& pose, float x_mm = 0) const {
    Camera camera;
    camera.width_px = kWidth;
    camera.height_px = kHeight;
    camera.focal_px = focal_px;
    camera.principal_px = {kWidth / 2.0F, kHeight / 2.0F};
    camera.camera_from_model.linear() = rotationFromHeadPose(pose);
    camera.camera_from_model.translation() = Eigen::Vector3f(x_mm, 0, 700);
    return camera;
  }

  Eigen::VectorXf expression(float jaw_open, float blink) const {
    Eigen::VectorXf weights = Eigen::VectorXf::Zero(model.numExpression());
    weights[*model.expressionIndex("jawOpen")] = jaw_open;
    weights[*model.expressionIndex("eyeBlinkLeft")] = blink;
    weights[*model.expressionIndex("eyeBlinkRight")] = blink;
    return weights;
  }

  // What a network would read, off by errors of sigma_px; it says itself that its errors are `said_px`.
  FitLandmarks read(const Camera& camera, const Eigen::VectorXf& weights, float sigma_px, unsigned seed,
                    float said_px = 1) const {
    std::mt19937 generator(seed);
    std::normal_distribution<float> normal(0, sigma_px);
    const Points3 vertices = model.vertices(identity, weights);
    const auto set = [&](const LandmarkEmbedding& embedding) {
      LandmarkSet landmarks{camera.imageFromModel(embedding.points(vertices, model.triangles)), {}};
      for (float& x : landmarks.positions_px.reshaped()) x += normal(generator);
      landmarks.sigma_px = Eigen::VectorXf::Constant(landmarks.size(), said_px);
      return landmarks;
    };
    return {set(model.landmarks68), set(model.dense)};
  }

  Image8 picture(const Camera& camera) const {
    ShadeOptions shade;
    shade.albedo = model.albedo_mean;
    shade.light.coefficients.row(2).setConstant(0.8F);
    shade.light.coefficients.row(3).setConstant(0.4F);
    shade.background = Eigen::Vector3f(0.25F, 0.3F, 0.35F);
    return srgbFromLinear(renderFace(model.mesh(model.vertices(identity)), camera, shade).colour);
  }
};

double angleDegrees(const Camera& a, const Camera& b) {
  const Eigen::Matrix3f difference = a.camera_from_model.linear().transpose() * b.camera_from_model.linear();
  return Eigen::AngleAxisf(difference).angle() * 180 / M_PI;
}

LandmarkSet points(const std::vector<Eigen::RowVector2f>& rows, float sigma_px) {
  LandmarkSet set;
  set.positions_px.resize(static_cast<Eigen::Index>(rows.size()), 2);
  for (std::size_t i = 0; i < rows.size(); ++i) set.positions_px.row(static_cast<Eigen::Index>(i)) = rows[i];
  set.sigma_px = Eigen::VectorXf::Constant(set.size(), sigma_px);
  return set;
}

std::vector<const LandmarkSet*> windowAt(const std::vector<LandmarkSet>& clip, std::size_t i) {
  return {&clip[i - 2], &clip[i - 1], &clip[i], &clip[i + 1], &clip[i + 2]};
}

}  // namespace

TEST_CASE("smoothLandmarks: steady motion passes without lag, noise at rest is more than halved") {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0, 0.2F);
  std::vector<LandmarkSet> moving, still;
  for (int t = 0; t < 400; ++t) {
    moving.push_back(points({{10.0F + 7 * t, 50.0F - 3 * t}}, 1.5F));
    still.push_back(points({{100 + normal(generator), 50 + normal(generator)}}, 1.5F));
  }
  const LandmarkSet passed = smoothLandmarks(windowAt(moving, 100));
  CHECK((passed.positions_px - moving[100].positions_px).norm() < 1e-3);
  double before = 0, after = 0;
  for (std::size_t t = 2; t + 2 < still.size(); ++t) {
    before += (still[t].positions_px - Eigen::RowVector2f(100, 50)).squaredNorm();
    after += (smoothLandmarks(windowAt(still, t)).positions_px - Eigen::RowVector2f(100, 50)).squaredNorm();
  }
  CHECK(std::sqrt(after / before) < 0.5 + 0.05);  // five equal ones would give 0.45
}

TEST_CASE("smoothLandmarks: a blink of one frame stays as deep as it was") {
  std::vector<LandmarkSet> clip;
  for (int t = 0; t < 5; ++t) clip.push_back(points({{20, t == 2 ? 43.0F : 40.0F}}, 1));
  CHECK(smoothLandmarks(windowAt(clip, 2)).positions_px(0, 1) > 42.95F);
  CHECK_THROWS_AS(smoothLandmarks({&clip[0], &clip[1]}), std::invalid_argument);
}

TEST_CASE("chooseIdentityFrames: takes different views and leaves blurred and doubtful frames out") {
  std::vector<FrameQuality> frames;
  for (int i = 0; i < 10; ++i) frames.push_back({i, {0.1F * static_cast<float>(i), 0, 0}, 0.9F, 10, 100});
  frames.push_back({10, {30, 0, 0}, 0.9F, 10, 100});
  frames.push_back({11, {-25, 5, 0}, 0.9F, 9, 100});
  frames.push_back({12, {45, 0, 0}, 0.9F, 0.2F, 100});  // blurred
  frames.push_back({13, {-50, 0, 0}, 0.05F, 10, 100});  // hardly a face
  const std::vector<int> chosen = chooseIdentityFrames(frames, 3);
  REQUIRE(chosen.size() == 3);
  CHECK(chosen[0] < 10);
  CHECK(chosen[1] == 10);
  CHECK(chosen[2] == 11);
  CHECK(chooseIdentityFrames(frames, 100).size() == frames.size());
  CHECK(chooseIdentityFrames({}, 5).empty());
}

TEST_CASE("averageGuess: the surer guess counts more, and many guesses are no surer than one") {
  const CoefficientGuess sure{Eigen::Vector2f(1, 2), Eigen::Vector2f(0.3F, 0.5F)};
  const CoefficientGuess unsure{Eigen::Vector2f(2, 4), Eigen::Vector2f(0.6F, 0.5F)};
  const CoefficientGuess average = averageGuess({sure, unsure});
  CHECK(average.values[0] == doctest::Approx(1.2));  // weights 4 : 1
  CHECK(average.values[1] == doctest::Approx(3));
  CHECK(average.sigma[1] == doctest::Approx(0.5));
  CHECK(averageGuess({sure, sure, sure}).sigma[0] == doctest::Approx(0.3));
  CHECK(averageGuess({}).values.size() == 0);
}

TEST_CASE("fitClipIdentity: several frames know the person better than one, and pose and expression follow") {
  const Actor actor;
  std::vector<FitLandmarks> frames;
  const HeadPose poses[] = {{-35, 0, 0}, {-12, 12, 4}, {0, -10, 0}, {14, 5, -5}, {38, 0, 0}};
  for (int i = 0; i < 5; ++i)
    frames.push_back(actor.read(actor.camera(poses[i]), actor.expression(0.1F * i, 0), 0.7F, 10 + i));
  FitOptions options;
  options.focal_px = actor.focal_px;
  const ClipIdentity clip = fitClipIdentity(actor.model, frames, {}, kWidth, kHeight, options);
  const Points3 truth = actor.model.dense.points(actor.model.vertices(actor.identity), actor.model.triangles);
  // Without what the camera's distance makes of size: one scale for all.
  const auto error_mm = [&](const Eigen::VectorXf& identity) {
    Points3 found = actor.model.dense.points(actor.model.vertices(identity), actor.model.triangles);
    found *= found.cwiseProduct(truth).sum() / found.squaredNorm();
    return (found - truth).rowwise().norm().mean();
  };
  double alone_mm = 0;
  for (const FitLandmarks& frame : frames)
    alone_mm += error_mm(fitLandmarks(actor.model, frame, kWidth, kHeight, options).identity) / 5;
  CHECK(error_mm(clip.identity) < 0.85 * alone_mm);

  // A turn of the head with an opening mouth and a blink.
  FrameFitter fitter(actor.model, clip, kWidth, kHeight, 30);
  for (int t = 0; t < 12; ++t) {
    const HeadPose pose{-20 + 4.0F * t, 0, 0};
    const float open = 0.05F * t, blink = t == 6 ? 0.9F : 0;
    const FitResult fit = fitter.next(actor.read(actor.camera(pose), actor.expression(open, blink), 0.4F, t));
    REQUIRE(fit.isUsable());
    CHECK(angleDegrees(fit.camera, actor.camera(pose)) < 1);
    CHECK(fit.camera.focal_px == static_cast<float>(actor.focal_px));
    CHECK(fit.identity == clip.identity);
    CHECK(std::abs(fit.expression[*actor.model.expressionIndex("jawOpen")] - open) < 0.12F);
    const float lid = fit.expression[*actor.model.expressionIndex("eyeBlinkLeft")];
    CHECK((t == 6 ? lid > 0.5F : lid < 0.2F));
  }
}

TEST_CASE(
    "FrameFitter: at rest the pose trembles less than without the frame before, in fast motion it keeps up") {
  const Actor actor;
  const ClipIdentity clip{actor.identity, actor.focal_px, 0};
  // Standard deviation of the mesh's nose tip over a still second, px; `forgets` leaves the soft terms out.
  const auto tremble_px = [&](bool forgets) {
    FrameFitter fitter(actor.model, clip, kWidth, kHeight, 30);
    double sum = 0;
    Eigen::Vector2f last = Eigen::Vector2f::Zero();
    for (unsigned t = 0; t < 16; ++t) {
      if (forgets) fitter.forget();
      const FitResult fit =
          fitter.next(actor.read(actor.camera({10, 5, 0}), actor.expression(0.1F, 0.1F), 0.5F, t));
      const Points3 vertices = actor.model.vertices(fit.identity, fit.expression);
      const Points2 tip =
          fit.camera.imageFromModel(actor.model.landmarks68.points(vertices, actor.model.triangles));
      const Eigen::Vector2f nose = tip.row(30).transpose();
      if (t > 1) sum += (nose - last).squaredNorm();
      last = nose;
    }
    return std::sqrt(sum / 14);
  };
  CHECK(tremble_px(false) < 0.85 * tremble_px(true));

  FrameFitter fitter(actor.model, clip, kWidth, kHeight, 30);
  for (int t = 0; t < 8; ++t) {  // 240 degrees and 1.2 m per second
    const Camera truth = actor.camera({-28 + 8.0F * t, 0, 0}, 40.0F * t - 140);
    const FitResult fit = fitter.next(actor.read(truth, actor.expression(0, 0), 0.3F, 100 + t));
    CHECK(angleDegrees(fit.camera, truth) < 1);
  }
}

TEST_CASE("FaceFollower: detects once, follows, loses a face that goes and finds it when it comes back") {
  const Actor actor;
  const LandmarkRegressor regressor;
  const FaceDetector detector;
  FaceFollower follower(detector, regressor);
  const Image8 wall(kWidth, kHeight, 3, std::uint8_t{120});
  for (int t = 0; t < 12; ++t) {
    const bool is_there = t < 5 || t >= 7;
    const Camera camera = actor.camera({-12 + 2.0F * t, 0, 0}, 6.0F * t - 30);
    const auto face = follower.next(is_there ? actor.picture(camera) : wall);
    REQUIRE(face.has_value() == is_there);
    if (!face) continue;
    CHECK(face->is_detected == (t == 0 || t == 7));
    CHECK(face->confidence > 0.5F);
    const Points3 truth =
        actor.model.landmarks68.points(actor.model.vertices(actor.identity), actor.model.triangles);
    const Points2 error = face->prediction.ibug68.positions_px - camera.imageFromModel(truth);
    CHECK(error.rowwise().norm().mean() < 0.06F * face->prediction.faceSize());
  }
}

TEST_CASE("FaceFollower: of two faces the larger one is followed, and taken up again after a gap") {
  const Actor actor;
  const LandmarkRegressor regressor;
  const FaceDetector detector;
  FaceFollower follower(detector, regressor);
  const Image8 large = actor.picture(actor.camera({}));
  Camera far = actor.camera({});
  far.camera_from_model.translation().z() = 1050;
  const Image8 small = actor.picture(far);
  const auto sideBySide = [&](const Image8& left, const Image8& right) {
    Image8 both(2 * kWidth, kHeight, 3);
    for (int y = 0; y < kHeight; ++y) {
      std::copy_n(left.at(0, y), 3 * kWidth, both.at(0, y));
      std::copy_n(right.at(0, y), 3 * kWidth, both.at(kWidth, y));
    }
    return both;
  };
  const Image8 wall(kWidth, kHeight, 3, std::uint8_t{120});
  const auto x_px = [&](const Image8& frame) {
    const auto face = follower.next(frame);
    return face ? face->prediction.crop.center_px.x() : -1;
  };
  CHECK(x_px(sideBySide(small, large)) > kWidth);
  CHECK(x_px(sideBySide(small, large)) > kWidth);
  CHECK(x_px(sideBySide(wall, wall)) == -1);
  // Back at its place, though a larger one is there now.
  CHECK(x_px(sideBySide(large, small)) > kWidth);
}
