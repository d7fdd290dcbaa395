#include "synth/face_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <string>

#include "core/check.h"
#include "core/half_float.h"
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
  float gaze_left_deg[2] = {0, 0};  // per eye (left, right): turn towards the subject's left
  float gaze_up_deg = 0;
  float mouth_open = 0;
  std::array<float, 2> eyes_closed = {0, 0};  // left, right
};

class ExpressionMaker {
 public:
  ExpressionMaker(const MorphableModel& model, Random& random) : model_(model), random_(random) {
    expression_.weights = Eigen::VectorXf::Zero(model.numExpression());
  }

  void set(const std::string& name, float weight) {
    const auto index = model_.expressionIndex(name);
    require(index.has_value(), "synth: the model has no expression '", name, "'; it must have ARKit's");
    float& w = expression_.weights(*index);
    w = std::clamp(w + weight, 0.0F, 1.0F);
  }
  // Both sides, a little unlike each other; one shape where the model has no sides.
  void both(const std::string& name, float weight, float asymmetry = 0.15F) {
    if (model_.expressionIndex(name)) return set(name, weight);
    set(name + "Left", weight * (1 + asymmetry * random_.normal()));
    set(name + "Right", weight * (1 + asymmetry * random_.normal()));
  }

  Expression make(bool closed_eyes, const Vector3f& camera_in_head) {
    Random& r = random_;
    const bool asleep = r.chance(0.03F);
    const float kind = asleep ? 0 : r.uniform();
    if (asleep) set("jawOpen", r.chance(0.5F) ? 0.0F : r.range(0, 0.25F));
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
    } else if (kind < 0.79F) {  // shout, laugh, yawn, surprise
      set("jawOpen", r.range(0.4F, 1.0F));
      both("mouthStretch", r.range(0, 0.6F));
      both("mouthSmile", r.chance(0.5F) ? r.range(0, 0.8F) : 0.0F);
      both("browInnerUp", r.range(0, 0.8F));
      both("browOuterUp", r.range(0, 0.8F));
      both("eyeWide", r.range(0, 0.8F));
    } else if (kind < 0.85F) {  // sad, angry, disgusted
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
    if (!asleep && r.chance(0.3F)) both("browInnerUp", r.range(0, 0.6F));
    if (!asleep && r.chance(0.3F)) both("browOuterUp", r.range(0, 0.6F), 0.4F);
    if (!asleep && r.chance(0.25F)) both("browDown", r.range(0, 0.6F), 0.4F);
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
    expression_.gaze_left_deg[0] = std::clamp(turn - vergence, -35.0F, 35.0F);
    expression_.gaze_left_deg[1] = std::clamp(turn + vergence, -35.0F, 35.0F);
    const float lid = r.uniform();
    if (lid < 0.09F || closed_eyes || asleep) {
      both("eyeBlink", r.chance(0.7F) ? 1.0F : r.range(0.92F, 1.0F), 0);
      if (!asleep && r.chance(0.3F)) both("eyeSquint", r.range(0, 0.8F));
    } else if (lid < 0.15F) {  // on the way there
      both("eyeBlink", r.range(0.5F, 0.9F), 0.05F);
    } else if (lid < 0.19F) {  // a wink, with the cheek and the brow of that side
      const std::string side = r.chance(0.5F) ? "Left" : "Right";
      set("eyeBlink" + side, r.chance(0.7F) ? 1.0F : r.range(0.88F, 1.0F));
      if (r.chance(0.7F)) set("cheekSquint" + side, r.range(0.2F, 1.0F));
      if (r.chance(0.5F)) set("browDown" + side, r.range(0, 0.7F));
      if (r.chance(0.5F)) set("mouthSmile" + side, r.range(0.1F, 0.7F));
      both("eyeSquint", r.range(0, 0.4F));
    } else {
      // The model's neutral eyes are wide open; real ones are not.
      if (r.chance(0.12F))
        both("eyeWide", r.range(0, 0.6F));
      else
        both("eyeBlink", r.chance(0.2F) ? r.range(0.3F, 0.6F) : r.range(0, 0.22F), 0.08F);
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
    expression_.eyes_closed = {weight("eyeBlinkLeft"), weight("eyeBlinkRight")};
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

// Posed in the head frame: expression added, eyeballs turned (models differ in whether eyeLook shapes do
// that).
Points3 poseHead(const Assets& assets, const Subject& subject, const Expression& expression) {
  Points3 vertices = subject.neutral;
  // Most shapes are not used: leaving them out saves reading them.
  for (Eigen::Index k = 0; k < expression.weights.size(); ++k) {
    if (expression.weights(k) == 0) continue;
    assets.shapes[k].addTo(Eigen::VectorXf::Constant(1, expression.weights(k)), vertices.data(),
                           vertices.size());
  }
  // Each eyeball moves with this person's, around its own centre.
  Vector3f shift[2] = {Vector3f::Zero(), Vector3f::Zero()};
  int count[2] = {0, 0};
  const auto side_of = [&](int v) { return assets.model.mean(v, 0) > 0 ? 0 : 1; };
  for (int v = 0; v < assets.eye_xy.rows(); ++v) {
    if (assets.eye_xy(v, 0) == 0 && assets.eye_xy(v, 1) == 0) continue;
    shift[side_of(v)] += (subject.neutral.row(v) - assets.model.mean.row(v)).transpose();
    ++count[side_of(v)];
  }
  Points3 centres = assets.eye_centres;
  for (int side = 0; side < 2; ++side)
    if (count[side] > 0) centres.row(side) += shift[side].transpose() / static_cast<float>(count[side]);
  std::array<Vector3f, 2> gaze;
  for (int side = 0; side < 2; ++side) {
    const Vector3f centre = centres.row(side);
    const Eigen::Matrix3f turn =
        (Eigen::AngleAxisf(expression.gaze_left_deg[side] * kRadians, Vector3f::UnitY()) *
         Eigen::AngleAxisf(-expression.gaze_up_deg * kRadians, Vector3f::UnitX()))
            .toRotationMatrix();
    gaze[side] = turn.col(2);
    // Behind closed lids the eyeball shrinks unseen: a bulging one would pierce them.
    const auto blink = assets.model.expressionIndex(side == 0 ? "eyeBlinkLeft" : "eyeBlinkRight");
    const float size = blink ? 1 - 0.15F * smoothStep(0.85F, 1, expression.weights(*blink)) : 1;
    for (int v = 0; v < assets.eye_xy.rows(); ++v) {
      if ((assets.eye_xy(v, 0) == 0 && assets.eye_xy(v, 1) == 0) || side_of(v) != side) continue;
      vertices.row(v) = (centre + size * (turn * (subject.neutral.row(v).transpose() - centre))).transpose();
    }
  }
  assets.lids.close(assets.model, expression.weights, centres, gaze, vertices);
  return vertices;
}

// 0 on the head, 1 where the neck has become the body.
float bodyWeight(const Vector3f& mean_position) {
  const float start = -62 - 34 * smoothStep(20, 55, mean_position.z());
  return smoothStep(start, start - 62, mean_position.y());
}

template <typename T>
void put(std::vector<std::uint8_t>& bytes, std::size_t index, T value) {
  std::memcpy(bytes.data() + index * sizeof(T), &value, sizeof(T));
}

// See runSynth() for what the numbers mean.
std::vector<std::uint8_t> encoded(TruthMap map, const Picture& picture, float head_depth_mm) {
  const std::size_t count = picture.label.size();
  std::vector<std::uint8_t> bytes(count * info(map).bytes_per_pixel);
  for (std::size_t i = 0; i < count; ++i) {
    if (map == TruthMap::kSegmentation) {
      bytes[i] = static_cast<std::uint8_t>(picture.label[i]);
      continue;
    }
    const PixelTruth& truth = picture.truth[i];
    switch (map) {
      case TruthMap::kSegmentation:
        break;
      case TruthMap::kDepth: {
        constexpr float kNothing = std::numeric_limits<float>::infinity();
        put(bytes, i, halfFromFloat(truth.depth_mm == 0 ? kNothing : truth.depth_mm - head_depth_mm));
        break;
      }
      case TruthMap::kNormals:
        for (int c = 0; c < 3; ++c) {
          put(bytes, 3 * i + c, static_cast<std::int8_t>(std::lround(127 * truth.normal[c])));
        }
        break;
      case TruthMap::kAlbedo:
        for (int c = 0; c < 3; ++c) {
          const float srgb = srgbFromLinear(std::clamp(truth.albedo[c], 0.0F, 1.0F));
          bytes[3 * i + c] = static_cast<std::uint8_t>(std::lround(255 * srgb));
        }
        break;
      case TruthMap::kUv:
        for (int c = 0; c < 2; ++c) {
          const float at = std::clamp(truth.uv[c], 0.0F, 1.0F);
          put(bytes, 2 * i + c,
              static_cast<std::uint16_t>(truth.uv[c] < 0 ? 0 : 1 + std::lround(65534 * at)));
        }
        break;
    }
  }
  return bytes;
}

}  // namespace

FaceImage makeFaceImage(const Assets& assets, const Subject& subject, int size_px, std::uint64_t seed,
                        int index, float negative_fraction, const std::set<TruthMap>& maps) {
  Random random(seed, static_cast<std::uint64_t>(index), 1);
  FaceImage result;
  const bool negative = random.chance(negative_fraction);
  const float negative_kind = negative ? random.uniform() : 1.0F;
  result.expression = Eigen::VectorXf::Zero(assets.model.numExpression());
  const int num_landmarks = kNumIbugLandmarks + assets.model.dense.size();
  if (negative_kind < 0.45F) {  // no person at all
    result.has_face = false;
    result.landmarks_px = Points2::Zero(num_landmarks, 2);
    result.visible.assign(num_landmarks, 0);
    ImageF picture = makeBackground(assets, size_px, random);
    if (negative_kind < 0.15F && !assets.animals.empty()) {
      const Image8& animal =
          assets.backgrounds[assets.animals[random.pick(static_cast<int>(assets.animals.size()))]];
      picture = linearFromSrgb(photoPiece(animal, size_px, random));
    } else if (negative_kind < 0.3F) {
      picture = linearFromSrgb(photoPiece(
          assets.backgrounds[random.pick(static_cast<int>(assets.backgrounds.size()))], size_px, random));
    }
    result.image = takePhoto(std::move(picture), random).image;
    result.dense_albedo = Points3::Zero(assets.model.dense.size(), 3);
    Picture nothing;
    nothing.label.resize(static_cast<std::size_t>(size_px) * size_px, FaceLabel::kBackground);
    nothing.truth.resize(nothing.label.size());
    for (const TruthMap map : maps) result.maps[map] = encoded(map, nothing, 0);
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

  const Points3 landmarks68 = assets.ibugLandmarks(head, subject.brow_points);
  const Points3 dense = assets.model.dense.points(head, assets.model.triangles);

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
  view.size_px = size_px;
  view.focal_px = size_px / side;
  view.cx_px = size_px / 2.0F - view.focal_px * centre.x();
  view.cy_px = size_px / 2.0F - view.focal_px * centre.y();
  result.camera.width_px = result.camera.height_px = size_px;
  result.camera.focal_px = view.focal_px;
  result.camera.principal_px = {view.cx_px, view.cy_px};
  result.camera.camera_from_model = camera_from_head;

  // Things around the head.
  Scene scene;
  std::vector<Lens> lenses;
  scene.placement = camera_from_head;
  const float hat_chance = random.uniform();
  float covered_above = 1000;
  if (hat_chance < 0.08F && !as_scanned) {
    const HeadGrid grid(head, assets.model.mean, assets.num_skin_vertices, kHeadCentre);
    covered_above = addHat(grid, random, scene);
  }
  if (!as_scanned) addHair(subject, covered_above, view, scene);
  if (!as_scanned) growBeard(assets, subject, head, random, scene);
  growLashes(subject, landmarks68, expression.eyes_closed, scene);
  const float glasses = random.uniform();
  if (glasses < 0.19F && !as_scanned) addGlasses(landmarks68, glasses < 0.04F, random, scene, lenses);
  if (random.chance(0.1F)) {
    addEarrings({76, -20, 14}, {-76, -20, 14}, random, scene);
  }
  if (random.chance(0.035F) && !as_scanned) {
    addMask(HeadGrid(head, assets.model.mean, assets.num_skin_vertices, kHeadCentre), random, scene);
  } else if (random.chance(0.11F)) {
    addOccluder(landmarks68, subject, random, scene);
  }
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

  const Lighting light = makeLighting(assets, random);
  ImageF background = makeBackground(assets, size_px, random);
  if (as_scanned) std::fill_n(background.data(), background.size(), random.range(0.05F, 0.5F));
  const Image8& photo = assets.backgrounds[random.pick(static_cast<int>(assets.backgrounds.size()))];
  const HeadSurface surface(assets, subject, expression.mouth_open, expression.eyes_closed, as_scanned,
                            distance_mm / view.focal_px);
  const bool with_truth =
      std::any_of(maps.begin(), maps.end(), [](TruthMap map) { return map != TruthMap::kSegmentation; });
  static thread_local Samples samples;
  Picture picture = shade(assets, surface, in_camera, subject.skin_gloss, scene, lenses, light, view, photo,
                          background, with_truth, samples);

  // Truth.
  result.has_face = !back_of_head && !off_centre;
  result.landmarks_px = Points2(num_landmarks, 2);
  result.visible.assign(num_landmarks, 0);
  for (int i = 0; i < num_landmarks; ++i) {
    const Eigen::Vector2f p =
        projected.row(i).transpose() * view.focal_px + Eigen::Vector2f(view.cx_px, view.cy_px);
    result.landmarks_px.row(i) = p;
    if (p.minCoeff() < 0 || p.maxCoeff() >= static_cast<float>(size_px)) continue;
    // Hidden when something else lies in front, or when the head itself lies clearly in front all around.
    const int last = samples.row - 1;
    const int x = static_cast<int>(std::lround(2 * p.x())), y = static_cast<int>(std::lround(2 * p.y()));
    const auto sample = [&](int column, int line) {
      return static_cast<std::size_t>(std::clamp(line, 0, last)) * (last + 1) + std::clamp(column, 0, last);
    };
    const float z = points(i, 2);
    float nearest_gap = std::numeric_limits<float>::max();
    for (int j = -1; j <= 1; ++j) {
      for (int k = -1; k <= 1; ++k) {
        const float depth = samples.depthMm(sample(x + k, y + j));
        nearest_gap = std::min(nearest_gap, depth == 0 ? 0.0F : std::max(0.0F, z - depth));
      }
    }
    const std::size_t here = sample(x, y);
    const bool other_in_front =
        samples.kinds[here] != 0 && !samples.onHead(here) && samples.depthMm(here) < z - 1;
    result.visible[i] = nearest_gap < 4.0F && !other_in_front;
  }
  for (const TruthMap map : maps) {
    result.maps[map] = encoded(map, picture, camera_from_head.translation().z());
  }
  Photo taken = takePhoto(std::move(picture.colour), random);
  result.image = std::move(taken.image);
  result.light_sh = light.sphericalHarmonics() * taken.gain.asDiagonal();
  result.dense_albedo = surface.denseAlbedo();
  return result;
}

}  // namespace facet::synth
