#include "synth/subject.h"

#include <algorithm>
#include <array>

#include "synth/hair.h"

namespace facet::synth {
namespace {

// Skin tones from very light to very dark, linear RGB, after the spread that published tone scales show.
const std::array<Eigen::Vector3f, 9> kTones = {{{0.80F, 0.58F, 0.47F},
                                                {0.74F, 0.50F, 0.39F},
                                                {0.66F, 0.43F, 0.31F},
                                                {0.57F, 0.36F, 0.24F},
                                                {0.46F, 0.27F, 0.165F},
                                                {0.34F, 0.185F, 0.105F},
                                                {0.225F, 0.115F, 0.065F},
                                                {0.135F, 0.070F, 0.042F},
                                                {0.075F, 0.042F, 0.028F}}};

// 0 = lightest, 1 = darkest.
Eigen::Vector3f toneAt(float darkness) {
  const float at = std::clamp(darkness, 0.0F, 1.0F) * (kTones.size() - 1.001F);
  const int i = static_cast<int>(at);
  return kTones[i] + (kTones[i + 1] - kTones[i]) * (at - i);
}

Eigen::Vector3f hairColour(Random& random, float darkness, float age) {
  Eigen::Vector3f colour;
  const float r = random.uniform() + (darkness > 0.45F ? -0.45F : 0.0F);
  if (r < 0.30F) {
    colour = Eigen::Vector3f(0.012F, 0.009F, 0.008F);  // black
  } else if (r < 0.58F) {
    colour = Eigen::Vector3f(0.055F, 0.030F, 0.017F);  // dark brown
  } else if (r < 0.74F) {
    colour = Eigen::Vector3f(0.15F, 0.083F, 0.042F);  // brown
  } else if (r < 0.90F) {
    colour = Eigen::Vector3f(0.42F, 0.28F, 0.135F);  // blond
  } else if (r < 0.96F) {
    colour = Eigen::Vector3f(0.25F, 0.075F, 0.026F);  // red
  } else {
    colour = random.colour(0.02F, 0.4F);  // dyed
  }
  colour *= random.logNormal(0.3F);
  const float grey = smoothStep(0.6F, 1.0F, age + 0.12F * random.normal());
  const float white = random.range(0.28F, 0.7F);
  return colour + (Eigen::Vector3f(1.0F, 0.97F, 0.92F) * white - colour) * grey;
}

float decode(std::uint8_t v) { return std::pow(v / 255.0F, 2.2F); }

// Smooth noise over a square of `size` texels, a row at a time; varies over `distance` texels.
class NoisePlane {
 public:
  NoisePlane(int size, int distance, std::uint32_t seed) : size_(size), distance_(distance) {
    cells_ = size / distance + 2;
    Random random(seed);
    for (int i = 0; i < cells_ * cells_; ++i) lattice_.push_back(random.range(-1, 1));
    for (int i = 0; i < distance; ++i) weight_.push_back(smoothStep(0, 1, static_cast<float>(i) / distance));
  }
  void row(int y, float* values) const {
    const float* above = lattice_.data() + y / distance_ * cells_;
    const float w = weight_[y % distance_];
    for (int x = 0, cell = 0; x < size_; ++cell) {
      const float left = above[cell] + (above[cell + cells_] - above[cell]) * w;
      const float right = above[cell + 1] + (above[cell + 1 + cells_] - above[cell + 1]) * w;
      for (int i = 0; i < distance_ && x < size_; ++i, ++x) values[x] = left + (right - left) * weight_[i];
    }
  }

 private:
  int size_, distance_, cells_;
  std::vector<float> lattice_, weight_;
};

// Skin of two of the prepared persons mixed, brought to a tone, with brows, lips and lashes.
Image8 paintSkin(const Assets& assets, int level, Subject& subject, float age, bool feminine,
                 Random& random) {
  const SkinPaint& paint = assets.paint[level];
  const int size = paint.skins[0].width();
  const int a = random.pick(static_cast<int>(paint.skins.size()));
  const int b = random.pick(static_cast<int>(paint.skins.size()));
  const float mix = random.chance(0.5F) ? 0.0F : random.uniform();
  const bool mirror = random.chance(0.5F);
  // Detail relative to the skin's own tone, as a table per skin and channel; strength varies.
  const float strength = random.range(0.6F, 1.0F) + (age > 0.6F ? random.range(0, 0.35F) : 0.0F);
  float table[2][3][256];
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      const float linear = decode(static_cast<std::uint8_t>(v));
      table[0][c][v] = std::pow(std::max(linear, 1e-3F) / assets.skin_tones(a, c), strength);
      table[1][c][v] = std::pow(std::max(linear, 1e-3F) / assets.skin_tones(b, c), strength);
    }
  }
  int brow_card = random.pick(static_cast<int>(paint.brows.size()));
  if (!feminine && (brow_card == 5 || brow_card == 6)) brow_card = 0;  // thin, plucked ones
  const Image8& brow = paint.brows[brow_card];
  const Image8& brow2 = paint.brows[random.pick(static_cast<int>(paint.brows.size()))];
  const float brow_mix = random.chance(0.6F) ? 0.0F : random.uniform();
  const float brow_opacity = random.range(0.6F, 1.0F) * (age > 0.75F ? 0.8F : 1.0F);
  const float brow_bushiness = random.range(0.1F, 0.9F);
  // Higher or lower, longer or shorter, nearer to the nose or farther than the prepared brow.
  const float brow_shift = std::clamp(2 * random.normal(), -5.0F, 5.0F) / paint.mm_per_texel;
  const float brow_stretch = random.range(0.85F, 1.1F),
              brow_apart = 1.5F * random.normal() / paint.mm_per_texel;
  std::vector<int> brow_column(size);  // of the prepared picture, for each column painted
  for (int x = 0; x < size; ++x) {
    const float from_nose = static_cast<float>(x) + 0.5F - 0.5F * static_cast<float>(size);
    const float source = (std::abs(from_nose) - brow_apart) / brow_stretch;
    brow_column[x] = std::clamp(
        static_cast<int>(0.5F * static_cast<float>(size) + std::copysign(source, from_nose)), 0, size - 1);
  }
  const Eigen::Vector3f brow_colour =
      subject.beard_colour.cwiseMin(subject.skin_tone * 0.8F) * random.range(0.2F, 0.6F);

  const bool lipstick = feminine && random.chance(0.45F);
  Eigen::Vector3f lips =
      subject.skin_tone.cwiseProduct(Eigen::Vector3f(0.90F, 0.58F, 0.60F)) * random.range(0.65F, 1.0F);
  if (lipstick)
    lips = Eigen::Vector3f(random.range(0.2F, 0.6F), random.range(0.02F, 0.14F), random.range(0.03F, 0.16F));
  const float lip_strength = lipstick ? random.range(0.5F, 0.9F) : random.range(0.1F, 0.6F);
  const float lash_strength = feminine ? random.range(0.6F, 1.0F) : random.range(0.25F, 0.8F);
  subject.lash_mm = feminine ? random.range(5.5F, 9) : random.range(3, 6.5F);
  subject.shine = random.range(0.1F, 1.0F);
  const bool shadow = feminine && random.chance(0.3F);
  const Eigen::Vector3f eye_shadow = random.colour(0.05F, 0.4F);
  const float dark_rings = random.range(0.0F, 0.3F) + (age > 0.6F ? 0.12F : 0.0F);
  const float blotch = random.range(0.02F, 0.10F),
              freckles = random.chance(0.15F) ? random.range(0.1F, 0.4F) : 0.0F;
  const float flush = random.range(0.0F, 0.12F);
  const auto noise_seed = static_cast<std::uint32_t>(random.bits());

  // Tables of detail × tone × share of the two skins.
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) {
      table[0][c][v] *= subject.skin_tone[c] * (1 - mix);
      table[1][c][v] *= subject.skin_tone[c] * mix;
    }
  }
  const NoisePlane blotches(size, 40 >> level, noise_seed),
      spots(freckles > 0 ? size : 0, std::max(1, 3 - level), noise_seed + 1);
  const float brow_gain = 1.3F + 2 * brow_bushiness, inverse_tone = 0.2F / subject.skin_tone.mean() / 3;
  std::vector<float> colour[3], lip(size), lash(size), eye(size), opacity(size), blotch_row(size),
      spot_row(size);
  for (auto& channel : colour) channel.resize(size);
  Image8 skin(size, size, 4);
  subject.brow_opacity = Image8(size, size, 1);
  for (int y = 0; y < size; ++y) {
    const std::uint8_t* pa = paint.skins[a].at(0, y);
    const std::uint8_t* pb = paint.skins[b].at(0, y);
    for (int x = 0; x < size; ++x) {
      const int sx = 3 * (mirror ? size - 1 - x : x);
      for (int c = 0; c < 3; ++c) colour[c][x] = table[0][c][pa[sx + c]];
      if (mix == 0) continue;
      for (int c = 0; c < 3; ++c) colour[c][x] += table[1][c][pb[sx + c]];
    }
    const std::uint8_t* feature = paint.features.at(0, y);
    const float by = std::clamp(y + brow_shift, 0.0F, size - 1.001F);
    const int by0 = static_cast<int>(by);
    const float t = by - static_cast<float>(by0);
    const std::uint8_t *upper = brow.at(0, by0), *lower = brow.at(0, by0 + 1);
    const std::uint8_t *upper2 = brow2.at(0, by0), *lower2 = brow2.at(0, by0 + 1);
    std::uint8_t* opacity_row = subject.brow_opacity.at(0, y);
    for (int x = 0; x < size; ++x) {
      lip[x] = feature[4 * x] / 255.0F;
      lash[x] = 1 - lash_strength * 0.85F * (feature[4 * x + 1] / 255.0F);
      eye[x] = feature[4 * x + 3] / 255.0F;
      const int bx = brow_column[x];
      const float hair = ((upper[bx] * (1 - t) + lower[bx] * t) * (1 - brow_mix) +
                          (upper2[bx] * (1 - t) + lower2[bx] * t) * brow_mix) /
                         255.0F;
      opacity[x] = std::min(1.0F, hair * brow_gain) * brow_opacity;
      opacity_row[x] = static_cast<std::uint8_t>(opacity[x] * 255);
    }
    blotches.row(y, blotch_row.data());
    if (freckles > 0) {
      spots.row(y, spot_row.data());
      for (int x = 0; x < size; ++x) {
        const float keep = 1 - freckles * 2 * std::max(0.0F, spot_row[x] - 0.5F);
        for (auto& channel : colour) channel[x] *= keep;
      }
    }
    for (int x = 0; x < size; ++x) {
      const float n = blotch_row[x];
      float r = colour[0][x] * (1 + blotch * n),
            g = colour[1][x] * (1 + blotch * n) * (1 - flush * std::max(0.0F, n)),
            b_ = colour[2][x] * (1 + blotch * n);
      const float lip_light = 0.8F + (r + g + b_) * inverse_tone, lip_share = lip[x] * lip_strength;
      r += (lips.x() * lip_light - r) * lip_share;
      g += (lips.y() * lip_light - g) * lip_share;
      b_ += (lips.z() * lip_light - b_) * lip_share;
      const float rings = 1 - dark_rings * eye[x], shadow_share = shadow ? 0.5F * eye[x] : 0.0F;
      const float o = opacity[x];
      const auto finish = [&](float v, float shadow_colour, float brow_of_colour) {
        v *= rings;
        v += (shadow_colour - v) * shadow_share;
        v *= lash[x];
        v += (brow_of_colour - v) * o;
        return std::sqrt(std::min(std::max(v, 0.0F), 1.0F)) * 255 + 0.5F;
      };
      colour[0][x] = finish(r, eye_shadow.x(), brow_colour.x());
      colour[1][x] = finish(g, eye_shadow.y(), brow_colour.y());
      colour[2][x] = finish(b_, eye_shadow.z(), brow_colour.z());
    }
    std::uint8_t* out = skin.at(0, y);
    for (int x = 0; x < size; ++x) {
      for (int c = 0; c < 3; ++c) out[4 * x + c] = static_cast<std::uint8_t>(colour[c][x]);
      out[4 * x + 3] = feature[4 * x];
    }
  }
  return skin;
}

}  // namespace

float Subject::hairline(float hairline_mm, const Eigen::Vector3f& position) const {
  const float corner = smoothStep(18, 38, std::abs(position.x())) * smoothStep(60, 90, position.y()) *
                       smoothStep(0, 40, position.z());
  float inside = hairline_mm + hairline_shift_mm - recession_mm * corner;
  if (cut == HairCut::kReceded || cut == HairCut::kBald) {
    inside =
        std::min(inside, 62 - position.y() - 0.25F * std::max(0.0F, position.z()));  // a rim around the back
  }
  return inside;
}

Subject makeSubject(const Assets& assets, int size_px, Random& random) {
  Subject subject;
  const MorphableModel& model = assets.model;
  subject.identity.resize(model.numIdentity());
  const float spread = random.chance(0.2F) ? 1.3F : 1.0F;
  for (float& c : subject.identity) c = std::clamp(spread * random.normal(), -3.0F, 3.0F);
  subject.neutral = model.mean;
  model.identity.addTo(subject.identity, subject.neutral.data(), subject.neutral.size());

  const float age = random.uniform();
  const bool feminine = random.chance(0.5F);
  const float darkness =
      std::pow(random.uniform(), 1.4F);  // more light skins than dark ones, all of them present
  subject.skin_tone = toneAt(darkness) * 0.9F * random.logNormal(0.08F);
  subject.skin_tone.y() *= random.logNormal(0.04F);
  subject.skin_tone.z() *= random.logNormal(0.07F);
  subject.hair_colour = hairColour(random, darkness, age);
  subject.beard_colour = random.chance(0.8F) ? Eigen::Vector3f(subject.hair_colour * random.range(0.6F, 1.0F))
                                             : hairColour(random, darkness, age);
  subject.skin_gloss = random.range(0.3F, 1.6F) * (1 + 1.5F * darkness);
  subject.sclera_brightness = random.range(0.7F, 1.15F);
  subject.teeth_colour =
      Eigen::Vector3f(0.78F, 0.72F, 0.60F + 0.1F * random.uniform()) * random.range(0.65F, 1.1F);
  const float eye = random.uniform() + (darkness > 0.4F ? -0.6F : 0.0F);
  subject.iris_colour = eye < 0.55F   ? Eigen::Vector3f(0.075F, 0.032F, 0.014F) * random.range(0.4F, 1.6F)
                        : eye < 0.75F ? Eigen::Vector3f(0.13F, 0.21F, 0.30F) * random.range(0.6F, 1.4F)
                        : eye < 0.88F ? Eigen::Vector3f(0.12F, 0.13F, 0.06F) * random.range(0.6F, 1.4F)
                                      : Eigen::Vector3f(0.19F, 0.20F, 0.19F) * random.range(0.6F, 1.4F);
  subject.pupil_mm = random.range(1.4F, 3.0F);
  subject.iris_mm = random.range(5.9F, 6.7F);

  const float cut = random.uniform();
  if (feminine) {
    subject.cut = cut < 0.02F   ? HairCut::kBald
                  : cut < 0.05F ? HairCut::kBuzz
                  : cut < 0.15F ? HairCut::kShort
                  : cut < 0.38F ? HairCut::kMedium
                  : cut < 0.70F ? HairCut::kLong
                  : cut < 0.83F ? HairCut::kCurly
                                : HairCut::kTied;
  } else {
    subject.cut = cut < 0.12F   ? HairCut::kBald
                  : cut < 0.23F ? HairCut::kReceded
                  : cut < 0.36F ? HairCut::kBuzz
                  : cut < 0.76F ? HairCut::kShort
                  : cut < 0.85F ? HairCut::kMedium
                  : cut < 0.90F ? HairCut::kLong
                  : cut < 0.98F ? HairCut::kCurly
                                : HairCut::kTied;
  }
  subject.hairline_shift_mm = 5 * random.normal();
  subject.recession_mm = feminine ? random.range(0, 6) : random.range(0, 12 + 25 * age);
  subject.hair_scale = random.logNormal(0.35F);
  subject.fringe = random.chance(feminine ? 0.35F : 0.25F);
  subject.combing = random.pick(4);
  subject.parting_mm =
      random.chance(0.4F) ? 4 * random.normal() : 35 * (random.chance(0.5F) ? 1 : -1) + 6 * random.normal();
  subject.curl = random.chance(0.5F) ? random.range(0, 0.35F) : random.uniform();
  if (subject.cut == HairCut::kCurly) subject.curl = random.range(0.6F, 1.2F);

  if (!feminine) {
    const float beard = random.uniform();
    if (beard < 0.30F) {
      subject.stubble = random.range(0.15F, 0.7F);
    } else if (beard < 0.62F) {
      subject.stubble = random.range(0.5F, 0.95F);
      subject.beard_mm = std::exp(random.range(std::log(2.0F), std::log(45.0F)));
      subject.moustache_mm = random.range(4, 12);
      if (random.chance(0.3F)) subject.goatee_mm = random.range(16, 32);
    } else if (beard < 0.70F) {
      subject.moustache_mm = random.range(4, 12);
      subject.stubble = random.range(0, 0.3F);
    }
  }
  // Most pictures are 285 mm wide where the face is.
  const float texels = 285.0F / size_px / assets.paint[0].mm_per_texel;
  subject.paint_level = std::clamp(static_cast<int>(std::lround(std::log2(std::max(1.0F, 0.8F * texels)))), 0,
                                   static_cast<int>(assets.paint.size()) - 1);
  subject.skin.push_back(paintSkin(assets, subject.paint_level, subject, age, feminine, random));
  subject.skin.push_back(halved(subject.skin.back()));
  subject.brow_points = browPoints(assets.atlas, subject.brow_opacity);
  subject.hair = growHair(assets, subject, random);
  return subject;
}

}  // namespace facet::synth
