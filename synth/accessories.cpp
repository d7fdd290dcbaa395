#include "synth/accessories.h"

#include <algorithm>
#include <numbers>

namespace facet::synth {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

Eigen::Matrix3f randomRotation(Random& random) {
  return Eigen::AngleAxisf(random.range(0, 2 * kPi), random.direction()).toRotationMatrix();
}

Eigen::Vector3f clothColour(Random& random) {
  const float kind = random.uniform();
  if (kind < 0.35F) return Eigen::Vector3f::Constant(random.range(0.01F, 0.08F)) + random.colour(0, 0.03F);
  if (kind < 0.5F) return Eigen::Vector3f::Constant(random.range(0.5F, 0.85F));
  const Eigen::Vector3f c = random.colour(0.01F, 0.7F);
  return c.cwiseProduct(c.cwiseSqrt());
}

void addHand(const Eigen::Vector3f& palm, const Eigen::Vector3f& towards, const Eigen::Vector3f& colour,
             Random& random, Scene& scene) {
  // Palm and five fingers of two segments each, bent a little at random.
  const Eigen::Vector3f back(0.2F * random.normal(), 0.2F * random.normal(), 1);
  const Eigen::Vector3f across = towards.cross(back).normalized(),
                        normal = across.cross(towards).normalized();
  Eigen::Matrix3f axes;
  axes << across * 40, towards * 46, normal * 14;
  scene.addEllipsoid(palm, axes, colour, Surface::kSkin, 7);
  const float curl = random.range(-0.1F, 0.9F), spread = random.range(0.02F, 0.25F);
  for (int finger = 0; finger < 5; ++finger) {
    const bool thumb = finger == 4;
    const float slot = thumb ? 1.75F : finger - 1.5F;
    const Eigen::Vector3f base =
        palm + across * (thumb ? 36.0F : slot * 19) + towards * (thumb ? -12.0F : 36.0F);
    Eigen::Vector3f heading = (towards + across * (thumb ? 0.9F : slot * spread)).normalized();
    const float length = thumb ? 26.0F : 30 - 3 * std::abs(slot);
    std::vector<Eigen::Vector3f> points = {base};
    std::vector<float> radii = {9.5F};
    for (int joint = 0; joint < 3; ++joint) {
      heading = (heading - normal * curl * random.range(0.3F, 0.9F)).normalized();
      points.push_back(points.back() + heading * length * (joint == 2 ? 0.7F : 1.0F));
      radii.push_back(9.5F - joint * 0.9F);
    }
    points.push_back(points.back() + heading * 5);
    radii.push_back(2);
    scene.addTube(points, radii, colour * random.range(0.9F, 1.05F), Surface::kSkin, 7);
  }
  scene.addTube({palm - towards * 20, palm - towards * 60, palm - towards * 300}, {25, 27, 40}, colour,
                Surface::kSkin, 9);
}

}  // namespace

void addGlasses(const Points3& landmarks68, bool sunglasses, Random& random, Scene& scene,
                std::vector<Lens>& lenses) {
  scene.label = FaceLabel::kGlasses;
  const Eigen::Vector3f colour =
      random.chance(0.6F)    ? Eigen::Vector3f::Constant(random.range(0.004F, 0.05F))
      : random.chance(0.35F) ? Eigen::Vector3f(0.45F, 0.38F, 0.25F) * random.range(0.4F, 1.2F)
      : random.chance(0.5F)  ? Eigen::Vector3f(0.16F, 0.06F, 0.02F) * random.range(0.4F, 1.5F)
                             : random.colour(0.02F, 0.5F);
  const bool rimless = !sunglasses && random.chance(0.12F);
  const float rim = rimless               ? 0.4F
                    : random.chance(0.4F) ? random.range(0.7F, 1.1F)
                                          : random.range(1.2F, 2.8F);
  const float half_width = random.range(22, 28) + (sunglasses ? 3.0F : 0.0F);
  const float half_height = random.range(15, 23) + (sunglasses ? 3.0F : 0.0F);
  const float roundness = random.range(2.0F, 4.5F);  // exponent of the superellipse
  const float drop = random.range(-1, 7);
  const Eigen::Vector3f nose = landmarks68.row(27);
  Eigen::Vector3f inner_edge[2], outer_edge[2];
  const Eigen::Vector3f lens_tint =
      sunglasses
          ? (random.chance(0.7F) ? Eigen::Vector3f(Eigen::Vector3f::Constant(random.range(0.01F, 0.12F)))
                                 : random.colour(0.01F, 0.3F))
          : Eigen::Vector3f(Eigen::Vector3f::Constant(random.range(0.85F, 0.98F)));
  const float reflection = random.chance(0.3F) ? random.range(0.05F, 0.2F) : random.range(0.01F, 0.05F);
  for (int side = 0; side < 2; ++side) {
    const int first = side == 0 ? 42 : 36;  // subject's left eye first
    Eigen::Vector3f centre = Eigen::Vector3f::Zero();
    for (int k = 0; k < 6; ++k) centre += landmarks68.row(first + k).transpose() / 6;
    const float sign = side == 0 ? 1.0F : -1.0F;
    centre += Eigen::Vector3f(sign * 1.5F, -drop, 0);
    centre.z() = nose.z() + 3 + 0.4F * drop;
    const Eigen::Vector3f normal = Eigen::Vector3f(sign * 0.16F, -0.08F, 1).normalized();
    const Eigen::Vector3f right = Eigen::Vector3f::UnitY().cross(normal).normalized(),
                          up = normal.cross(right);
    std::vector<Eigen::Vector3f> outline;
    for (int k = 0; k <= 28; ++k) {
      const float angle = 2 * kPi * k / 28;
      const float c = std::cos(angle), s = std::sin(angle);
      const float x = std::copysign(std::pow(std::abs(c), 2 / roundness), c) * half_width;
      const float y = std::copysign(std::pow(std::abs(s), 2 / roundness), s) * half_height;
      outline.push_back(centre + right * x + up * (y * (1 - 0.1F * sign * c)));
    }
    scene.addTube(outline, std::vector<float>(outline.size(), rim), colour, Surface::kGloss, 5);
    inner_edge[side] = centre - right * (sign * half_width) + up * (half_height * 0.25F);
    outer_edge[side] = centre + right * (sign * half_width) + up * (half_height * 0.45F);
    Lens lens{{}, scene.placement * centre, scene.placement.linear() * normal, lens_tint, reflection};
    for (const Eigen::Vector3f& p : outline) lens.outline.push_back(scene.placement * p);
    lenses.push_back(std::move(lens));
    const Eigen::Vector3f ear(sign * 78, outer_edge[side].y() + 3, 8);
    scene.addTube({outer_edge[side],
                   Eigen::Vector3f(sign * (std::abs(outer_edge[side].x()) + 4), outer_edge[side].y(),
                                   outer_edge[side].z() - 8),
                   ear, ear + Eigen::Vector3f(0, -22, -16)},
                  {std::max(0.8F, rim), std::max(0.8F, rim), std::max(0.8F, rim), 1}, colour, Surface::kGloss,
                  5);
  }
  const Eigen::Vector3f bridge = (inner_edge[0] + inner_edge[1]) / 2 + Eigen::Vector3f(0, 2, 3);
  scene.addTube(
      {inner_edge[0], bridge + Eigen::Vector3f(4, 0, 0), bridge - Eigen::Vector3f(4, 0, 0), inner_edge[1]},
      std::vector<float>(4, std::max(0.7F, rim)), colour, Surface::kGloss, 5);
}

float addHat(const HeadGrid& grid, Random& random, Scene& scene) {
  scene.label = FaceLabel::kHeadwear;
  const Eigen::Vector3f colour = clothColour(random), second = clothColour(random);
  const float kind = random.uniform();
  const float stripes = random.chance(0.3F) ? random.range(0.05F, 0.2F) : 0.0F;
  if (kind < 0.4F) {  // headscarf: the whole head but the face
    const float half_width = random.range(0.88F, 1.12F), top = random.range(0.38F, 0.62F),
                lift = random.range(5, 12);
    const auto seed = static_cast<std::uint32_t>(random.bits());
    scene.addGrid(
        30, 72,
        [&](float u, float v) {
          // From the opening, an ellipse of directions around the face, chin included, to the back.
          const float angle = v * 2 * kPi, c = std::cos(angle), sn = std::sin(angle);
          const auto flat = [](float x) { return std::copysign(std::sqrt(std::sqrt(std::abs(x))), x); };
          const float edge_azimuth = half_width * c,
                      edge_elevation = -0.22F + (sn > 0 ? top + 0.22F : 0.78F) * sn;
          const float azimuth = edge_azimuth + (kPi * flat(c) - edge_azimuth) * u;
          const float elevation = edge_elevation + (0.49F * kPi * flat(sn) - edge_elevation) * u;
          Scene::GridPoint p;
          const float fold = 3 * valueNoise({azimuth * 4, elevation * 5, 0}, seed);
          p.position = grid.point(azimuth, elevation, lift + fold);
          if (elevation < -0.5F) {  // falls to the shoulders
            const Eigen::Vector3f d = HeadGrid::direction(azimuth, elevation);
            Eigen::Vector3f low =
                grid.centre() +
                d * (95 + 14 * (-elevation)) / std::max(0.35F, std::sqrt(d.x() * d.x() + d.z() * d.z()));
            low.y() = std::max(low.y(), -230.0F);
            low += Eigen::Vector3f(d.x(), 0, d.z()) * fold * 2;
            p.position += (low - p.position) * (1 - smoothStep(-0.75F, -0.5F, elevation));
          }
          p.colour = stripes > 0 && std::fmod(elevation + 4, stripes) < stripes / 2 ? second : colour;
          p.local = p.position;
          return p;
        },
        Surface::kCloth);
    return -1000;
  }
  const bool cap = kind < 0.75F;
  const float rim = random.range(0.30F, 0.55F), lift = random.range(5, 14), tilt = random.range(-0.1F, 0.3F);
  const float peak = random.range(0, 25);
  scene.addGrid(
      18, 48,
      [&](float u, float v) {
        const float azimuth = (v - 0.5F) * 2 * kPi;
        const float low = rim + tilt * std::cos(azimuth) - (cap ? 0.0F : 0.1F);
        const float elevation = low + (kPi / 2 - 0.01F - low) * u;
        Scene::GridPoint p;
        p.position = grid.point(azimuth, elevation, lift + (!cap && u < 0.25F ? 4.0F : 0.0F)) +
                     Eigen::Vector3f(0, peak * u * u, 0);
        p.colour = (stripes > 0 && std::fmod(elevation, stripes) < stripes / 2) || (!cap && u < 0.25F)
                       ? second
                       : colour;
        p.local = p.position;
        return p;
      },
      Surface::kCloth);
  const float brim = cap ? random.range(50, 80) : random.chance(0.35F) ? random.range(35, 80) : 0.0F;
  if (brim > 0) {
    const bool all_around = !cap;
    const float droop = random.range(0.0F, 0.5F);
    scene.addGrid(
        4, 40,
        [&](float u, float v) {
          const float azimuth = (v - 0.5F) * (all_around ? 2 * kPi : 2.1F);
          const Eigen::Vector3f base = grid.point(azimuth, rim + tilt * std::cos(azimuth), lift);
          const float reach =
              all_around ? brim : brim * std::sqrt(std::max(0.0F, 1 - std::pow(azimuth / 1.05F, 2.0F)));
          Scene::GridPoint p;
          p.position =
              base + Eigen::Vector3f(std::sin(azimuth), -droop * u, all_around ? std::cos(azimuth) : 1.0F) *
                         (reach * u);
          p.colour = all_around ? colour : second;
          p.local = p.position;
          return p;
        },
        Surface::kCloth);
  }
  const Eigen::Vector3f front = grid.point(0, rim + tilt, lift);
  return front.y() - 4;
}

void addClothes(const Subject& subject, Random& random, Scene& scene) {
  scene.label = FaceLabel::kClothes;
  const Eigen::Vector3f colour = clothColour(random), second = clothColour(random);
  const int kind =
      random.pick(6);  // 0 round neck, 1 deep neck, 2 polo neck, 3 shirt, 4 jacket shirt tie, 5 hood
  const float width = random.range(0.88F, 1.15F);
  const float stripes = random.chance(0.3F) ? random.range(8, 40) : 0.0F;
  const bool vertical = random.chance(0.5F);
  const float neckline = kind == 1 ? random.range(40, 90) : random.range(0, 25);
  const auto seed = static_cast<std::uint32_t>(random.bits());
  if (kind == 4) {
    scene.overlays[0] = {{0.75F, 0.76F, 0.8F}, false};
    scene.overlays[1] = {second, false};
  } else {
    scene.overlays[0] = {subject.skin_tone * 0.9F, true};
  }
  struct Ring {
    float y, rx, rz, cz;
  };
  static constexpr Ring kRings[] = {{-100, 64, 62, -6},    {-112, 74, 70, -10},  {-124, 100, 76, -16},
                                    {-137, 140, 82, -24},  {-152, 172, 88, -25}, {-178, 196, 96, -22},
                                    {-240, 212, 108, -16}, {-480, 222, 118, -14}};
  constexpr int kCount = static_cast<int>(std::size(kRings));
  scene.addGrid(
      28, 64,
      [&](float u, float v) {
        const float at = u * (kCount - 1.001F);
        const int i = static_cast<int>(at);
        const float t = at - i;
        const auto mixed = [&](float Ring::*m) {
          return kRings[i].*m + (kRings[i + 1].*m - kRings[i].*m) * t;
        };
        const float angle = 2 * kPi * v;
        Scene::GridPoint p;
        const float fold = 1 + 0.02F * valueNoise({4 * std::cos(angle), 4 * std::sin(angle), at}, seed);
        const float low = at > 1.5F ? width : 1.0F;
        p.position = {mixed(&Ring::rx) * low * fold * std::sin(angle), mixed(&Ring::y),
                      mixed(&Ring::cz) + mixed(&Ring::rz) * fold * std::cos(angle)};
        p.local = p.position;
        const float x = p.position.x(), y = p.position.y();
        const bool front = std::cos(angle) > 0;
        p.colour = colour * (0.9F + 0.1F * valueNoise(p.position / 9, seed));
        if (stripes > 0 && std::fmod((vertical ? x : y) + 1000, stripes) < stripes * 0.4F) p.colour = second;
        const float below = -108 - y;  // distance below the collar
        // Signed distances of shirt and tie, or of the bare neck.
        if (kind == 4) {
          p.over_mm.x() = front ? 52 - below * 0.35F - std::abs(x) : -30.0F;
          p.over_mm.y() = front ? std::min(9 + below * 0.06F - std::abs(x), below) : -30.0F;
        } else if (kind <= 1) {
          const float in_neckline = std::min(neckline - below, 62 + (neckline - below) - std::abs(x));
          p.over_mm.x() = std::max(6 - below, front ? in_neckline : -30.0F);
        }
        return p;
      },
      Surface::kCloth);
  if (kind == 2 || kind == 3 || kind == 4 || kind == 5) {  // collar or hood around the neck
    const float height = kind == 2   ? random.range(20, 45)
                         : kind == 5 ? random.range(40, 90)
                                     : random.range(14, 28);
    const Eigen::Vector3f collar = kind == 4 ? Eigen::Vector3f(0.75F, 0.76F, 0.8F) : colour * 0.9F;
    const float flare = kind == 5 ? 34.0F : kind == 2 ? -2.0F : 9.0F;
    scene.addGrid(
        5, 48,
        [&](float u, float v) {
          const float opening = kind == 2 ? 0.0F : 0.28F;
          const float angle = opening + (2 * kPi - 2 * opening) * v;
          const float rise = height * (kind == 5 ? 1 - 0.7F * std::max(0.0F, std::cos(angle)) : 1.0F);
          Scene::GridPoint p;
          const float r = 72 + flare * (u - 0.3F) + (kind == 5 ? 12.0F : 0.0F);
          p.position = {r * std::sin(angle), -118 + rise * u - 8 * std::max(0.0F, std::cos(angle)),
                        -8 + r * std::cos(angle) * 0.95F};
          p.colour = collar;
          p.local = p.position;
          return p;
        },
        Surface::kCloth);
  }
}

void addMask(const HeadGrid& grid, Random& random, Scene& scene) {
  scene.label = FaceLabel::kOccluder;
  const float kind = random.uniform();  // a surgeon's mask, a cup, a cloth
  const bool pleated = kind < 0.6F, cup = !pleated && kind < 0.8F;
  Eigen::Vector3f colour(0.42F, 0.62F, 0.74F);
  if (cup || (pleated && kind > 0.4F)) {
    colour = {0.8F, 0.8F, 0.78F};
  } else if (!pleated) {
    colour = clothColour(random);
  }
  constexpr float kDegrees = kPi / 180;
  const float down = random.chance(0.15F) ? random.range(14, 22) : 0.0F;  // worn under the nose
  const float top = random.range(-9, -3) - down, wide = random.range(46, 58), lift = random.range(3, 5.5F);
  scene.addGrid(
      18, 28,
      [&](float u, float v) {
        const float side = 2 * v - 1, across = side * side;
        const float high = (top - 17 * across + 0.5F * down * across) * kDegrees;
        const float low = (-61 + 14 * across) * kDegrees;
        const float elevation = high + (low - high) * u;
        Scene::GridPoint p;
        const float pleat = pleated ? std::sin(u * 5 * kPi) * (1 - across) : 0.0F;
        const float bulge = cup ? 14 * std::sin(kPi * u) * (1 - across) : 0.0F;
        p.position = grid.point(side * wide * kDegrees, elevation, lift + bulge + pleat);
        p.colour = colour * (0.92F + 0.08F * pleat);
        p.local = p.position;
        return p;
      },
      Surface::kCloth);
  for (const float side : {-1.0F, 1.0F}) {  // loops around the ears
    for (const bool upper : {true, false}) {
      const float elevation = (upper ? top - 17 : -47.0F) * kDegrees;
      const Eigen::Vector3f corner = grid.point(side * wide * kDegrees, elevation, lift);
      const Eigen::Vector3f ear(side * 80, upper ? 26.0F : -10.0F, 6);
      Eigen::Vector3f middle = grid.point(side * 70 * kDegrees, 0.5F * elevation, 3);
      middle.y() = 0.5F * (corner.y() + ear.y());
      scene.addTube({corner, middle, ear}, {1, 1, 1}, colour.cwiseMax(0.3F), Surface::kCloth, 4);
    }
  }
}

void addOccluder(const Points3& landmarks68, const Subject& subject, Random& random, Scene& scene) {
  scene.label = FaceLabel::kOccluder;
  const Eigen::Vector3f face = landmarks68.colwise().mean();
  const float kind = random.uniform();
  if (kind < 0.4F) {  // a hand at the cheek, chin, mouth or in front of everything
    const Eigen::Vector3f target = landmarks68.row(random.pick(68));
    const float angle = random.range(-kPi, kPi);
    const Eigen::Vector3f towards(std::sin(angle), std::abs(std::cos(angle)) * random.range(-0.3F, 1.0F), 0);
    const Eigen::Vector3f palm =
        target + Eigen::Vector3f(0, 0, random.range(18, 50)) - towards.normalized() * random.range(20, 90);
    const Eigen::Vector3f colour = subject.skin_tone * random.range(0.7F, 1.1F);
    addHand(palm, towards.normalized(), colour, random, scene);
  } else if (kind < 0.55F) {  // a telephone at the ear or before the face
    Eigen::Matrix3f axes = Eigen::Matrix3f::Identity();
    axes.col(0) *= 36;
    axes.col(1) *= 74;
    axes.col(2) *= 4;
    const float side = random.chance(0.5F) ? 1.0F : -1.0F;
    const bool ear = random.chance(0.5F);
    const Eigen::Vector3f centre =
        ear ? Eigen::Vector3f(side * 88, -20, 30)
            : Eigen::Vector3f(face + Eigen::Vector3f(random.range(-70, 70), random.range(-90, 60), 70));
    const Eigen::Matrix3f turn =
        (Eigen::AngleAxisf(ear ? side * 1.4F : 0.4F * random.normal(), Eigen::Vector3f::UnitY()) *
         Eigen::AngleAxisf(0.5F * random.normal(), Eigen::Vector3f::UnitZ()))
            .toRotationMatrix();
    scene.addBox(centre, turn * axes, Eigen::Vector3f::Constant(random.range(0.01F, 0.3F)), Surface::kGloss);
    addHand(centre + Eigen::Vector3f(side * 8, -45, -4), Eigen::Vector3f(-side * 0.3F, 1, 0.1F).normalized(),
            subject.skin_tone, random, scene);
  } else if (kind < 0.7F) {  // a microphone
    const Eigen::Vector3f head =
        landmarks68.row(57).transpose() +
        Eigen::Vector3f(random.range(-40, 40), random.range(-45, 10), random.range(30, 70));
    const float r = random.range(16, 28);
    scene.addEllipsoid(head, Eigen::Matrix3f::Identity() * r,
                       Eigen::Vector3f::Constant(random.range(0.01F, 0.25F)), Surface::kCloth);
    const Eigen::Vector3f away =
        Eigen::Vector3f(random.range(-0.7F, 0.7F), -1, random.range(0, 0.5F)).normalized();
    scene.addTube({head, head + away * 60, head + away * 220}, {r * 0.55F, r * 0.6F, r * 0.5F},
                  Eigen::Vector3f::Constant(0.03F), Surface::kGloss, 8);
  } else if (kind < 0.8F) {  // a cup or a ball
    Eigen::Matrix3f axes = randomRotation(random);
    axes.col(0) *= random.range(20, 50);
    axes.col(1) *= random.range(20, 50);
    axes.col(2) *= random.range(20, 50);
    scene.addEllipsoid(face + Eigen::Vector3f(random.range(-90, 90), random.range(-100, 90), 90), axes,
                       random.colour(0.02F, 0.8F), Surface::kGloss, 10);
  } else {  // a piece of a picture with a rough outline, anywhere near
    const Eigen::Vector3f centre =
        face + Eigen::Vector3f(random.range(-95, 95), random.range(-110, 100), random.range(40, 90));
    const float r = random.range(20, 65), stretch = random.range(0.4F, 1.6F);
    const auto seed = static_cast<std::uint32_t>(random.bits());
    scene.addGrid(
        3, 32,
        [&](float u, float v) {
          const float angle = 2 * kPi * v;
          const float reach =
              u * r * (1 + 0.5F * valueNoise({std::cos(angle) * 1.5F, std::sin(angle) * 1.5F, 0}, seed));
          Scene::GridPoint p;
          p.position = centre + Eigen::Vector3f(reach * std::cos(angle) * stretch,
                                                reach * std::sin(angle) / stretch, 0);
          p.colour.setConstant(0.5F);
          p.local = Eigen::Vector3f(reach * std::cos(angle) / r, reach * std::sin(angle) / r, 0);
          return p;
        },
        Surface::kPhoto);
  }
}

void addEarrings(const Eigen::Vector3f& left_lobe, const Eigen::Vector3f& right_lobe, Random& random,
                 Scene& scene) {
  scene.label = FaceLabel::kJewellery;
  const Eigen::Vector3f colour =
      random.chance(0.5F) ? Eigen::Vector3f(0.6F, 0.45F, 0.15F) : random.colour(0.1F, 0.8F);
  const float r = random.range(2, 6);
  const float hoop = random.chance(0.35F) ? random.range(8, 25) : 0.0F;
  for (const Eigen::Vector3f& lobe : {left_lobe, right_lobe}) {
    if (hoop > 0) {
      std::vector<Eigen::Vector3f> ring;
      for (int k = 0; k <= 20; ++k) {
        const float a = 2 * kPi * k / 20;
        ring.push_back(lobe + Eigen::Vector3f(std::copysign(2.0F, lobe.x()), hoop * (std::cos(a) - 1),
                                              hoop * std::sin(a)));
      }
      scene.addTube(ring, std::vector<float>(ring.size(), 1.0F), colour, Surface::kGloss, 5);
    } else {
      scene.addEllipsoid(lobe + Eigen::Vector3f(std::copysign(3.0F, lobe.x()), -r, 2),
                         Eigen::Matrix3f::Identity() * r, colour, Surface::kGloss, 5);
    }
  }
}

}  // namespace facet::synth
