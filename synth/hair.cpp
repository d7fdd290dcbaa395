#include "synth/hair.h"

#include <algorithm>
#include <array>

namespace facet::synth {
namespace {

struct Cut {
  int num_locks;
  float width_mm;
  float top_mm, side_mm, back_mm;  // lengths
  float gravity;                   // how fast a lock bends down, per 100 mm
  float lift_mm;                   // distance kept from the head
  float paint;
};

Cut cutOf(HairCut cut) {
  switch (cut) {
    case HairCut::kBald:
      return {0, 1, 0, 0, 0, 0, 0, 0.12F};
    case HairCut::kReceded:
      return {1500, 1.4F, 14, 12, 12, 0.3F, 1, 0.75F};
    case HairCut::kBuzz:
      return {1800, 0.9F, 5, 4, 4, 0.1F, 0.5F, 0.88F};
    case HairCut::kShort:
      return {3200, 1.6F, 38, 14, 14, 0.5F, 2, 0.92F};
    case HairCut::kMedium:
      return {2600, 2.3F, 130, 110, 110, 2.2F, 4, 0.97F};
    case HairCut::kLong:
      return {2500, 2.8F, 330, 290, 280, 2.2F, 4, 0.97F};
    case HairCut::kCurly:
      return {3000, 2.4F, 50, 36, 36, 0.3F, 3, 0.97F};
    case HairCut::kTied:
      return {2000, 2.6F, 130, 110, 100, 0.0F, 3, 0.95F};
  }
  return {};
}

struct Root {
  Eigen::Vector3f position, normal;
};

Root place(const Assets& assets, const HairRoot& root, const Points3& vertices) {
  const auto t = assets.triangles.row(root.triangle);
  const Eigen::Vector3f a = vertices.row(t(0)), b = vertices.row(t(1)), c = vertices.row(t(2));
  return {root.weights[0] * a + root.weights[1] * b + root.weights[2] * c, (b - a).cross(c - a).normalized()};
}

}  // namespace

float scalpPaint(HairCut cut) { return cutOf(cut).paint; }

Hair growHair(const Assets& assets, const Subject& subject, Random& random) {
  Hair hair;
  const Cut cut = cutOf(subject.cut);
  if (cut.num_locks == 0) return hair;
  const HeadGrid grid(subject.neutral, assets.model.mean, assets.num_skin_vertices, kHeadCentre);
  const auto noise_seed = static_cast<std::uint32_t>(random.bits());
  const Eigen::Vector3f knot(0, random.range(30, 120), -95);
  const float tangle = 0.05F + 0.2F * random.uniform() + 0.5F * subject.curl;
  const float forelock = random.range(0.3F, 1.0F);
  // Strands that have come loose fall over the forehead.
  const float loose = random.chance(0.25F) ? random.range(0.01F, 0.06F) : 0.0F;
  const bool behind_ears = random.chance(0.35F), curtain = random.chance(0.2F);
  const float highlight = random.chance(0.15F) ? random.range(1.2F, 2.2F) : random.range(0.8F, 1.2F);
  int grown = 0;
  for (const HairRoot& candidate : assets.scalp_roots) {
    if (grown >= cut.num_locks) break;
    const float inside = subject.hairline(candidate.hairline_mm, candidate.position);
    if (inside + 3 * valueNoise(candidate.position / 7, noise_seed) < 0) continue;
    const Root root = place(assets, candidate, subject.neutral);
    ++grown;
    const Eigen::Vector3f& p0 = candidate.position;
    const float top = smoothStep(55, 95, p0.y());
    const float back = smoothStep(10, -40, p0.z()) * (1 - top);
    float length =
        (cut.top_mm * top + (1 - top) * (cut.side_mm * (1 - back) + cut.back_mm * back)) * subject.hair_scale;
    length *= 0.75F + 0.5F * random.uniform();
    if (subject.cut == HairCut::kShort || subject.cut == HairCut::kBuzz || subject.cut == HairCut::kReceded) {
      length *= 0.45F + 0.55F * smoothStep(0, 22, inside);  // shorter towards the border
    }
    const bool in_front = p0.z() > 30 && inside < 42 && std::abs(p0.x()) < 58 && p0.y() > 75;
    const bool is_loose = in_front && loose > 0 && cut.top_mm > 30 && random.chance(loose);
    const bool is_fringe = is_loose || (subject.fringe && in_front &&
                                        (subject.cut == HairCut::kShort || subject.cut == HairCut::kMedium ||
                                         subject.cut == HairCut::kLong || subject.cut == HairCut::kCurly));
    const float side = p0.x() > subject.parting_mm ? 1.0F : -1.0F;

    Eigen::Vector3f comb;
    if (is_fringe) {
      comb = Eigen::Vector3f(0.35F * side * (subject.combing % 2), -0.5F, 1.0F);
      length = is_loose ? 45 + 70 * random.uniform()
                        : std::min(length, (52 + 0.75F * inside) * forelock + 12 * random.uniform() + 8);
    } else if (subject.cut == HairCut::kTied) {
      comb = knot - p0;
      length = std::min(length, comb.norm() * 0.95F);
    } else if (subject.cut == HairCut::kCurly) {
      comb = root.normal + valueNoise3(p0 / 6, noise_seed) * 0.9F;
    } else if (subject.cut == HairCut::kLong || subject.cut == HairCut::kMedium) {
      // Away from the face at the front, unless it is worn as a curtain.
      const float front = smoothStep(20, 60, p0.z());
      comb = Eigen::Vector3f(side, -0.2F,
                             behind_ears ? -0.9F
                             : curtain   ? -0.3F * front - 0.1F
                                         : -0.9F * front - 0.15F);
    } else {
      switch (subject.combing) {
        case 0:
          comb = Eigen::Vector3f(side, 0, 0.25F);
          break;
        case 1:
          comb = Eigen::Vector3f(0, 0.1F, -1);
          break;
        case 2:
          comb = Eigen::Vector3f(0, 0, 1);
          break;
        default:
          comb = root.normal * 1.6F + Eigen::Vector3f(0, 0.3F, -0.5F);
          break;
      }
      comb = comb * top + Eigen::Vector3f(0, -1, -0.25F) * (1 - top);
    }
    // Lie along the skin, then rise a little from it.
    comb.normalize();
    const float rise = subject.cut == HairCut::kCurly  ? 0.9F
                       : subject.cut == HairCut::kTied ? 0.05F
                       : subject.combing == 3          ? 0.7F * top + 0.12F
                                                       : 0.16F;
    Eigen::Vector3f heading = (comb - root.normal * std::min(0.0F, comb.dot(root.normal)) +
                               root.normal * rise + valueNoise3(p0 / 14, noise_seed + 7) * tangle)
                                  .normalized();
    const int segments = std::clamp(static_cast<int>(length / 28) + 2, 2, 10);
    const float step = length / segments;
    const Eigen::Vector3f offset = root.position - p0;
    const float lift = cut.lift_mm * (grown % 3 == 0 ? 0.2F : 0.4F + 1.3F * random.uniform());
    const auto first_point = static_cast<int>(hair.points.size());
    hair.points.push_back(root.position);
    Eigen::Vector3f p = root.position;
    for (int i = 1; i <= segments; ++i) {
      const float gravity = cut.gravity * step / 100;
      heading += Eigen::Vector3f(0, -gravity * (is_fringe ? 2.0F : 1.0F), 0);
      heading += valueNoise3((p - offset) / (subject.curl > 0.5F ? 9.0F : 22.0F) +
                                 Eigen::Vector3f::Constant(0.1F * random.uniform()),
                             noise_seed + 13) *
                 (0.05F + 0.75F * subject.curl) * std::min(1.0F, step / 15);
      // Short hair lies down along the comb.
      if (subject.cut == HairCut::kShort && !is_fringe && subject.combing != 3) heading += 0.45F * comb;
      if (subject.cut == HairCut::kTied) heading += 0.6F * (knot - p).normalized();
      heading.normalize();
      Eigen::Vector3f next = p + heading * step;
      const Eigen::Vector3f from_centre = next - grid.centre();
      const float distance = from_centre.norm();
      const float keep = grid.radius(from_centre / distance) + lift * std::min(1.0F, 0.4F * i);
      if (distance < keep) next = grid.centre() + from_centre * (keep / distance);
      heading = (next - p).normalized();
      p = next;
      hair.points.push_back(p);
    }
    const float shade = std::exp(0.35F * valueNoise(p0 / 5, noise_seed + 21) + 0.25F * random.normal());
    const Eigen::Vector3f colour = subject.hair_colour * shade;
    // Of long hair every third lock is a broad dark one that fills the space between the others.
    const bool filling = length > 60 && grown % 3 == 0 && subject.curl < 0.5F;
    hair.locks.push_back({first_point, segments + 1,
                          cut.width_mm * (filling ? 3.0F : 0.6F + 0.8F * random.uniform()), root.normal,
                          colour * (filling ? 0.5F : 0.7F), colour * (filling ? 0.7F : highlight)});
  }
  if (subject.cut == HairCut::kTied && random.chance(0.7F)) {
    hair.bun_radius_mm = random.range(20, 38);
    hair.bun = knot - Eigen::Vector3f(0, 0, 0.4F * hair.bun_radius_mm);
  }
  return hair;
}

void addHair(const Subject& subject, float covered_above, const View& view, Scene& scene) {
  scene.label = FaceLabel::kHair;
  const Hair& hair = subject.hair;
  // The skull hides a cylinder along the line of sight.
  constexpr float kHidden_mm = 65, kMargin = 0.05F;
  const auto size = static_cast<float>(view.size_px);
  const Eigen::Vector3f away =
      (scene.placement.linear().transpose() * (scene.placement * kHeadCentre)).normalized();
  for (const HairLock& lock : hair.locks) {
    const Eigen::Vector3f* points = hair.points.data() + lock.first_point;
    if (points[0].y() > covered_above) continue;
    bool hidden = true;
    for (int i = 0; i < lock.num_points && hidden; ++i) {
      const Eigen::Vector3f offset = points[i] - kHeadCentre;
      const float behind = offset.dot(away);
      if (behind > 0 && offset.squaredNorm() - behind * behind < kHidden_mm * kHidden_mm) continue;
      const Eigen::Vector2f p = view.project(scene.placement * points[i]);
      hidden = (p.array() < -kMargin * size).any() || (p.array() > (1 + kMargin) * size).any();
    }
    if (hidden) continue;
    scene.addLock({points, static_cast<std::size_t>(lock.num_points)}, lock.width_mm, lock.root_normal,
                  lock.root_colour, lock.tip_colour);
  }
  if (hair.bun_radius_mm > 0) {
    scene.addEllipsoid(hair.bun, Eigen::Matrix3f::Identity() * hair.bun_radius_mm, subject.hair_colour,
                       Surface::kHair);
  }
}

void growLashes(const Subject& subject, const Points3& landmarks68, const std::array<float, 2>& closed,
                Scene& scene) {
  constexpr int kLashes = 26;
  scene.label = FaceLabel::kSkin;  // as the painted lash line
  const Eigen::Vector3f colour = subject.beard_colour.cwiseMin(0.05F) * 0.5F;
  for (int side = 0; side < 2; ++side) {
    // Upper lid margin from the inner corner outwards.
    const std::array<int, 4> corner =
        side == 0 ? std::array<int, 4>{42, 43, 44, 45} : std::array<int, 4>{39, 38, 37, 36};
    Eigen::Vector3f p[4];
    for (int k = 0; k < 4; ++k) p[k] = landmarks68.row(corner[k]);
    const float outward = side == 0 ? 1.0F : -1.0F;
    for (int i = 1; i <= kLashes; ++i) {
      const float at = 3.0F * static_cast<float>(i) / (kLashes + 1);
      const int k = std::min(static_cast<int>(at), 2);
      const float t = at - static_cast<float>(k);
      // Catmull and Rom's spline through the four points.
      const Eigen::Vector3f before = k > 0 ? p[k - 1] : Eigen::Vector3f(2 * p[0] - p[1]);
      const Eigen::Vector3f after = k < 2 ? p[k + 2] : Eigen::Vector3f(2 * p[3] - p[2]);
      const Eigen::Vector3f root = 0.5F * (2 * p[k] + (p[k + 1] - before) * t +
                                           (2 * before - 5 * p[k] + 4 * p[k + 1] - after) * (t * t) +
                                           (3 * (p[k] - p[k + 1]) + after - before) * (t * t * t));
      const float share = at / 3;
      const float length = subject.lash_mm * (0.55F + 0.45F * std::sin(3.0F * share + 0.1F));
      const Eigen::Vector3f heading =
          Eigen::Vector3f(outward * (share - 0.3F) * 0.9F, 0.35F - 0.9F * closed[side], 1.0F).normalized();
      const Eigen::Vector3f lift(0, 0.45F - 0.25F * closed[side], 0);
      const Eigen::Vector3f middle = root + heading * (0.5F * length);
      const Eigen::Vector3f points[3] = {root, middle,
                                         middle + (heading + lift).normalized() * (0.5F * length)};
      scene.addLock(points, 0.55F, Eigen::Vector3f::UnitZ(), colour, colour);
    }
  }
}

void growBeard(const Assets& assets, const Subject& subject, const Points3& vertices, Random& random,
               Scene& scene) {
  if (subject.beard_mm <= 0 && subject.moustache_mm <= 0) return;
  scene.label = FaceLabel::kFacialHair;
  const auto noise_seed = static_cast<std::uint32_t>(random.bits());
  const int count = subject.beard_mm > 12 ? 1500 : 2000;
  const float tangle = random.range(0.15F, 0.6F);
  int grown = 0;
  std::vector<Eigen::Vector3f> points;
  for (const HairRoot& candidate : assets.beard_roots) {
    if (grown >= count) break;
    const Eigen::Vector3f& p0 = candidate.position;
    const float edge = 0.15F + 0.25F * std::abs(valueNoise(p0 / 5, noise_seed));
    const bool beard = subject.beard_mm > 0 && candidate.beard > edge &&
                       (subject.goatee_mm <= 0 || std::abs(p0.x()) < subject.goatee_mm);
    const bool moustache = subject.moustache_mm > 0 && candidate.moustache > edge;
    if (!beard && !moustache) continue;
    ++grown;
    const Root root = place(assets, candidate, vertices);
    float length = (moustache ? subject.moustache_mm : subject.beard_mm) * (0.6F + 0.8F * random.uniform());
    if (beard && !moustache) {
      length *= 0.4F + 0.6F * smoothStep(0.1F, 0.9F, candidate.beard);
      length *= 1 - 0.6F * smoothStep(35, 70, std::abs(p0.x()));  // shorter on the cheeks
    }
    Eigen::Vector3f comb(moustache ? 0.8F * std::clamp(p0.x() / 12, -1.0F, 1.0F) : 0.0F, -0.9F, 0.1F);
    Eigen::Vector3f heading =
        (root.normal * 0.55F + comb + valueNoise3(p0 / 6, noise_seed + 3) * tangle).normalized();
    const int segments = length > 15 ? 4 : 2;
    points.assign(1, root.position);
    for (int i = 1; i <= segments; ++i) {
      points.push_back(points.back() + heading * (length / segments));
      heading = (heading + Eigen::Vector3f(0, -0.25F, 0) +
                 0.4F * tangle * valueNoise3(points.back() / 5, noise_seed + 5))
                    .normalized();
    }
    const Eigen::Vector3f colour = subject.beard_colour * std::exp(0.4F * random.normal());
    scene.addLock(points, length > 15 ? 1.8F : 1.1F, root.normal, colour * 0.7F, colour * 1.3F);
  }
}

}  // namespace facet::synth
