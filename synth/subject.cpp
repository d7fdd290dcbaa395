#include "synth/subject.h"

#include <algorithm>
#include <array>

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

// Skin of two of the prepared persons mixed, brought to a tone, with brows, lips and lashes.
Image8 paintSkin(const Assets& assets, Subject& subject, float age, bool feminine, Random& random) {
  const int size = assets.skins[0].width();
  const int a = random.pick(static_cast<int>(assets.skins.size()));
  const int b = random.pick(static_cast<int>(assets.skins.size()));
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
  int brow_card = random.pick(static_cast<int>(assets.brows.size()));
  if (!feminine && (brow_card == 5 || brow_card == 6)) brow_card = 0;  // thin, plucked ones
  const Image8& brow = assets.brows[brow_card];
  const Image8& brow2 = assets.brows[random.pick(static_cast<int>(assets.brows.size()))];
  const float brow_mix = random.chance(0.6F) ? 0.0F : random.uniform();
  const float brow_opacity = random.range(0.6F, 1.0F) * (age > 0.75F ? 0.8F : 1.0F);
  const float brow_bushiness = random.range(0.1F, 0.9F);
  subject.brow_shift_mm = std::clamp(2 * random.normal(), -5.0F, 5.0F);
  const int brow_shift = static_cast<int>(std::lround(subject.brow_shift_mm / assets.brow_mm_per_texel));
  const Eigen::Vector3f brow_colour =
      subject.beard_colour.cwiseMin(subject.skin_tone * 0.8F) * random.range(0.2F, 0.6F);

  const bool lipstick = feminine && random.chance(0.45F);
  Eigen::Vector3f lips =
      subject.skin_tone.cwiseProduct(Eigen::Vector3f(0.90F, 0.58F, 0.60F)) * random.range(0.65F, 1.0F);
  if (lipstick)
    lips = Eigen::Vector3f(random.range(0.2F, 0.6F), random.range(0.02F, 0.14F), random.range(0.03F, 0.16F));
  const float lip_strength = lipstick ? random.range(0.5F, 0.9F) : random.range(0.1F, 0.6F);
  subject.lip_colour = lips;
  const float lash_strength = feminine ? random.range(0.6F, 1.0F) : random.range(0.25F, 0.8F);
  const bool shadow = feminine && random.chance(0.3F);
  const Eigen::Vector3f eye_shadow = random.colour(0.05F, 0.4F);
  const float dark_rings = random.range(0.0F, 0.3F) + (age > 0.6F ? 0.12F : 0.0F);
  const float blotch = random.range(0.02F, 0.10F),
              freckles = random.chance(0.15F) ? random.range(0.1F, 0.4F) : 0.0F;
  const float flush = random.range(0.0F, 0.12F);
  const auto noise_seed = static_cast<std::uint32_t>(random.bits());

  Image8 skin(size, size, 4);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const int sx = mirror ? size - 1 - x : x;
      const std::uint8_t* pa = assets.skins[a].at(sx, y);
      const std::uint8_t* pb = assets.skins[b].at(sx, y);
      const std::uint8_t* feature = assets.features.at(x, y);
      const float lip = feature[0] / 255.0F, lash = feature[1] / 255.0F, eye = feature[3] / 255.0F;
      Eigen::Vector3f colour;
      for (int c = 0; c < 3; ++c) {
        const float detail = table[0][c][pa[c]] * (1 - mix) + table[1][c][pb[c]] * mix;
        colour[c] = subject.skin_tone[c] * detail;
      }
      {
        const Eigen::Vector3f at(x / 40.0F, y / 40.0F, 0.5F);
        const float n = valueNoise(at, noise_seed);
        colour *= 1 + blotch * n;
        colour.y() *= 1 - flush * std::max(0.0F, n);
      }
      if (freckles > 0) {
        const float n = valueNoise({x / 3.0F, y / 3.0F, 3.5F}, noise_seed);
        if (n > 0.5F) colour *= 1 - freckles * (n - 0.5F) * 2;
      }
      colour +=
          (lips * (0.8F + 0.2F * colour.mean() / subject.skin_tone.mean()) - colour) * (lip * lip_strength);
      colour *= 1 - dark_rings * eye;
      if (shadow) colour += (eye_shadow - colour) * (0.5F * eye);
      colour *= 1 - lash_strength * 0.85F * std::min(1.0F, lash);
      const int by = std::clamp(y + brow_shift, 0, size - 1);
      float opacity = (*brow.at(x, by) * (1 - brow_mix) + *brow2.at(x, by) * brow_mix) / 255.0F;
      opacity = std::min(1.0F, opacity * (1.3F + 2 * brow_bushiness)) * brow_opacity;
      colour += (brow_colour - colour) * opacity;
      std::uint8_t* out = skin.at(x, y);
      for (int c = 0; c < 3; ++c) {
        out[c] = static_cast<std::uint8_t>(std::sqrt(std::clamp(colour[c], 0.0F, 1.0F)) * 255 + 0.5F);
      }
      out[3] = static_cast<std::uint8_t>(lip * 255);
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

Subject makeSubject(const Assets& assets, Random& random) {
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
      if (random.chance(0.3F)) subject.goatee = random.range(16, 32);
    } else if (beard < 0.70F) {
      subject.moustache_mm = random.range(4, 12);
      subject.stubble = random.range(0, 0.3F);
    }
  }
  subject.skin = paintSkin(assets, subject, age, feminine, random);
  return subject;
}

}  // namespace facet::synth
