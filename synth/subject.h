#pragma once

#include "synth/assets.h"
#include "synth/random.h"

namespace facet::synth {

enum class HairCut { kBald, kReceded, kBuzz, kShort, kMedium, kLong, kCurly, kTied };

// A strip of hair through a run of points.
struct HairLock {
  int first_point, num_points;
  float width_mm;
  Eigen::Vector3f root_normal, root_colour, tip_colour;
};
struct Hair {
  std::vector<Eigen::Vector3f> points;  // head frame, mm
  std::vector<HairLock> locks;
  Eigen::Vector3f bun = Eigen::Vector3f::Zero();
  float bun_radius_mm = 0;  // 0 = none
};

// One invented person: shape, skin, hair. Several pictures are taken of each.
struct Subject {
  Eigen::VectorXf identity;  // I coefficients, standard deviations
  Points3 neutral;           // V×3 mm, no expression
  // Face UV tile, fine and half as fine: square root of linear RGB, 0..255; alpha = extra gloss (lips).
  std::vector<Image8> skin;
  int paint_level = 0;          // of the finer one, see Assets::paint
  Image8 brow_opacity;          // of the hair painted in that tile
  Eigen::Vector3f skin_tone;    // linear
  Eigen::Vector3f iris_colour;  // linear
  float pupil_mm = 2, iris_mm = 6.2F;
  std::array<SurfacePoint, 10> brow_points;  // where the 68 landmarks' brows lie
  float lash_mm = 6;
  float shine = 0.5F;    // how much oilier forehead, nose and chin are
  float skin_gloss = 1;  // strength of the specular reflection
  float sclera_brightness = 1;
  Eigen::Vector3f teeth_colour;

  HairCut cut = HairCut::kShort;
  Eigen::Vector3f hair_colour;  // linear
  float hairline_shift_mm = 0;  // the whole hairline, + = lower
  float recession_mm = 0;       // of its corners
  float hair_scale = 1;         // length against what is usual for the cut
  bool fringe = false;
  int combing = 0;  // 0 side, 1 back, 2 forward, 3 up
  float parting_mm = 0;
  float curl = 0;  // [0, 1]
  Hair hair;
  Eigen::Vector3f beard_colour;
  float stubble = 0;                     // [0, 1], painted
  float beard_mm = 0, moustache_mm = 0;  // length of hairs, 0 = none
  float goatee_mm = 0;                   // > 0: beard only this close to the mid line

  // Distance inside this person's hairline where an average hairline gives `hairline_mm`.
  float hairline(float hairline_mm, const Eigen::Vector3f& position) const;
};

// Painted as fine as pictures of `size_px` show.
Subject makeSubject(const Assets& assets, int size_px, Random& random);

}  // namespace facet::synth
