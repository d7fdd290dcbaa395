#pragma once

#include "synth/assets.h"
#include "synth/random.h"

namespace facet::synth {

enum class HairCut { kBald, kReceded, kBuzz, kShort, kMedium, kLong, kCurly, kTied };

// One invented person: shape, skin, hair. Several pictures are taken of each.
struct Subject {
  Eigen::VectorXf identity;     // I coefficients, standard deviations
  Points3 neutral;              // V×3 mm, no expression
  Image8 skin;                  // face UV tile: square root of linear RGB, 0..255; alpha = extra gloss (lips)
  Eigen::Vector3f skin_tone;    // linear
  Eigen::Vector3f iris_colour;  // linear
  float pupil_mm = 2, iris_mm = 6.2F;
  float brow_shift_mm = 0;  // brow hair higher (+) or lower than usual
  float skin_gloss = 1;     // strength of the specular reflection
  float sclera_brightness = 1;
  Eigen::Vector3f teeth_colour;
  Eigen::Vector3f lip_colour;

  HairCut cut = HairCut::kShort;
  Eigen::Vector3f hair_colour;  // linear
  float hairline_shift_mm = 0;  // the whole hairline, + = lower
  float recession_mm = 0;       // of its corners
  float hair_scale = 1;         // length against what is usual for the cut
  bool fringe = false;
  int combing = 0;  // 0 side, 1 back, 2 forward, 3 up
  float parting_mm = 0;
  float curl = 0;  // [0, 1]
  Eigen::Vector3f beard_colour;
  float stubble = 0;                     // [0, 1], painted
  float beard_mm = 0, moustache_mm = 0;  // length of hairs, 0 = none
  float goatee = 0;                      // > 0: beard only this close to the mid line, mm

  // Distance inside this person's hairline where an average hairline gives `hairline_mm`.
  float hairline(float hairline_mm, const Eigen::Vector3f& position) const;
};

Subject makeSubject(const Assets& assets, Random& random);

}  // namespace facet::synth
