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

Eigen::Vector3f smoothNoise(const Eigen::Vector3f& p, std::uint32_t seed) {
  return {valueNoise(p, seed), valueNoise(p, seed + 1), valueNoise(p, seed + 2)};
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

void growHair(const Assets& assets, const Subject& subject, const Points3& vertices, const HeadGrid& grid,
              float covered_above, Random& random, Scene& scene) {
  const Cut cut = cutOf(subject.cut);
  if (cut.num_locks == 0) return;
  const auto noise_seed = static_cast<std::uint32_t>(random.bits());
  const Eigen::Vector3f knot(0, random.range(30, 120), -95);
  const float tangle = 0.05F + 0.2F * random.uniform() + 0.5F * subject.curl;
  const float forelock = random.range(0.3F, 1.0F);
  const bool behind_ears = random.chance(0.35F), curtain = random.chance(0.2F);
  const float highlight = random.chance(0.15F) ? random.range(1.2F, 2.2F) : random.range(0.8F, 1.2F);
  int grown = 0;
  std::vector<Eigen::Vector3f> points;
  for (const HairRoot& candidate : assets.scalp_roots) {
    if (grown >= cut.num_locks) break;
    const float inside = subject.hairline(candidate.hairline_mm, candidate.position);
    if (inside + 3 * valueNoise(candidate.position / 7, noise_seed) < 0) continue;
    const Root root = place(assets, candidate, vertices);
    if (root.position.y() > covered_above) continue;
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
    const bool is_fringe = subject.fringe && in_front &&
                           (subject.cut == HairCut::kShort || subject.cut == HairCut::kMedium ||
                            subject.cut == HairCut::kLong || subject.cut == HairCut::kCurly);
    const float side = p0.x() > subject.parting_mm ? 1.0F : -1.0F;

    Eigen::Vector3f comb;
    if (is_fringe) {
      comb = Eigen::Vector3f(0.35F * side * (subject.combing % 2), -0.5F, 1.0F);
      length = std::min(length, (48 + 0.75F * inside) * forelock + 12 * random.uniform() + 8);
    } else if (subject.cut == HairCut::kTied) {
      comb = knot - p0;
      length = std::min(length, comb.norm() * 0.95F);
    } else if (subject.cut == HairCut::kCurly) {
      comb = root.normal + smoothNoise(p0 / 6, noise_seed) * 0.9F;
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
                               root.normal * rise + smoothNoise(p0 / 14, noise_seed + 7) * tangle)
                                  .normalized();
    const int segments = std::clamp(static_cast<int>(length / 22) + 2, 2, 11);
    const float step = length / segments;
    const Eigen::Vector3f offset = root.position - p0;
    const float lift = cut.lift_mm * (grown % 3 == 0 ? 0.2F : 0.4F + 1.3F * random.uniform());
    points.assign(1, root.position);
    Eigen::Vector3f p = root.position;
    for (int i = 1; i <= segments; ++i) {
      const float gravity = cut.gravity * step / 100;
      heading += Eigen::Vector3f(0, -gravity * (is_fringe ? 2.0F : 1.0F), 0);
      heading += smoothNoise((p - offset) / (subject.curl > 0.5F ? 9.0F : 22.0F) +
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
      points.push_back(p);
    }
    const float shade = std::exp(0.35F * valueNoise(p0 / 5, noise_seed + 21) + 0.25F * random.normal());
    const Eigen::Vector3f colour = subject.hair_colour * shade;
    // Of long hair every third lock is a broad dark one that fills the space between the others.
    const bool filling = length > 60 && grown % 3 == 0 && subject.curl < 0.5F;
    scene.addLock(points, cut.width_mm * (filling ? 3.0F : 0.6F + 0.8F * random.uniform()), root.normal,
                  colour * (filling ? 0.5F : 0.7F), colour * (filling ? 0.7F : highlight));
  }
  if (subject.cut == HairCut::kTied && random.chance(0.7F)) {
    const float r = random.range(20, 38);
    scene.addEllipsoid(knot + Eigen::Vector3f(0, 0, -r * 0.4F), Eigen::Matrix3f::Identity() * r,
                       subject.hair_colour, Surface::kHair);
  }
}

void growBeard(const Assets& assets, const Subject& subject, const Points3& vertices, Random& random,
               Scene& scene) {
  if (subject.beard_mm <= 0 && subject.moustache_mm <= 0) return;
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
                       (subject.goatee <= 0 || std::abs(p0.x()) < subject.goatee);
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
        (root.normal * 0.55F + comb + smoothNoise(p0 / 6, noise_seed + 3) * tangle).normalized();
    const int segments = length > 15 ? 4 : 2;
    points.assign(1, root.position);
    for (int i = 1; i <= segments; ++i) {
      points.push_back(points.back() + heading * (length / segments));
      heading = (heading + Eigen::Vector3f(0, -0.25F, 0) +
                 0.4F * tangle * smoothNoise(points.back() / 5, noise_seed + 5))
                    .normalized();
    }
    const Eigen::Vector3f colour = subject.beard_colour * std::exp(0.4F * random.normal());
    scene.addLock(points, length > 15 ? 1.8F : 1.1F, root.normal, colour * 0.7F, colour * 1.3F);
  }
}

}  // namespace facet::synth
