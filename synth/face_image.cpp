#include "synth/face_image.h"

#include <algorithm>
#include <limits>
#include <numbers>
#include <string>

#include "core/check.h"
#include "synth/accessories.h"
#include "synth/hair.h"
#include "synth/lighting.h"
#include "synth/photo.h"
#include "synth/scene.h"
#include "synth/shading.h"

namespace facet::synth {
namespace {

using Eigen::Vector3f;

constexpr float kRadians = std::numbers::pi_v<float> / 180;

struct Expression {
  Eigen::VectorXf weights;
  float gaze_right_deg[2] = {0, 0};  // per eye (left, right): turn towards the subject's left
  float gaze_up_deg = 0;
  float mouth_open = 0;
};

class ExpressionMaker {
 public:
  ExpressionMaker(const MorphableModel& model, Random& random) : model_(model), random_(random) {
    expression_.weights = Eigen::VectorXf::Zero(model.numExpression());
  }

  void set(const std::string& name, float weight) {
    const auto index = model_.expressionIndex(name);
    require(index.has_value(), "synth: the model has no expression '", name, "'; is it ICT-FaceKit?");
    float& w = expression_.weights(*index);
    w = std::clamp(w + weight, 0.0F, 1.0F);
  }
  // Both sides, a little unlike each other.
  void both(const std::string& name, float weight, float asymmetry = 0.15F) {
    set(name + "Left", weight * (1 + asymmetry * random_.normal()));
    set(name + "Right", weight * (1 + asymmetry * random_.normal()));
  }

  Expression make(bool closed_eyes, const Vector3f& camera_in_head) {
    Random& r = random_;
    const float kind = r.uniform();
    if (kind < 0.20F) {         // neutral, not quite
    } else if (kind < 0.60F) {  // smile
      const float s = r.range(0.2F, 1.0F);
      const float lopsided = r.chance(0.2F) ? 0.6F : 0.12F;
      both("mouthSmile", s, lopsided);
      both("cheekSquint", s * r.range(0, 0.9F));
      both("eyeSquint", s * r.range(0, 0.7F));
      if (r.chance(0.58F)) {
        both("mouthUpperUp", r.range(0.1F, 0.7F));
        both("mouthLowerDown", r.range(0.0F, 0.6F));
        set("jawOpen", r.chance(0.5F) ? r.range(0, 0.45F) : r.range(0, 0.12F));
      }
      both("mouthDimple", r.range(0, 0.4F));
    } else if (kind < 0.70F) {  // talk
      set("jawOpen", r.range(0.02F, 0.4F));
      const char* shapes[] = {"mouthFunnel",     "mouthPucker",     "mouthRollLower", "mouthRollUpper",
                              "mouthShrugUpper", "mouthShrugLower", "mouthClose"};
      for (int i = 0; i < 2; ++i) set(shapes[r.pick(7)], r.range(0, 0.6F));
      both("mouthStretch", r.range(0, 0.5F));
      both("mouthLowerDown", r.range(0, 0.6F));
      both("mouthUpperUp", r.range(0, 0.4F));
    } else if (kind < 0.77F) {  // shout, laugh, surprise
      set("jawOpen", r.range(0.4F, 1.0F));
      both("mouthStretch", r.range(0, 0.6F));
      both("mouthSmile", r.chance(0.5F) ? r.range(0, 0.8F) : 0.0F);
      both("browInnerUp", r.range(0, 0.8F));
      both("browOuterUp", r.range(0, 0.8F));
      both("eyeWide", r.range(0, 0.8F));
    } else if (kind < 0.84F) {  // sad, angry, disgusted
      both("mouthFrown", r.range(0.1F, 0.9F));
      both("browDown", r.range(0, 0.9F));
      both("noseSneer", r.range(0, 0.8F));
      both("mouthPress", r.range(0, 0.5F));
      both("eyeSquint", r.range(0, 0.6F));
      set("mouthShrugLower", r.range(0, 0.5F));
    } else if (kind < 0.89F) {  // kiss, blow
      set(r.chance(0.6F) ? "mouthPucker" : "mouthFunnel", r.range(0.3F, 1.0F));
      if (r.chance(0.4F)) both("cheekPuff", r.range(0.2F, 0.8F));
    } else {  // anything, a few shapes at once
      for (int i = 2 + r.pick(4); i > 0; --i) {
        const int k = r.pick(static_cast<int>(expression_.weights.size()));
        expression_.weights(k) = std::min(1.0F, std::abs(0.45F * r.normal()));
      }
    }
    // On top of it: brows, jaw, lids, gaze.
    if (r.chance(0.3F)) both("browInnerUp", r.range(0, 0.6F));
    if (r.chance(0.3F)) both("browOuterUp", r.range(0, 0.6F), 0.4F);
    if (r.chance(0.25F)) both("browDown", r.range(0, 0.6F), 0.4F);
    if (r.chance(0.15F)) set(r.chance(0.5F) ? "mouthLeft" : "mouthRight", r.range(0, 0.6F));
    if (r.chance(0.1F)) set(r.chance(0.5F) ? "jawLeft" : "jawRight", r.range(0, 0.6F));

    float turn = r.chance(0.5F) ? 5 * r.normal() : 16 * r.normal();
    float up = r.chance(0.5F) ? 4 * r.normal() : 11 * r.normal();
    if (r.chance(0.55F)) {  // into the camera, as far as the eyes turn
      const Vector3f to_camera = camera_in_head - Vector3f(0, 36, 79);  // from between the eyes
      turn = std::atan2(to_camera.x(), to_camera.z()) / kRadians + 2 * r.normal();
      up = std::asin(to_camera.normalized().y()) / kRadians + 2 * r.normal();
    }
    turn = std::clamp(turn, -32.0F, 32.0F);
    expression_.gaze_up_deg = up = std::clamp(up, -28.0F, 18.0F);
    const float vergence = r.range(0, 4);
    expression_.gaze_right_deg[0] = std::clamp(turn - vergence, -35.0F, 35.0F);
    expression_.gaze_right_deg[1] = std::clamp(turn + vergence, -35.0F, 35.0F);
    const float lid = r.uniform();
    if (lid < 0.10F || closed_eyes) {
      both("eyeBlink", r.range(0.85F, 1.0F), 0.02F);
    } else if (lid < 0.13F) {
      set(r.chance(0.5F) ? "eyeBlinkLeft" : "eyeBlinkRight", r.range(0.8F, 1.0F));
    } else {
      // The model's neutral eyes are wide open; real ones are not.
      if (r.chance(0.12F))
        both("eyeWide", r.range(0, 0.6F));
      else
        both("eyeBlink", r.chance(0.2F) ? r.range(0.35F, 0.7F) : r.range(0, 0.22F), 0.08F);
      if (r.chance(0.3F)) both("eyeSquint", r.range(0, 0.6F));
    }
    // The lids follow the eyes.
    if (up > 0) {
      both("eyeLookUp", up / 30, 0);
    } else {
      both("eyeLookDown", -up / 30, 0);
    }
    const float left = std::clamp(turn / 35, -1.0F, 1.0F);
    set("eyeLookOutLeft", std::max(0.0F, left));
    set("eyeLookInRight", std::max(0.0F, left));
    set("eyeLookInLeft", std::max(0.0F, -left));
    set("eyeLookOutRight", std::max(0.0F, -left));

    const auto weight = [&](const char* name) {
      const auto index = model_.expressionIndex(name);
      return index ? expression_.weights(*index) : 0.0F;
    };
    expression_.mouth_open =
        std::clamp(2.2F * (weight("jawOpen") - weight("mouthClose")) + 0.6F * weight("mouthUpperUpLeft") +
                       0.5F * weight("mouthLowerDownLeft") + 0.4F * weight("mouthFunnel"),
                   0.0F, 1.0F);
    return expression_;
  }

 private:
  const MorphableModel& model_;
  Random& random_;
  Expression expression_;
};

// Posed in the head frame: expression added, eyeballs turned.
Points3 poseHead(const Assets& assets, const Subject& subject, const Expression& expression) {
  Points3 vertices = subject.neutral;
  assets.model.expression.addTo(expression.weights, vertices.data(), vertices.size());
  // Each eyeball moves with this person's, around its own centre.
  Vector3f shift[2] = {Vector3f::Zero(), Vector3f::Zero()};
  int count[2] = {0, 0};
  const auto side_of = [&](int v) { return assets.model.mean(v, 0) > 0 ? 0 : 1; };
  for (int v = 0; v < assets.eye_xy.rows(); ++v) {
    if (assets.eye_xy(v, 0) == 0 && assets.eye_xy(v, 1) == 0) continue;
    shift[side_of(v)] += (subject.neutral.row(v) - assets.model.mean.row(v)).transpose();
    ++count[side_of(v)];
  }
  for (int side = 0; side < 2; ++side) {
    if (count[side] == 0) continue;
    const Vector3f centre =
        assets.eye_centres.row(side).transpose() + shift[side] / static_cast<float>(count[side]);
    const Eigen::Matrix3f turn =
        (Eigen::AngleAxisf(expression.gaze_right_deg[side] * kRadians, Vector3f::UnitY()) *
         Eigen::AngleAxisf(-expression.gaze_up_deg * kRadians, Vector3f::UnitX()))
            .toRotationMatrix();
    for (int v = 0; v < assets.eye_xy.rows(); ++v) {
      if ((assets.eye_xy(v, 0) == 0 && assets.eye_xy(v, 1) == 0) || side_of(v) != side) continue;
      vertices.row(v) = (centre + turn * (vertices.row(v).transpose() - centre)).transpose();
    }
  }
  return vertices;
}

// 0 on the head, 1 where the neck has become the body.
float bodyWeight(const Vector3f& mean_position) {
  const float start = -62 - 34 * smoothStep(20, 55, mean_position.z());
  return smoothStep(start, start - 62, mean_position.y());
}

}  // namespace

FaceImage makeFaceImage(const Assets& assets, const Subject& subject, int size_px, std::uint64_t seed,
                        int index, float negative_fraction) {
  Random random(seed, static_cast<std::uint64_t>(index), 1);
  const int render_px = 2 * size_px;
  FaceImage result;
  const bool negative = random.chance(negative_fraction);
  const float negative_kind = negative ? random.uniform() : 1.0F;
  result.expression = Eigen::VectorXf::Zero(assets.model.numExpression());
  const int num_landmarks = kNumIbugLandmarks + assets.model.dense.size();
  if (negative_kind < 0.45F) {  // no person at all
    result.has_face = false;
    result.landmarks_px = Points2::Zero(num_landmarks, 2);
    result.visible.assign(num_landmarks, 0);
    ImageF picture = makeBackground(assets, render_px, random);
    if (negative_kind < 0.15F && !assets.animals.empty()) {
      const Image8& animal =
          assets.backgrounds[assets.animals[random.pick(static_cast<int>(assets.animals.size()))]];
      picture = linearFromSrgb(photoPiece(animal, render_px, random));
    } else if (negative_kind < 0.3F) {
      picture = linearFromSrgb(photoPiece(
          assets.backgrounds[random.pick(static_cast<int>(assets.backgrounds.size()))], render_px, random));
    }
    result.image = takePhoto(picture, size_px, random);
    return result;
  }
  const bool back_of_head = negative_kind < 0.7F;
  const bool off_centre = !back_of_head && negative_kind < 1.0F;

  // Person. A few pose like scans: bald, eyes closed, even light, a plain grey wall.
  const bool as_scanned = random.chance(0.05F);
  // Pose: yaw mostly moderate with a tail to profile.
  const float yaw_kind = random.uniform();
  float yaw = yaw_kind < 0.52F   ? 14 * random.normal()
              : yaw_kind < 0.78F ? random.range(-50, 50)
                                 : random.range(-90, 90);
  if (back_of_head) yaw = random.range(125, 235);
  yaw = back_of_head ? yaw : std::clamp(yaw, -95.0F, 95.0F);
  const float pitch =
      std::clamp(random.chance(0.75F) ? 9 * random.normal() : 20 * random.normal(), -40.0F, 40.0F);
  const float roll =
      std::clamp(random.chance(0.8F) ? 7 * random.normal() : 20 * random.normal(), -50.0F, 50.0F);
  result.pose_deg = {yaw, pitch, roll};
  const Eigen::Matrix3f camera_axes = Vector3f(1, -1, -1).asDiagonal();
  const auto rotation = [&](float share) {
    return Eigen::Matrix3f(Eigen::AngleAxisf(-roll * share * kRadians, Vector3f::UnitZ()) *
                           Eigen::AngleAxisf(yaw * share * kRadians, Vector3f::UnitY()) *
                           Eigen::AngleAxisf(pitch * share * kRadians, Vector3f::UnitX()));
  };
  const float distance_mm = std::exp(random.range(std::log(330.0F), std::log(2800.0F)));
  const Vector3f pivot(0, -105, -15);  // of the head on the neck
  const float body_share = random.range(0, 0.85F);
  const Vector3f off_axis(distance_mm * 0.12F * random.normal(), distance_mm * 0.12F * random.normal(),
                          distance_mm);
  const Eigen::Matrix3f head_rotation = camera_axes * rotation(1),
                        body_rotation = camera_axes * rotation(body_share);
  const Vector3f face_centre(0, 20, 60);
  Eigen::Isometry3f camera_from_head = Eigen::Isometry3f::Identity();
  camera_from_head.linear() = head_rotation;
  camera_from_head.translation() = off_axis - head_rotation * face_centre;
  Eigen::Isometry3f camera_from_body = Eigen::Isometry3f::Identity();
  camera_from_body.linear() = body_rotation;
  camera_from_body.translation() = camera_from_head * pivot - body_rotation * pivot;

  const Expression expression =
      ExpressionMaker(assets.model, random)
          .make(as_scanned, head_rotation.transpose() * -camera_from_head.translation());
  result.expression = expression.weights;
  Points3 head = poseHead(assets, subject, expression);
  const HeadGrid grid(head, assets.model.mean, assets.num_skin_vertices, {0, 45, 5});

  const Points3 landmarks68 = assets.ibugLandmarks(head, subject.brow_shift_mm);
  const Points3 dense = assets.model.dense.points(head, assets.model.triangles);

  // Things around the head.
  Scene scene;
  std::vector<Lens> lenses;
  scene.placement = camera_from_head;
  const float hat_chance = random.uniform();
  const float covered_above = hat_chance < 0.08F && !as_scanned ? addHat(grid, random, scene) : 1000;
  if (!as_scanned) growHair(assets, subject, head, grid, covered_above, random, scene);
  if (!as_scanned) growBeard(assets, subject, head, random, scene);
  const float glasses = random.uniform();
  if (glasses < 0.19F && !as_scanned) addGlasses(landmarks68, glasses < 0.04F, random, scene, lenses);
  if (random.chance(0.1F)) {
    addEarrings({76, -20, 14}, {-76, -20, 14}, random, scene);
  }
  if (random.chance(0.11F)) addOccluder(landmarks68, subject, random, scene);
  scene.placement = camera_from_body;
  addClothes(subject, random, scene);

  // Into the camera frame; the neck joins head and body.
  Points3 in_camera(head.rows(), 3);
  for (Eigen::Index v = 0; v < head.rows(); ++v) {
    const Vector3f p = head.row(v);
    Vector3f q = camera_from_head * p;
    if (v < assets.num_skin_vertices) {
      const float w = bodyWeight(assets.model.mean.row(v));
      if (w > 0) q += w * (camera_from_body * p - q);
    }
    in_camera.row(v) = q;
  }

  // Crop: about 1.9 × the landmarks' bounding box.
  Points3 points(num_landmarks, 3);
  points << landmarks68, dense;
  Eigen::Vector2f low = Eigen::Vector2f::Constant(1e9F), high = -low;
  Points2 projected(num_landmarks, 2);
  for (int i = 0; i < num_landmarks; ++i) {
    const Vector3f q = camera_from_head * Vector3f(points.row(i));
    points.row(i) = q;
    projected.row(i) = q.head<2>() / q.z();
    if (i < kNumIbugLandmarks) {
      low = low.cwiseMin(projected.row(i).transpose());
      high = high.cwiseMax(projected.row(i).transpose());
    }
  }
  const float side = 1.9F * (high - low).maxCoeff() * (1 + random.range(-0.15F, 0.15F));
  Eigen::Vector2f centre =
      (low + high) / 2 + Eigen::Vector2f(random.range(-0.1F, 0.1F), random.range(-0.1F, 0.1F)) * side;
  if (off_centre) {
    const float angle = random.range(0, 360) * kRadians;
    centre += Eigen::Vector2f(std::cos(angle), std::sin(angle)) * side * random.range(0.62F, 0.85F);
  }
  View view;
  view.size_px = render_px;
  view.focal_px = render_px / side;
  view.cx_px = render_px / 2.0F - view.focal_px * centre.x();
  view.cy_px = render_px / 2.0F - view.focal_px * centre.y();
  result.camera.width_px = result.camera.height_px = size_px;
  result.camera.focal_px = view.focal_px / 2;  // rendered at twice the size
  result.camera.principal_px = Eigen::Vector2f(view.cx_px, view.cy_px) / 2;
  result.camera.camera_from_model = camera_from_head;

  const Lighting light = makeLighting(assets, random);
  ImageF background = makeBackground(assets, render_px, random);
  if (as_scanned) std::fill_n(background.data(), background.size(), random.range(0.05F, 0.5F));
  const Image8& photo = assets.backgrounds[random.pick(static_cast<int>(assets.backgrounds.size()))];
  const Picture picture = shade(assets, subject, in_camera, expression.mouth_open, scene, lenses, light, view,
                                photo, background, as_scanned);

  // Truth.
  result.has_face = !back_of_head && !off_centre;
  result.landmarks_px = Points2(num_landmarks, 2);
  result.visible.assign(num_landmarks, 0);
  for (int i = 0; i < num_landmarks; ++i) {
    const Eigen::Vector2f p =
        projected.row(i).transpose() * view.focal_px + Eigen::Vector2f(view.cx_px, view.cy_px);
    result.landmarks_px.row(i) = p / 2;
    const int x = static_cast<int>(std::floor(p.x())), y = static_cast<int>(std::floor(p.y()));
    if (x < 0 || y < 0 || x >= render_px || y >= render_px) continue;
    // Hidden when something else lies in front, or when the head itself lies clearly in front all around.
    const float z = points(i, 2);
    float nearest_gap = std::numeric_limits<float>::max();
    for (int j = -1; j <= 1; ++j) {
      for (int k = -1; k <= 1; ++k) {
        const int sx = std::clamp(x + k, 0, render_px - 1), sy = std::clamp(y + j, 0, render_px - 1);
        const float surface = *picture.depth.at(sx, sy);
        nearest_gap = std::min(nearest_gap, surface == 0 ? 0.0F : std::max(0.0F, z - surface));
      }
    }
    const bool other_in_front = picture.on_head[y * render_px + x] == 2 && *picture.depth.at(x, y) < z - 1;
    result.visible[i] = nearest_gap < 4.0F && !other_in_front;
  }
  result.image = takePhoto(picture.colour, size_px, random);
  return result;
}

}  // namespace facet::synth
